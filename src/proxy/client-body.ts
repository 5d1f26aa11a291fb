/**
 * The body of a client's request: taken whole and bounded, or chunk by chunk at the reader's pace. Whoever reads hears
 * at once when the body cannot be completed. What nobody wants any more is read off and thrown away, so that a client
 * which sends its whole body before it looks at the answer (as OpenSearch clients do) gets to see that answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CrossfadeError } from '../errors.ts';

/** Chunks kept for a reader that is slower than the client, before the client is paused. */
const maxWaitingChunks = 4;
const empty = Buffer.alloc(0);

type Reader = { onData(chunk: Buffer): void; onEnd(): void; onFailure(error: CrossfadeError): void };

export class ClientBody {
  /** The whole body, once it was read. */
  whole: Buffer | undefined;
  readonly request: IncomingMessage;
  readonly #response: ServerResponse;
  /** 0 = no body, undefined = chunked. */
  readonly length: number | undefined;
  readonly #expectsContinue: boolean;
  #reader: Reader | undefined;
  #begun = false;
  #failure: CrossfadeError | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    framing: { bodyLength: number | undefined; expectsContinue: boolean },
  ) {
    this.request = request;
    this.#response = response;
    this.length = framing.bodyLength;
    this.#expectsContinue = framing.expectsContinue;
    if (framing.bodyLength === 0) this.whole = empty;
  }

  /** @throws CrossfadeError BODY_TOO_LARGE, or what `fail` was given. */
  read(maxBytes: number): Promise<Buffer> {
    if (this.whole !== undefined) return Promise.resolve(this.whole);
    if ((this.length ?? 0) > maxBytes) return Promise.reject(new CrossfadeError('BODY_TOO_LARGE'));
    return new Promise((resolve, reject) => this.begin(new WholeReader(this, maxBytes, resolve, reject)));
  }

  chunks(): AsyncIterable<Buffer> {
    return { [Symbol.asyncIterator]: () => new ChunkReader(this) };
  }

  /** Gives the body to a reader; once only. */
  begin(reader: Reader): void {
    if (this.#begun) throw new CrossfadeError('INTERNAL', 'The body of a request was asked for twice.');
    this.#begun = true;
    if (this.#failure !== undefined) {
      reader.onFailure(this.#failure);
      return;
    }
    this.#reader = reader;
    if (this.#expectsContinue) this.#response.writeContinue();
    // The listeners stay: without a reader they throw the rest away.
    this.request.on('data', (chunk: Buffer) => this.#reader?.onData(chunk));
    if (this.length === undefined) this.request.on('end', () => this.#reader?.onEnd());
  }

  /** The reader has what it wanted. */
  leave(): void {
    this.#reader = undefined;
  }

  /** The body cannot be completed. Returns false when nobody was reading it. */
  fail(error: CrossfadeError): boolean {
    this.#failure = error;
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.onFailure(error);
    return reader !== undefined;
  }

  /** Reads the rest off the connection and forgets it. */
  discard(): void {
    this.#reader = undefined;
    if (!this.request.complete && !this.request.destroyed) this.request.resume();
  }
}

class WholeReader implements Reader {
  readonly #body: ClientBody;
  readonly #maxBytes: number;
  readonly #resolve: (body: Buffer) => void;
  readonly #reject: (error: CrossfadeError) => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    body: ClientBody,
    maxBytes: number,
    resolve: (body: Buffer) => void,
    reject: (error: CrossfadeError) => void,
  ) {
    this.#body = body;
    this.#maxBytes = maxBytes;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onData(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes === this.#body.length) this.onEnd();
    else if (this.#bytes > this.#maxBytes) {
      this.#body.discard();
      this.#reject(new CrossfadeError('BODY_TOO_LARGE'));
    }
  }

  onEnd(): void {
    const body = this.#body;
    body.leave();
    body.whole = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#bytes);
    this.#resolve(body.whole);
  }

  onFailure(error: CrossfadeError): void {
    this.#reject(error);
  }
}

type Question = { resolve(result: IteratorResult<Buffer>): void; reject(error: Error): void };

class ChunkReader implements Reader, AsyncIterator<Buffer> {
  readonly #body: ClientBody;
  readonly #waiting: Buffer[] = [];
  #question: Question | undefined;
  #bytes = 0;
  #ended = false;
  #failure: CrossfadeError | undefined;

  constructor(body: ClientBody) {
    this.#body = body;
    body.begin(this);
  }

  next(): Promise<IteratorResult<Buffer>> {
    return new Promise((resolve, reject) => {
      this.#question = { resolve, reject };
      this.#answer();
      if (this.#question !== undefined && this.#body.request.isPaused()) this.#body.request.resume();
    });
  }

  async return(): Promise<IteratorResult<Buffer>> {
    this.#body.discard();
    return { done: true, value: undefined };
  }

  onData(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes === this.#body.length) this.onEnd();
    else this.#answer();
    if (this.#waiting.length >= maxWaitingChunks) this.#body.request.pause();
  }

  onEnd(): void {
    this.#ended = true;
    this.#body.leave();
    this.#answer();
  }

  onFailure(error: CrossfadeError): void {
    this.#failure = error;
    this.#answer();
  }

  #answer(): void {
    const asked = this.#question;
    if (asked === undefined) return;
    const chunk = this.#waiting.shift();
    if (chunk === undefined && !this.#ended && this.#failure === undefined) return;
    this.#question = undefined;
    if (chunk !== undefined) asked.resolve({ done: false, value: chunk });
    else if (this.#ended) asked.resolve({ done: true, value: undefined });
    else asked.reject(this.#failure as CrossfadeError);
  }
}
