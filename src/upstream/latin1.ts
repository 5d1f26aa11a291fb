/**
 * Bytes of a header or body as a string of the same bytes, and back. `toString('latin1')` and `write` do this too, behind a
 * choice of encodings that shows in the cost of a request; the methods they end in have been part of Buffer since its
 * beginning.
 */
type Latin1 = {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset: number): number;
};

export const latin1 = (bytes: Buffer, start?: number, end?: number): string =>
  (bytes as Buffer & Latin1).latin1Slice(start, end);

/** Each character of `text` must be below 256. Returns the number of bytes. */
export const writeLatin1 = (bytes: Buffer, text: string): number => (bytes as Buffer & Latin1).latin1Write(text, 0);
