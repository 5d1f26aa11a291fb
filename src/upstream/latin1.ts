/**
 * Bytes of a header or body as a string of the same bytes. `toString('latin1')` does this too, behind a choice of encodings
 * that shows in the cost of a request; the method it ends in has been part of Buffer since its beginning.
 */
type Latin1 = { latin1Slice(): string };

export const latin1 = (bytes: Buffer): string => (bytes as Buffer & Latin1).latin1Slice();
