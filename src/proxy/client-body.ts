/**
 * The body of a client's request: taken whole and bounded, or chunk by chunk at the reader's pace. Whoever reads hears
 * at once when the body cannot be completed. What nobody wants any more is read off and thrown away, so that a client
 * which sends its whole body before it looks at the answer (as OpenSearch clients do) gets to see that answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CrossfadeError } from '../errors.ts';
import { GatheredBody } from './gathered-body.ts';

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
    if (framing.bodyLength !== 0) return;
    this.whole = empty;
    // Nobody will ask for it, yet the client may wait.
    if (framing.expectsContinue) response.writeContinue();
  }

  /** @throws CrossfadeError BODY_TOO_LARGE, or what `fail` was given. */
  read(maxBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => this.take(maxBytes, resolve, reject));
  }

  /** `read` without a promise. */
  take(maxBytes: number, done: (body: Buffer) => void, failed: (error: CrossfadeError) => void): void {
    if (this.whole !== undefined) done(this.whole);
    else if ((this.length ?? 0) > maxBytes) failed(new CrossfadeError('BODY_TOO_LARGE'));
    else this.begin(new WholeReader(this, maxBytes, done, failed));
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
  readonly #done: (body: Buffer) => void;
  readonly #failed: (error: CrossfadeError) => void;
  readonly #gathered: GatheredBody;

  constructor(
    body: ClientBody,
    maxBytes: number,
    done: (body: Buffer) => void,
    failed: (error: CrossfadeError) => void,
  ) {
    this.#body = body;
    this.#maxBytes = maxBytes;
    this.#done = done;
    this.#failed = failed;
    this.#gathered = new GatheredBody(body.length);
  }

  onData(chunk: Buffer): void {
    this.#gathered.add(chunk);
    const { bytes } = this.#gathered;
    if (bytes === this.#body.length) this.onEnd();
    else if (bytes > this.#maxBytes) {
      this.#body.discard();
      this.#failed(new CrossfadeError('BODY_TOO_LARGE'));
    }
  }

  onEnd(): void {
    const whole = this.#gathered.whole();
    this.#body.leave();
    this.#body.whole = whole;
    this.#done(whole);
  }

  onFailure(error: CrossfadeError): void {
    this.#failed(error);
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
