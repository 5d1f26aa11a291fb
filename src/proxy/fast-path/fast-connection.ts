/**
 * A client's connection for as long as it carries nothing but simple requests, one after the other. The first bytes that
 * are not one, and whatever follows them, go to node:http, which reads this connection from then on: it knows the rest of
 * HTTP, keeps the clocks against slow senders, and words the refusals. A request is either served here whole or not
 * touched at all, so none is read by two readers.
 */
import type { ClientConnection } from '../client-connection.ts';
import type { ClientExchange } from '../client-exchange.ts';
import { FastExchange } from './fast-exchange.ts';
import { type SimpleBounds, type SimpleRequest, recogniseRequest } from './simple-request.ts';

export type FastPathHost = {
  readonly bounds: SimpleBounds;
  /** How long an unused connection is kept, after and before its first request. */
  readonly keepAliveMs: number;
  readonly firstRequestMs: number;
  /** Carries the request out; it is under way already. */
  serve(exchange: ClientExchange): void;
  /** Called once for every request, when its answer is out or the client is gone. */
  readonly onClosed: (exchange: ClientExchange) => void;
  /** Takes over a connection whose unread bytes stand in its buffer. */
  handOver(connection: ClientConnection): void;
};

/** A request that takes longer to arrive is watched by the clocks of node:http. */
const partialMs = 200;
/** Clients that heed the announced time must find the connection still open at its end. */
const keepAliveSlackMs = 1000;

export class FastConnection {
  readonly #connection: ClientConnection;
  readonly #host: FastPathHost;
  #unread: Buffer | undefined;
  /** Of a request that has not come whole: with less there is nothing new to see. */
  #neededBytes = 0;
  #exchange: FastExchange | undefined;
  #partial: NodeJS.Timeout | undefined;
  #served = false;
  #hasEnded = false;

  constructor(connection: ClientConnection, host: FastPathHost) {
    this.#connection = connection;
    this.#host = host;
    const { socket } = connection;
    socket.setTimeout(host.firstRequestMs);
    socket.on('data', this.#onData).on('end', this.#onEnd).on('timeout', this.#onIdle).on('error', this.#onError);
    socket.once('close', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#exchange !== undefined) return this.#giveBack(chunk);
    const bytes = this.#unread === undefined ? chunk : Buffer.concat([this.#unread, chunk]);
    if (bytes.length >= this.#neededBytes) return this.#read(bytes);
    this.#unread = bytes;
  };

  /**
   * Sent ahead of an answer. It may be for node:http, so it stays in the stream, which does not end before it is read: to a
   * stream that has ended nothing can be given back. Until then nobody sees whether this client has left.
   */
  #giveBack(chunk: Buffer): void {
    const { socket } = this.#connection;
    socket.pause();
    socket.unshift(chunk);
  }

  /** What it has asked for is still answered. */
  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (this.#exchange === undefined) this.#connection.socket.destroy();
  };

  readonly #onIdle = (): void => {
    if (this.#exchange === undefined && this.#unread === undefined) this.#connection.socket.destroy();
  };

  readonly #onError = (): void => {
    this.#connection.socket.destroy();
  };

  readonly #onClose = (): void => clearTimeout(this.#partial);

  readonly #onOut = (error?: Error | null): void => {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#exchange = undefined;
    const left = (error ?? undefined) === undefined;
    exchange.finish(left);
    if (exchange.endsConnection || !left) this.#connection.socket.destroySoon();
    else this.#next();
  };

  #next(): void {
    const { socket } = this.#connection;
    if (socket.destroyed || socket.writableEnded) return;
    if (!this.#served) {
      this.#served = true;
      const { keepAliveMs } = this.#host;
      socket.setTimeout(keepAliveMs === 0 ? 0 : keepAliveMs + keepAliveSlackMs);
    }
    if (socket.isPaused()) socket.resume();
    if (this.#hasEnded && this.#exchange === undefined) socket.destroySoon();
  }

  #read(bytes: Buffer): void {
    this.#unread = undefined;
    this.#neededBytes = 0;
    const request = recogniseRequest(bytes, this.#host.bounds);
    if (typeof request === 'number') this.#await(bytes, request);
    // More than one request at hand: a pipeline, whose requests node:http carries out side by side.
    else if (request === 'other' || request.bytes < bytes.length) this.#handOver(bytes);
    else this.#serve(request);
  }

  #await(bytes: Buffer, neededBytes: number): void {
    this.#unread = bytes;
    this.#neededBytes = neededBytes;
    this.#partial ??= setTimeout(() => this.#handOver(this.#unread ?? bytes), partialMs);
  }

  #serve(request: SimpleRequest): void {
    if (this.#partial !== undefined) this.#calm();
    const connection = this.#connection;
    const { onClosed, keepAliveMs } = this.#host;
    const keepAliveSeconds = keepAliveMs === 0 ? undefined : Math.floor(keepAliveMs / 1000);
    const exchange = new FastExchange({ request, connection, keepAliveSeconds, onOut: this.#onOut, onClosed });
    this.#exchange = exchange;
    connection.consumed(request.bytes);
    connection.pending.push(exchange);
    this.#host.serve(exchange);
  }

  #calm(): void {
    clearTimeout(this.#partial);
    this.#partial = undefined;
  }

  #handOver(bytes: Buffer): void {
    this.#calm();
    const { socket } = this.#connection;
    // Whatever was begun cannot be given back to a stream that has ended.
    if (this.#hasEnded) return;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('timeout', this.#onIdle).off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.setTimeout(0);
    // Paused, else the stream takes itself for flowing and leaves these bytes in its buffer until others come.
    socket.pause();
    socket.unshift(bytes);
    this.#host.handOver(this.#connection);
    socket.resume();
  }
}
