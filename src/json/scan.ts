/**
 * Walks JSON bytes without building values, so that documents pass through byte for byte: `JSON.parse` would turn 1.0
 * into 1 and round 64-bit integers, and a copy must equal what the authority stored. Input is trusted to be valid JSON
 * (it comes from a cluster, or was checked by one); malformed input throws SyntaxError rather than loop. Comments, which
 * clusters accept and keep in documents, are gone over inside of a value; beside one they are malformed.
 * Offsets are byte offsets into the buffer given.
 */
export type Slice = { start: number; end: number };
export type Edit = Slice & { text: string | Uint8Array };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const fail = (at: number): never => {
  throw new SyntaxError(`malformed JSON at byte ${at}`);
};

/** First byte at or after `at` that is not white space. */
export const skipSpace = (buf: Uint8Array, at: number): number => {
  let i = at;
  while (i < buf.length && (buf[i] === 0x20 || buf[i] === 0x0a || buf[i] === 0x0d || buf[i] === 0x09)) i++;
  return i;
};

/** Up to here a string is searched byte by byte: most are short, where a call into the native search costs more. */
const nativeSearchBytes = 64;

/** `at` is the opening quote; returns the position after the closing one. */
export const skipString = (buf: Uint8Array, at: number): number => {
  const near = Math.min(buf.length, at + 1 + nativeSearchBytes);
  for (let i = at + 1; i < near; i++) {
    const c = buf[i];
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) i++;
  }
  return skipLongString(buf, at);
};

const skipLongString = (buf: Uint8Array, at: number): number => {
  for (let i = at + 1; ; i++) {
    i = buf.indexOf(QUOTE, i);
    if (i < 0) return fail(at);
    let slashes = 0;
    while (buf[i - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return i + 1;
  }
};

/** `at` is a slash outside of strings; the position after the comment, whose line break is part of the document. */
const skipComment = (buf: Uint8Array, at: number): number => {
  const end = commentEnd(buf, at);
  return end === undefined ? fail(at) : end;
};

/** Where the comment ends that begins at `at`; undefined when none does, or it has no end. */
export const commentEnd = (buf: Uint8Array, at: number): number | undefined => {
  const kind = buf[at + 1];
  if (kind !== 0x2f && kind !== 0x2a) return undefined;
  for (let i = at + 2; i < buf.length; i++) {
    if (kind === 0x2f && (buf[i] === 0x0a || buf[i] === 0x0d)) return i;
    if (kind === 0x2a && buf[i] === 0x2a && buf[i + 1] === 0x2f) return i + 2;
  }
  return undefined;
};

const skipContainer = (buf: Uint8Array, at: number): number => {
  let depth = 0;
  for (let i = at; i < buf.length; i++) {
    switch (buf[i]) {
      case QUOTE:
        i = skipString(buf, i) - 1;
        break;
      case 0x2f:
        i = skipComment(buf, i) - 1;
        break;
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        if (--depth === 0) return i + 1;
    }
  }
  return fail(at);
};

/** Position after the value that starts at `at` (no leading white space). */
export const skipValue = (buf: Uint8Array, at: number): number => {
  const c = buf[at];
  if (c === QUOTE) return skipString(buf, at);
  if (c === 0x7b || c === 0x5b) return skipContainer(buf, at);
  let i = at;
  for (; i < buf.length; i++) {
    const d = buf[i];
    if (d === 0x2c || d === 0x7d || d === 0x5d || d === 0x20 || d === 0x0a || d === 0x0d || d === 0x09) break;
  }
  return i === at ? fail(at) : i;
};

/** Value of a slice: only for small scalars and small objects. */
export const parseSlice = (buf: Uint8Array, { start, end }: Slice): unknown =>
  JSON.parse(Buffer.from(buf.buffer, buf.byteOffset + start, end - start).toString('utf8'));

/** Raw text of a slice, for numbers that JavaScript cannot hold. */
export const rawOf = (buf: Uint8Array, { start, end }: Slice): string =>
  Buffer.isBuffer(buf)
    ? buf.toString('utf8', start, end)
    : Buffer.from(buf.buffer, buf.byteOffset + start, end - start).toString('utf8');

/** Text of a scalar as the server takes it; undefined for null and for what is no scalar. */
export const textOf = (buf: Uint8Array, slice: Slice | undefined): string | undefined => {
  if (slice === undefined) return undefined;
  const raw = rawOf(buf, slice);
  if (raw.startsWith('"')) return parseSlice(buf, slice) as string;
  return raw === 'null' || raw.startsWith('{') || raw.startsWith('[') ? undefined : raw;
};

const ZERO = 0x30;
/** So many digits are a safe integer whatever they are. */
const safeDigits = 15;

/** Number of a slice; plain counts, which most are, without making a string. */
export const numberOf = (buf: Uint8Array, slice: Slice): number => {
  if (slice.end - slice.start > safeDigits) return Number(rawOf(buf, slice));
  let value = 0;
  for (let i = slice.start; i < slice.end; i++) {
    const digit = (buf[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number(rawOf(buf, slice));
    value = value * 10 + digit;
  }
  return value;
};

/**
 * What a walk made of a value: its end when it went through it itself, undefined to have it skipped, `stop` to end there.
 */
export type Walked = number | undefined | { stop: number };

/** Calls `walk(keySlice, start of value)` for each member of the object at `at`, each byte looked at once. Returns the end. */
export const walkMembers = (buf: Uint8Array, at: number, walk: (keySlice: Slice, start: number) => Walked): number => {
  let i = skipSpace(buf, at);
  if (buf[i] !== 0x7b) return fail(i);
  i = skipSpace(buf, i + 1);
  while (buf[i] !== 0x7d) {
    if (buf[i] !== QUOTE) return fail(i);
    const keySlice = { start: i, end: skipString(buf, i) };
    i = skipSpace(buf, keySlice.end);
    if (buf[i] !== 0x3a) return fail(i);
    const start = skipSpace(buf, i + 1);
    const walked = walk(keySlice, start);
    if (typeof walked === 'object') return walked.stop;
    i = skipSpace(buf, walked ?? skipValue(buf, start));
    if (buf[i] === 0x2c) i = skipSpace(buf, i + 1);
    else if (buf[i] !== 0x7d) return fail(i);
  }
  return i + 1;
};

/** Calls `visit(key, value, keySlice)` for each member of the object at `at`; returning false stops. Returns the end. */
export const eachMember = (
  buf: Uint8Array,
  at: number,
  visit: (key: string, value: Slice, keySlice: Slice) => unknown,
): number =>
  walkMembers(buf, at, (keySlice, start) => {
    const end = skipValue(buf, start);
    return visit(keyText(buf, keySlice), { start, end }, keySlice) === false ? { stop: end } : end;
  });

/** Is the key in `keySlice` this one? For keys of plain ASCII, compared without making a string. */
export const isKey = (buf: Uint8Array, { start, end }: Slice, key: string): boolean => {
  if (end - start - 2 !== key.length) return false;
  for (let i = 0; i < key.length; i++) if (buf[start + 1 + i] !== key.charCodeAt(i)) return false;
  return true;
};

const keyText = (buf: Uint8Array, slice: Slice): string => {
  const raw = rawOf(buf, { start: slice.start + 1, end: slice.end - 1 });
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
};

/** Calls `walk(start, i)` for each element of the array at `at`, each byte looked at once. Returns the end. */
export const walkElements = (buf: Uint8Array, at: number, walk: (start: number, i: number) => Walked): number => {
  let i = skipSpace(buf, at);
  if (buf[i] !== 0x5b) return fail(i);
  i = skipSpace(buf, i + 1);
  for (let n = 0; buf[i] !== 0x5d; n++) {
    const walked = walk(i, n);
    if (typeof walked === 'object') return walked.stop;
    i = skipSpace(buf, walked ?? skipValue(buf, i));
    if (buf[i] === 0x2c) i = skipSpace(buf, i + 1);
    else if (buf[i] !== 0x5d) return fail(i);
  }
  return i + 1;
};

/** Calls `visit(slice, i)` for each element of the array at `at`; returning false stops. Returns the end. */
export const eachElement = (buf: Uint8Array, at: number, visit: (value: Slice, i: number) => unknown): number =>
  walkElements(buf, at, (start, i) => {
    const end = skipValue(buf, start);
    return visit({ start, end }, i) === false ? { stop: end } : end;
  });

/** Slices of the named members of the object at `at`; the last duplicate wins, as in JSON.parse. */
export const members = <K extends string>(
  buf: Uint8Array,
  at: number,
  names: readonly K[],
): Partial<Record<K, Slice>> => {
  const found: Partial<Record<K, Slice>> = {};
  eachMember(buf, at, (key, value) => {
    if ((names as readonly string[]).includes(key)) found[key as K] = value;
  });
  return found;
};

/**
 * What to cut to take the members that `goes` names out of the object at `at`: each with the comma before it, or the one after
 * it when it comes first. In ascending order; `left` = members that stay.
 */
export const memberCuts = (
  buf: Uint8Array,
  at: number,
  goes: (key: string) => boolean,
): { cuts: Slice[]; left: number } => {
  const all: (Slice & { goes: boolean })[] = [];
  eachMember(buf, at, (key, { end }, { start }) => {
    all.push({ start, end, goes: goes(key) });
  });
  let before: number | undefined;
  const cuts = all.flatMap(({ start, end, goes: isCut }, i) => {
    const cut = before === undefined ? { start, end: all[i + 1]?.start ?? end } : { start: before, end };
    if (!isCut || before !== undefined) before = end;
    return isCut ? [cut] : [];
  });
  return { cuts, left: all.length - cuts.length };
};

/** Applies edits (in ascending, non-overlapping order) and returns new bytes; everything else is kept as it was. */
export const applyEdits = (buf: Uint8Array, edits: readonly Edit[]): Buffer => {
  if (edits.length === 0) return Buffer.from(buf.buffer, buf.byteOffset, buf.byteLength);
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const edit of edits) {
    parts.push(buf.subarray(at, edit.start), typeof edit.text === 'string' ? Buffer.from(edit.text) : edit.text);
    at = edit.end;
  }
  parts.push(buf.subarray(at));
  return Buffer.concat(parts);
};

/** A JSON value on one line: raw line breaks can only stand between tokens, so blanks may replace them. */
export const oneLine = (buf: Uint8Array): Uint8Array => {
  if (!buf.includes(0x0a) && !buf.includes(0x0d)) return buf;
  const out = Uint8Array.from(buf);
  for (let i = 0; i < out.length; i++) if (out[i] === 0x0a || out[i] === 0x0d) out[i] = 0x20;
  return out;
};
