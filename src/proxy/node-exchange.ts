/**
 * A client's request over node:http, with any framing and any size. Raw header pairs, no pipes: bodies are read and
 * answers written at the pace of whoever is slower.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CrossfadeError } from '../errors.ts';
import { ClientBody } from './client-body.ts';
import { ClientExchange, type ExchangeInit } from './client-exchange.ts';
import type { Framing } from './framing.ts';
import { lingerWhile } from './lingering.ts';

export type NodeExchangeInit = Omit<ExchangeInit, 'method' | 'bodyLength'> & {
  request: IncomingMessage;
  response: ServerResponse;
  framing: Framing;
};

export class NodeExchange extends ClientExchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #body: ClientBody;

  constructor(init: NodeExchangeInit) {
    const { request, response, framing, connection, target, headers, onClosed } = init;
    const { bodyLength } = framing;
    super({ connection, method: request.method ?? '', target, headers, bodyLength, onClosed });
    this.#request = request;
    this.#response = response;
    this.#body = new ClientBody(request, response, framing);
    response.sendDate = false;
    response.on('close', () => this.closed());
  }

  get answerBegun(): boolean {
    return this.#response.headersSent;
  }

  get bodyRead(): Buffer | undefined {
    return this.#body.whole;
  }

  readBody({ maxBytes }: { maxBytes: number }): Promise<Buffer> {
    return this.#body.read(maxBytes);
  }

  takeBody(maxBytes: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void): void {
    this.#body.take(maxBytes, done, failed);
  }

  bodyChunks(): AsyncIterable<Buffer> {
    return this.#body.chunks();
  }

  answerWhole(status: number, reason: string | undefined, headers: string[], body: Buffer | undefined): void {
    if (!this.#begin(status, reason, headers)) return;
    this.#body.discard();
    this.#response.end(body);
  }

  beginAnswer(status: number, reason: string, headers: string[]): void {
    if (!this.#begin(status, reason, headers)) return;
    const { socket } = this.connection;
    // The head goes out even if the body is late, and together with what comes in the same turn.
    socket.cork();
    // Not flushHeaders(), which would write header bytes beyond ASCII as UTF-8. To HEAD it goes out with the end.
    this.#response.write('', 'latin1');
    process.nextTick(() => socket.uncork());
  }

  writeAnswer(chunk: Buffer): boolean {
    return this.gone || this.#response.write(chunk);
  }

  endAnswer(): void {
    if (this.gone) return;
    this.#body.discard();
    this.#response.end();
  }

  onDrain(callback: () => void): void {
    this.#response.once('drain', callback);
  }

  /** The rest of the request cannot be read. */
  breakBody(error: CrossfadeError): void {
    this.connection.closing = true;
    if (this.answered) this.connection.socket.destroySoon();
    else if (!this.#body.fail(error)) this.respondError(error);
  }

  /** True until the last byte of the request was received. */
  get incomplete(): boolean {
    return !this.#request.complete;
  }

  protected headerRecord(): Record<string, string> {
    return this.#request.headers as Record<string, string>;
  }

  protected get statusSent(): number | undefined {
    return this.#response.headersSent ? this.#response.statusCode : undefined;
  }

  protected get answerEnded(): boolean {
    return this.#response.writableEnded;
  }

  protected get answerOut(): boolean {
    return this.#response.writableFinished;
  }

  /** To HTTP/1.0 the end of the connection may be the end of the answer. TLS says itself that it was cut. */
  protected override breakOff(): void {
    const { socket } = this.connection;
    if (this.#request.httpVersionMinor === 0 && !('encrypted' in socket)) socket.resetAndDestroy();
    else super.breakOff();
  }

  protected override bodyLost(error: CrossfadeError): void {
    this.#body.fail(error);
  }

  /** The rest of the request neither takes its answer away nor brings another one. */
  #outlastBody(): void {
    if (this.endsConnection) this.connection.closing = true;
    lingerWhile(this.connection.socket, () => this.incomplete);
  }

  #begin(status: number, reason: string | undefined, headers: string[]): boolean {
    if (!this.claimAnswer(headers)) return false;
    if (this.incomplete) this.#outlastBody();
    if (reason === undefined) this.#response.writeHead(status, headers);
    else this.#response.writeHead(status, reason, headers);
    return true;
  }
}
