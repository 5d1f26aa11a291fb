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

export type ClientBodyOptions = {
  request: IncomingMessage;
  response: ServerResponse;
  /** 0 = no body, undefined = chunked. */
  length: number | undefined;
  expectsContinue: boolean;
};

export class ClientBody {
  /** The whole body, once it was read. */
  whole: Buffer | undefined;
  readonly #options: ClientBodyOptions;
  #reader: Reader | undefined;
  #begun = false;
  #failure: CrossfadeError | undefined;

  constructor(options: ClientBodyOptions) {
    this.#options = options;
    if (options.length === 0) this.whole = empty;
  }

  /** @throws CrossfadeError BODY_TOO_LARGE, or what `fail` was given. */
  async read(maxBytes: number): Promise<Buffer> {
    if (this.whole !== undefined) return this.whole;
    if ((this.#options.length ?? 0) > maxBytes) throw new CrossfadeError('BODY_TOO_LARGE');
    const { length } = this.#options;
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const finish = (): void => {
        this.#leave();
        this.whole = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
        resolve(this.whole);
      };
      this.#enter({
        onData: (chunk) => {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes === length) return finish();
          if (bytes <= maxBytes) return;
          this.discard();
          reject(new CrossfadeError('BODY_TOO_LARGE'));
        },
        onEnd: finish,
        onFailure: reject,
      });
    });
  }

  chunks(): AsyncIterable<Buffer> {
    return { [Symbol.asyncIterator]: () => this.#iterator() };
  }

  /** The body cannot be completed. Returns false when nobody was reading it. */
  fail(error: CrossfadeError): boolean {
    this.#failure = error;
    const reader = this.#reader;
    this.#leave();
    reader?.onFailure(error);
    return reader !== undefined;
  }

  /** Reads the rest off the connection and forgets it. */
  discard(): void {
    const { request } = this.#options;
    this.#leave();
    if (!request.complete && !request.destroyed) request.resume();
  }

  #iterator(): AsyncIterator<Buffer> {
    const waiting: Buffer[] = [];
    let ended = false;
    let question: { resolve(result: IteratorResult<Buffer>): void; reject(error: Error): void } | undefined;
    const { request } = this.#options;
    const answer = (): void => {
      const asked = question;
      const chunk = waiting[0];
      if (asked === undefined || (chunk === undefined && !ended && this.#failure === undefined)) return;
      question = undefined;
      if (chunk !== undefined) asked.resolve({ done: false, value: waiting.shift() as Buffer });
      else if (ended) asked.resolve({ done: true, value: undefined });
      else asked.reject(this.#failure as CrossfadeError);
    };
    this.#enter({
      onData: (chunk) => {
        waiting.push(chunk);
        answer();
        if (waiting.length >= maxWaitingChunks) request.pause();
      },
      onEnd: () => {
        ended = true;
        this.#leave();
        answer();
      },
      onFailure: answer,
    });
    return {
      next: () =>
        new Promise((resolve, reject) => {
          question = { resolve, reject };
          if (waiting.length === 0 && request.isPaused()) request.resume();
          answer();
        }),
      return: async () => {
        this.discard();
        return { done: true, value: undefined };
      },
    };
  }

  #enter(reader: Reader): void {
    if (this.#begun) throw new CrossfadeError('INTERNAL', 'The body of a request was asked for twice.');
    this.#begun = true;
    const { request, response, expectsContinue } = this.#options;
    if (this.#failure !== undefined) {
      reader.onFailure(this.#failure);
      return;
    }
    this.#reader = reader;
    if (expectsContinue) response.writeContinue();
    request.on('data', this.#onData);
    request.on('end', this.#onEnd);
  }

  #leave(): void {
    if (this.#reader === undefined) return;
    const { request } = this.#options;
    this.#reader = undefined;
    request.removeListener('data', this.#onData);
    request.removeListener('end', this.#onEnd);
    // Without a listener the stream would stop in front of the end of the message.
    if (!request.complete && !request.destroyed) request.resume();
  }

  readonly #onData = (chunk: Buffer): void => this.#reader?.onData(chunk);
  readonly #onEnd = (): void => this.#reader?.onEnd();
}
