/**
 * A streamed request body that can be taken back. A connection asks for chunk after chunk; when the exchange ends early, the
 * question that is open must be refused at once: left alone it would hold the client's stream, and answered with "no
 * more" it could make a cut body look complete to the cluster.
 */
export class PulledBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #body: AsyncIterable<Uint8Array>;
  #source: AsyncIterator<Uint8Array> | undefined;
  #refuse: ((reason: Error) => void) | undefined;
  #ended = false;
  #cancelled: Error | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#body = body;
  }

  [Symbol.asyncIterator](): this {
    this.#source ??= this.#body[Symbol.asyncIterator]();
    return this;
  }

  /** The source has given all that it has. */
  get ended(): boolean {
    return this.#ended;
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#cancelled !== undefined) return Promise.reject(this.#cancelled);
    const source = this[Symbol.asyncIterator]().#source as AsyncIterator<Uint8Array>;
    return new Promise((resolve, reject) => {
      this.#refuse = reject;
      source.next().then((result) => {
        this.#ended = result.done === true;
        if (result.done) resolve({ done: true, value: undefined });
        else resolve(result);
      }, reject);
    });
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.cancel();
    return { done: true, value: undefined };
  }

  /** Lets go of the source; harmless after the end. */
  cancel(): void {
    if (this.#cancelled !== undefined || this.#ended) return;
    this.#cancelled = new Error('the request was given up before its body was complete');
    this.#refuse?.(this.#cancelled);
    // One that nobody has asked for is left alone: to begin it would ask the client for it (100 Continue). What a source
    // says to being stopped is of no use to anybody.
    this.#source?.return?.().catch(() => undefined);
  }
}
