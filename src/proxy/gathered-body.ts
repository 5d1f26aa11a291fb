/**
 * Pure: a body put together from its chunks. One of a known length goes straight into the memory that it will fill, so that
 * it never lies there twice; that memory grows with what has come, for a length alone must not reserve any. One of an
 * unknown length is joined at its end.
 */

/** All of it once a 256th has come; before, room for so little that growing never copies more than a sixteenth. */
const reservedBytes = (bytes: number, length: number): number => (bytes * 256 >= length ? length : bytes * 16);

export class GatheredBody {
  readonly #length: number | undefined;
  readonly #chunks: Buffer[] = [];
  #place: Buffer = Buffer.alloc(0);
  #bytes = 0;

  /** `length` as declared; whoever declares it sends no more. */
  constructor(length: number | undefined) {
    this.#length = length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The chunk is kept where nothing is gained by copying it. */
  add(chunk: Buffer): void {
    const at = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#length === undefined) this.#chunks.push(chunk);
    else if (chunk.length === this.#length) this.#place = chunk;
    else this.#put(chunk, at, this.#length);
  }

  /** Once all has come. */
  whole(): Buffer {
    if (this.#length !== undefined) return this.#place;
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#bytes);
  }

  #put(chunk: Buffer, at: number, length: number): void {
    if (this.#bytes > this.#place.length) {
      const grown = Buffer.allocUnsafe(reservedBytes(this.#bytes, length));
      this.#place.copy(grown, 0, 0, at);
      this.#place = grown;
    }
    chunk.copy(this.#place, at);
  }
}
