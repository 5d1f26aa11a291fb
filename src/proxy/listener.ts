/**
 * The data-plane listener: the server of node:http, a fast path for simple requests before it, and our own checks on top.
 * Requests that pass the checks go to `handle`; whatever it throws is the answer.
 * No byte after a doubtful one is obeyed: a connection whose framing is in question ends with the answers it is owed.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Config, Limits } from '../config.ts';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { admit } from './admission.ts';
import type { ClientConnection } from './client-connection.ts';
import { ClientConnections, type LeaveTimes } from './client-connections.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { ClientRequest, RequestEvent } from './client-request.ts';
import { interpose } from './fast-path/interpose.ts';
import { type Framing, heldBodyBytes } from './framing.ts';
import { NodeExchange } from './node-exchange.ts';
import { createNodeServer } from './node-server.ts';
import { Refusals } from './refusals.ts';

export type ListenerOptions = {
  limits: Limits;
  tls?: Config['tls'];
  logger: Logger;
  /** Answers the request, or throws what the answer shall be. Without a promise it sees to the answer in any case. */
  handle: (request: ClientRequest) => Promise<void> | undefined;
  /** Called for every finished request, refused ones included. Must not throw. */
  observe?: (event: RequestEvent) => void;
  /** Serve simple requests without node:http; default true. Clients see no difference. */
  fastPath?: boolean;
};
export type BoundAddress = { host: string; port: number };
export type DrainOptions = LeaveTimes & {
  /** Take no new connections and end each one with its next answer. Default: go on serving until clients are gone. */
  stopAccepting?: boolean;
};
export interface Listener {
  /** `host:port`, port 0 takes a free one. Rejects when the address cannot be bound. */
  listen(address: string): Promise<BoundAddress>;
  /** Open client connections. */
  readonly connections: number;
  /** Requests whose answer is not out yet. */
  readonly requests: number;
  /** true when no connection is left, false when the grace is over first. */
  drain(options: DrainOptions): Promise<boolean>;
  /** Takes no more connections, waits for at most `graceMs`, and cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

const allowedOnAsterisk = 'GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH';

const asCrossfadeError = (error: unknown): CrossfadeError =>
  error instanceof CrossfadeError ? error : new CrossfadeError('INTERNAL', undefined, { cause: error });

const localAuthority = ({ localAddress = '', localPort }: Socket): string =>
  `${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;

/** Stands for the framing of a request that is refused anyway. */
const unframed: Framing = { bodyLength: 0, expectsContinue: false };

class HttpListener implements Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #unwatch: () => void;
  readonly #connections: ClientConnections;
  readonly #refusals: Refusals;
  readonly #ownNames = new Set<string>();
  readonly #onClosed = (exchange: ClientExchange): void => this.#finished(exchange);
  readonly #isOwn = (authority: string, { socket }: IncomingMessage): boolean =>
    this.#ownNames.has(authority) || authority === localAuthority(socket);
  #underWay = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#connections = new ClientConnections(options.limits.maxConnections);
    this.#refusals = new Refusals(options.observe);
    const { server, unwatch } = createNodeServer(options);
    this.#server = server;
    this.#unwatch = unwatch;
    this.#interpose();
    const onRequest = (request: IncomingMessage, response: ServerResponse) => this.#requested(request, response);
    const connectionOf = (socket: Socket): ClientConnection | undefined => this.#connections.of(socket);
    this.#server
      .on('request', onRequest)
      .on('checkContinue', onRequest)
      .on('checkExpectation', onRequest)
      .on('connect', ({ socket }) => this.#refusals.connectRequest(socket, connectionOf(socket)))
      .on('clientError', (error, socket) => {
        this.#refusals.malformed(error, socket as Socket, connectionOf(socket as Socket));
      });
  }

  listen(address: string): Promise<BoundAddress> {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port: Number(address.slice(colon + 1)) }, () => {
        this.#server.removeListener('error', reject);
        this.#server.on('error', (err) => this.#options.logger.error({ err }, 'listener failed'));
        const bound = this.#server.address() as AddressInfo;
        this.#ownNames.add(`${address.slice(0, colon)}:${bound.port}`.toLowerCase()).add(`localhost:${bound.port}`);
        resolve({ host: bound.address, port: bound.port });
      });
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  get requests(): number {
    return this.#underWay;
  }

  async drain({ stopAccepting = false, ...times }: DrainOptions): Promise<boolean> {
    if (stopAccepting) this.#stopAccepting();
    return this.#connections.gone(times);
  }

  async close(graceMs = 0): Promise<void> {
    await this.drain({ graceMs, stopAccepting: true });
    this.#unwatch();
    this.#server.close();
    this.#server.closeAllConnections();
    this.#connections.destroy();
  }

  #stopAccepting(): void {
    // Server.close of node:http would also cut idle connections, on which a request may be on its way.
    if (this.#server.listening) NetServer.prototype.close.call(this.#server);
    this.#connections.drain();
  }

  #interpose(): void {
    const { limits, tls, fastPath = true } = this.#options;
    interpose(this.#server, {
      event: tls === undefined ? 'connection' : 'secureConnection',
      accept: (socket) => this.#connections.accept(socket),
      mayBeFast: ({ unwelcome }) => fastPath && unwelcome === undefined,
      bounds: { maxHeaderBytes: limits.maxHeaderBytes, maxBodyBytes: heldBodyBytes },
      keepAliveMs: limits.keepAliveMs,
      firstRequestMs: limits.headersTimeoutMs,
      serve: (exchange) => this.#serve(exchange),
      onClosed: this.#onClosed,
    });
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.of(request.socket);
    if (connection === undefined) return;
    const admitted = admit(request, this.#isOwn);
    const refused = admitted instanceof Error;
    const framing = refused ? unframed : admitted.framing;
    if (!connection.obeys(request, !refused && admitted.upgrade, framing.bodyLength)) return;
    const exchange = new NodeExchange({
      request,
      response,
      connection,
      target: refused || admitted.target === 'asterisk' ? undefined : admitted.target,
      headers: refused ? [] : admitted.headers,
      framing,
      onClosed: this.#onClosed,
    });
    this.#underWay++;
    connection.pending.push(exchange);
    connection.current = exchange;
    if (connection.unwelcome !== undefined) exchange.respondError(connection.unwelcome);
    else if (refused) exchange.respondError(admitted);
    else if (admitted.target === 'asterisk') exchange.respond({ status: 200, headers: { allow: allowedOnAsterisk } });
    else this.#carryOut(exchange);
  }

  #serve(exchange: ClientExchange): void {
    this.#underWay++;
    this.#carryOut(exchange);
  }

  #carryOut(exchange: ClientExchange): void {
    try {
      this.#options.handle(exchange)?.then(
        () => {
          if (exchange.answered || exchange.gone) return;
          this.#failed(exchange, new CrossfadeError('INTERNAL', 'The request was not answered.'));
        },
        (error: unknown) => this.#failed(exchange, asCrossfadeError(error)),
      );
    } catch (error) {
      this.#failed(exchange, asCrossfadeError(error));
    }
  }

  #failed(exchange: ClientExchange, err: CrossfadeError): void {
    if (err.code === 'INTERNAL') this.#options.logger.error({ err }, 'request failed by a bug');
    exchange.respondError(err);
  }

  #finished(exchange: ClientExchange): void {
    const { connection } = exchange;
    this.#underWay--;
    connection.settled(exchange);
    if (connection.closing && connection.pending.length === 0) this.#refusals.end(connection);
    this.#options.observe?.(exchange.event());
  }
}

export const createListener = (options: ListenerOptions): Listener => new HttpListener(options);
