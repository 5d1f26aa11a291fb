/**
 * JSON values as the comparators see them: parsed once, equal whatever the order of keys or the spelling of a number
 * (1, 1.0, 1e0). Integers that a double cannot hold become bigint, so that two ids beyond 2^53 which JavaScript would
 * round to one number still differ.
 */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

/** An integer that may leave the range of exact ones; a match inside a string only costs time. */
const longInteger = /[:[,\s]-?(?:\d{17}|9\d{15})/;
const wholeNumber = /^-?\d{16,}$/;

/** `context` is absent before Node 21: there, such integers compare as rounded doubles. */
const exactIntegers = (_key: string, value: unknown, context?: { source?: string }): unknown => {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && wholeNumber.test(source) ? BigInt(source) : value;
};

export const parseText = (text: string): Json | undefined => {
  try {
    return (longInteger.test(text) ? JSON.parse(text, exactIntegers) : JSON.parse(text)) as Json;
  } catch {
    return undefined;
  }
};

/** Undefined when the bytes are not JSON (another format, or empty). */
export const parseBody = (body: Uint8Array): Json | undefined =>
  body.length === 0
    ? undefined
    : parseText(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Own member, or undefined: names in answers are data, and may be `constructor`. */
export const member = (value: Json | undefined, name: string): Json | undefined =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;

export const objectMember = (value: Json | undefined, name: string): JsonObject | undefined => {
  const found = member(value, name);
  return isObject(found) ? found : undefined;
};

export const arrayMember = (value: Json | undefined, name: string): Json[] | undefined => {
  const found = member(value, name);
  return Array.isArray(found) ? found : undefined;
};

export const numberMember = (value: Json | undefined, name: string): number | undefined => {
  const found = member(value, name);
  return typeof found === 'number' ? found : typeof found === 'bigint' ? Number(found) : undefined;
};

export const stringMember = (value: Json | undefined, name: string): string | undefined => {
  const found = member(value, name);
  return typeof found === 'string' ? found : undefined;
};

export const mapMembers = (value: JsonObject, map: (item: Json, name: string) => Json): JsonObject =>
  Object.fromEntries(Object.entries(value).map(([name, item]) => [name, map(item, name)]));

/** The value at a dotted path; a literal dotted key beats descent, as documents may hold either form. */
export const valueAt = (value: Json | undefined, path: string): Json | undefined => {
  const whole = member(value, path);
  if (whole !== undefined) return whole;
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const head = member(value, path.slice(0, dot));
    const found = head === undefined ? undefined : valueAt(head, path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
};

const sameList = (a: readonly Json[], b: readonly Json[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameValue(a[i]!, b[i]!)) return false;
  return true;
};

const sameObject = (a: JsonObject, b: JsonObject): boolean => {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) if (!Object.hasOwn(b, key) || !sameValue(a[key]!, b[key]!)) return false;
  return true;
};

export const sameValue = (a: Json, b: Json): boolean => {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && sameList(a, b);
  return !Array.isArray(b) && sameObject(a, b);
};

/** Within the larger of both bounds; infinities and NaN are near only to themselves. */
export const isNear = (a: number, b: number, relative: number, absolute = 0): boolean =>
  Object.is(a, b) || Math.abs(a - b) <= Math.max(absolute, relative * Math.max(Math.abs(a), Math.abs(b)));

const printable = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);

/** JSON text for people and hashes; bigints as decimal strings. Few values have one, and a replacer is slow. */
export const textOf = (value: Json): string => {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, printable);
  }
};

/** One text for all spellings of a value: keys sorted. */
export const canonicalText = (value: Json): string => {
  if (typeof value !== 'object' || value === null) return textOf(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalText(value[key]!)}`);
  return `{${members.join(',')}}`;
};
