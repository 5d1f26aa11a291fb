/**
 * Pure: how much memory do documents keep alive that are views into larger buffers? One document of a bulk keeps the whole
 * body. Invariant: each buffer counts once, from the first document in it to the last.
 */
export class HeldBuffers {
  readonly #documents = new Map<ArrayBufferLike, number>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }
  /** By how much `bytes` would grow. */
  growth({ buffer }: Uint8Array): number {
    return this.#documents.has(buffer) ? 0 : buffer.byteLength;
  }
  hold({ buffer }: Uint8Array): void {
    const held = this.#documents.get(buffer) ?? 0;
    if (held === 0) this.#bytes += buffer.byteLength;
    this.#documents.set(buffer, held + 1);
  }
  release({ buffer }: Uint8Array): void {
    const left = (this.#documents.get(buffer) ?? 0) - 1;
    if (left > 0) this.#documents.set(buffer, left);
    else if (this.#documents.delete(buffer)) this.#bytes -= buffer.byteLength;
  }
}
