/**
 * JSON in and out of values without losing what a number says. Whole numbers beyond 2^53 become BigInt and are written
 * back digit by digit; `canonical` compares documents by meaning: key order, white space and notation of numbers do not
 * count, every digit does.
 */
type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;
/** ECMAScript's JSON.parse source text access, not yet in the library types. */
const exactJson = JSON as unknown as {
  parse(text: string, reviver?: Reviver): unknown;
  rawJSON(text: string): unknown;
};
const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

const bigWhole = /^-?\d{16,}$/;
const mayHoldBigWhole = /\d{16}/;

const keepBig: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && bigWhole.test(source)
    ? BigInt(source)
    : value;

/** A value in which whole numbers that a double would round are BigInt. */
export const parseExact = (bytes: Uint8Array): unknown => {
  const text = textOf(bytes);
  return mayHoldBigWhole.test(text) ? exactJson.parse(text, keepBig) : JSON.parse(text);
};

/** The opposite of parseExact; one line. */
export const stringifyExact = (value: unknown): string =>
  JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? exactJson.rawJSON(String(item)) : item));

/** An expression that looks for them from the front takes the square of their number. */
const withoutZerosAtEnd = (digits: string): string => {
  let end = digits.length;
  while (digits[end - 1] === '0') end--;
  return digits.slice(0, end);
};

/** `1.50e1` and `15` become the same text: sign, digits without outer zeros, power of ten. */
export const canonicalNumber = (source: string): string => {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = withoutZerosAtEnd(digits);
  if (significant === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
};

class ExactNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
const wrapNumbers: Reviver = (_key, value, { source }) =>
  typeof value === 'number' ? new ExactNumber(canonicalNumber(source ?? String(value))) : value;

const write = (value: unknown): string => {
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`).join(',')}}`;
};

/** Equal texts mean equal documents. */
export const canonical = (bytes: Uint8Array): string => write(exactJson.parse(textOf(bytes), wrapNumbers));

const childrenOf = (value: unknown): Map<string, unknown> | undefined => {
  if (value === null || typeof value !== 'object' || value instanceof ExactNumber) return undefined;
  return new Map(Object.entries(value));
};

const collect = (a: unknown, b: unknown, path: string, found: string[], limit: number): void => {
  if (found.length >= limit || write(a ?? null) === write(b ?? null)) return;
  const left = childrenOf(a);
  const right = childrenOf(b);
  if (left === undefined || right === undefined || Array.isArray(a) !== Array.isArray(b)) {
    found.push(path || '(document)');
    return;
  }
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const below = path === '' ? key : `${path}.${key}`;
    if (left.has(key) !== right.has(key)) found.push(below);
    else collect(left.get(key), right.get(key), below, found, limit);
    if (found.length >= limit) return;
  }
};

/** Paths at which two documents differ, values left out because they may be personal. */
export const differingPaths = (a: Uint8Array, b: Uint8Array, limit = 20): string[] => {
  const found: string[] = [];
  collect(exactJson.parse(textOf(a), wrapNumbers), exactJson.parse(textOf(b), wrapNumbers), '', found, limit);
  return found;
};
