/**
 * One connection to NATS that is there again whenever the servers are: waits for the first connect without blocking the
 * start, reconnects for ever, notices half-open connections within seconds, and re-reads its credentials each time.
 * Says only "up" and "down"; nothing may be concluded about the store's contents from either.
 */
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { NatsConfig } from '../config.ts';
import type { Logger } from '../log.ts';
import { endingSilentSockets } from './silent-sockets.ts';
import { pause, systemTimers, type Timers } from './timers.ts';

export type NatsConnectionOptions = {
  config: NatsConfig;
  /** Shown in the servers' connection lists. */
  name: string;
  logger: Logger;
  timers?: Timers;
  random?: () => number;
  /** Called on the first connect and after each reconnect. */
  onUp: (connection: NatsConnection) => void;
  onDown: (reason: string) => void;
};
export type NatsLink = { close(): Promise<void> };

/** Reads a secret again at every use, so that a rotated file takes effect at the next connect. */
const secretReader = (file: string, logger: Logger): (() => Buffer) => {
  let last: Buffer | undefined;
  return () => {
    try {
      last = readFileSync(file);
    } catch (err) {
      if (last === undefined) throw err;
      logger.warn({ err, file }, 'credentials file cannot be read, the last contents stay in use');
    }
    return last;
  };
};

export const authenticatorOf = (config: NatsConfig, logger: Logger): Authenticator | undefined => {
  const text = (file: string | undefined, value: string | undefined): (() => string) => {
    if (file === undefined) return () => value ?? '';
    const read = secretReader(file, logger);
    return () => read().toString('utf8').trim();
  };
  if (config.credentialsFile !== undefined) return credsAuthenticator(secretReader(config.credentialsFile, logger));
  if (config.username !== undefined)
    return usernamePasswordAuthenticator(config.username, text(config.passwordFile, config.password));
  if (config.token !== undefined || config.tokenFile !== undefined)
    return tokenAuthenticator(text(config.tokenFile, config.token));
  return undefined;
};

type TlsSettings = NonNullable<NodeConnectionOptions['tls']> & { servername?: string };
/** Files are read by the client at every connect. `undefined` still upgrades when the server asks for TLS. */
const tlsOf = ({ tls, servers }: NatsConfig): TlsSettings | undefined => {
  if (tls === undefined) return servers.some((server) => server.startsWith('tls://')) ? {} : undefined;
  const { caFile, certFile, keyFile, serverName, verify } = tls;
  return {
    ...(caFile !== undefined && { caFile }),
    ...(certFile !== undefined && { certFile }),
    ...(keyFile !== undefined && { keyFile }),
    ...(serverName !== undefined && { servername: serverName }),
    rejectUnauthorized: verify,
  };
};

const connectTimeoutMs = 3_000;

/** The client's own defaults find a half-open connection after 4 to 6 minutes and give up after ten attempts. */
export const connectOptionsOf = (config: NatsConfig, name: string, logger: Logger): NodeConnectionOptions => {
  const authenticator = authenticatorOf(config, logger);
  const tls = tlsOf(config);
  return {
    servers: [...config.servers],
    name,
    timeout: connectTimeoutMs,
    pingInterval: 2_000,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(authenticator !== undefined && { authenticator }),
    ...(tls !== undefined && { tls }),
  };
};

/** A name that does not resolve has its reason one level down; a server that is silent gives none at all. */
const reasonOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : '';
  return text === '' ? 'no answer' : text;
};

export const openNatsConnection = (options: NatsConnectionOptions): NatsLink => {
  const keeper = new ConnectionKeeper(options);
  return { close: () => keeper.close() };
};

class ConnectionKeeper {
  readonly #options: Required<NatsConnectionOptions>;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #connection: NatsConnection | undefined;

  constructor(options: NatsConnectionOptions) {
    this.#options = { timers: systemTimers, random: Math.random, ...options };
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#connection?.close();
    await this.#running;
  }

  /** The client ends a connection for good on some errors, so the outer loop starts another one. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (attempt > 0) await pause(this.#options.timers, this.#backoffMs(attempt), signal);
      if (signal.aborted) return;
      if (await this.#connectOnce(attempt)) attempt = 0;
    }
  }

  #backoffMs(attempt: number): number {
    const ceiling = Math.min(2_000, 250 * 2 ** Math.min(attempt, 4));
    return ceiling / 2 + this.#options.random() * (ceiling / 2);
  }

  /** True when a connection was made and has ended. */
  async #connectOnce(attempt: number): Promise<boolean> {
    const { config, name, logger, onDown, timers } = this.#options;
    try {
      const connecting = () => connect(connectOptionsOf(config, name, logger));
      this.#connection = await endingSilentSockets({ timers, timeoutMs: connectTimeoutMs }, connecting);
    } catch (err) {
      logger[attempt === 0 ? 'warn' : 'debug'](
        { err, servers: config.servers },
        'cannot connect to NATS, trying again',
      );
      onDown(`cannot connect: ${reasonOf(err)}`);
      return false;
    }
    if (this.#closing.signal.aborted) await this.#connection.close();
    else await this.#follow(this.#connection);
    onDown('connection closed');
    return true;
  }

  async #follow(connection: NatsConnection): Promise<void> {
    const { onUp, onDown, logger, timers, random } = this.#options;
    onUp(connection);
    for await (const status of connection.status()) {
      if (status.type === 'reconnect') onUp(connection);
      if (status.type === 'disconnect') onDown(`disconnected from ${status.server}`);
      // Lame duck: the server is about to stop; members leave it one after the other.
      if (status.type === 'ldm') timers.set(() => void connection.reconnect().catch(() => undefined), random() * 2_000);
      if (status.type === 'error') logger.warn({ err: status.error }, 'NATS reports an error');
    }
    await connection.closed();
  }
}
