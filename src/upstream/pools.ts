/**
 * Connections to one URL: an undici pool whose clients remember how often their connection was used, so that a dead
 * kept-alive connection can be told from a cluster that breaks a fresh one, and so that a connection can be kept from
 * being used again. HTTP/1.1 only and one request at a time per connection: what one request does to a connection must
 * never touch another request.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { buildConnector, Client, type Dispatcher, Pool } from 'undici';
import type { ClusterConfig, TlsClient } from '../config.ts';
import { CrossfadeError } from '../errors.ts';

/** Well below what servers and load balancers keep (60 s and more), so that we are the ones who close. */
const keepAliveMs = 25_000;
/** Answers may carry many Warning headers. */
const maxAnswerHeaderBytes = 256 * 1024;

/** Told to the handler of a request before it is started. */
export type ConnectionAware = { connection: Connection | undefined };

/** One connection of the pool, over its reconnects. */
export class Connection extends Client {
  /** Answers received since the connection was made. */
  served = 0;
  #socket: Socket | undefined;

  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector) {
    super(origin, {
      ...options,
      connect: (target, callback) =>
        connect(target, (...result) => {
          this.served = 0;
          this.#socket = result[1] ?? undefined;
          callback(...result);
        }),
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    (handler as Dispatcher.DispatchHandler & ConnectionAware).connection = this;
    return super.dispatch(options, handler);
  }

  /** The server may have stopped listening to this connection: the next request gets a new one. */
  discard(): void {
    this.#socket?.destroy();
  }
}

const readPem = (file: string | undefined): Buffer | undefined => {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CrossfadeError('CONFIG_INVALID', `The certificate file ${file} cannot be read.`, { cause });
  }
};

const tlsOptions = (tls: TlsClient | undefined): Record<string, unknown> => {
  const ca = readPem(tls?.caFile);
  const cert = readPem(tls?.certFile);
  const key = readPem(tls?.keyFile);
  return {
    rejectUnauthorized: tls?.verify ?? true,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  };
};

/** @throws CrossfadeError CONFIG_INVALID when a certificate file cannot be read. */
export const createPool = (origin: URL, config: ClusterConfig): Pool => {
  const secure = origin.protocol === 'https:' ? tlsOptions(config.tls) : {};
  const connect = buildConnector({ ...secure, allowH2: false, timeout: config.connectTimeoutMs });
  const options: Client.Options = {
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    maxHeaderSize: maxAnswerHeaderBytes,
    // Exchange keeps one deadline for the whole request.
    headersTimeout: 0,
    bodyTimeout: 0,
  };
  return new Pool(origin, {
    connections: config.maxConnections,
    allowH2: false,
    factory: (url) => new Connection(url, options, connect),
  });
};
