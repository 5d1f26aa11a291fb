/**
 * A client's request whose bytes are all here, and its answer written to the bare connection: what node:http does with
 * two streams and four events is one write for an answer of usual size.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CrossfadeError } from '../../errors.ts';
import { writeMessage } from '../../upstream/write-message.ts';
import { ClientExchange, type ExchangeInit } from '../client-exchange.ts';
import { type AnswerFrame, answerHead } from './answer-head.ts';
import type { SimpleRequest } from './simple-request.ts';

export type FastExchangeInit = Pick<ExchangeInit, 'connection' | 'onClosed'> & {
  request: SimpleRequest;
  keepAliveSeconds: number | undefined;
  /** Given with the last write of the answer; called when it left, or could not. */
  onOut: (error?: Error | null) => void;
};

export class FastExchange extends ClientExchange {
  readonly #request: SimpleRequest;
  readonly #socket: Socket;
  readonly #keepAliveSeconds: number | undefined;
  readonly #onOut: FastExchangeInit['onOut'];
  #status: number | undefined;
  #frame: AnswerFrame | undefined;
  #ended = false;
  #out = false;

  constructor({ request, keepAliveSeconds, onOut, connection, onClosed }: FastExchangeInit) {
    const { method, target, headers, body } = request;
    super({ connection, method, target, headers, bodyLength: body.length, onClosed });
    this.#request = request;
    this.#socket = connection.socket;
    this.#keepAliveSeconds = keepAliveSeconds;
    this.#onOut = onOut;
  }

  get answerBegun(): boolean {
    return this.#status !== undefined;
  }

  get bodyRead(): Buffer {
    return this.#request.body;
  }

  readBody({ maxBytes }: { maxBytes: number }): Promise<Buffer> {
    return new Promise((resolve, reject) => this.takeBody(maxBytes, resolve, reject));
  }

  takeBody(maxBytes: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void): void {
    const { body } = this.#request;
    if (this.gone) failed(new CrossfadeError('CLIENT_CLOSED'));
    else if (body.length > maxBytes) failed(new CrossfadeError('BODY_TOO_LARGE'));
    else done(body);
  }

  async *bodyChunks(): AsyncGenerator<Buffer> {
    if (this.gone) throw new CrossfadeError('CLIENT_CLOSED');
    if (this.#request.body.length > 0) yield this.#request.body;
  }

  answerWhole(status: number, reason: string | undefined, headers: string[], body: Buffer | undefined): void {
    const frame = this.#begin(status, reason, headers, body?.length ?? 0);
    if (frame === undefined) return;
    this.#ended = true;
    if (body === undefined || frame.bodiless) this.#socket.write(frame.head, 'latin1', this.#onOut);
    else writeMessage(this.#socket, { head: frame.head, body }, this.#onOut);
  }

  beginAnswer(status: number, reason: string, headers: string[]): void {
    const frame = this.#begin(status, reason, headers, undefined);
    if (frame === undefined) return;
    const socket = this.#socket;
    // The head goes out even if the body is late, and together with what comes in the same turn.
    socket.cork();
    socket.write(frame.head, 'latin1');
    process.nextTick(() => socket.uncork());
  }

  writeAnswer(chunk: Buffer): boolean {
    const { gone } = this;
    if (gone || this.#frame === undefined || this.#frame.bodiless || chunk.length === 0) return true;
    if (!this.#frame.chunked) return this.#socket.write(chunk);
    const socket = this.#socket;
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    const ready = socket.write('\r\n', 'latin1');
    socket.uncork();
    return ready;
  }

  endAnswer(): void {
    if (this.gone || this.#ended) return;
    this.#ended = true;
    this.#socket.write(this.#frame?.chunked ? '0\r\n\r\n' : '', 'latin1', this.#onOut);
  }

  onDrain(callback: () => void): void {
    this.#socket.once('drain', callback);
  }

  /** The last byte left, or the connection is gone. */
  finish(left: boolean): void {
    this.#out = left;
    this.closed();
  }

  protected headerRecord(): Record<string, string> {
    const { rawHeaders } = this.#request;
    const record: Record<string, string> = Object.create(null);
    for (let i = 0; i < rawHeaders.length; i += 2)
      record[(rawHeaders[i] as string).toLowerCase()] = rawHeaders[i + 1] as string;
    return record;
  }

  protected get statusSent(): number | undefined {
    return this.#status;
  }

  get answerEnded(): boolean {
    return this.#ended;
  }

  protected get answerOut(): boolean {
    return this.#out;
  }

  #begin(status: number, reason: string | undefined, headers: string[], bodyBytes: number | undefined) {
    if (!this.claimAnswer(headers)) return undefined;
    const { method } = this;
    const keepAliveSeconds = this.#keepAliveSeconds;
    const said = reason ?? STATUS_CODES[status] ?? '';
    this.#frame = answerHead({ method, status, reason: said, headers, keepAliveSeconds, bodyBytes });
    this.#status = status;
    return this.#frame;
  }
}
