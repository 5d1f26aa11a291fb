/**
 * Cuts newline-delimited JSON into lines without copying: a line is a pair of offsets. The line feed is not part of it, a
 * carriage return before it is (JSON takes it as white space). Invariant: the lines, each followed by one line feed, and
 * `rest` are exactly the body, so how the body arrived in chunks cannot matter.
 */
import type { Slice } from '../../json/scan.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export type Lines = {
  readonly lines: readonly Slice[];
  /** Bytes after the last line feed; empty when the body ends as the server demands. */
  readonly rest: Slice;
};

export const splitLines = (body: Uint8Array): Lines => {
  const lines: Slice[] = [];
  let start = 0;
  for (let end = body.indexOf(LINE_FEED); end >= 0; end = body.indexOf(LINE_FEED, start)) {
    lines.push({ start, end });
    start = end + 1;
  }
  return { lines, rest: { start, end: body.length } };
};

/** A source line as the server reads it: one carriage return at its end is not part of the document. */
export const withoutCarriageReturn = (body: Uint8Array, { start, end }: Slice): Slice =>
  end > start && body[end - 1] === CARRIAGE_RETURN ? { start, end: end - 1 } : { start, end };
