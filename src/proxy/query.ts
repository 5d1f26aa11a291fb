/**
 * Reads and edits a raw query string by the server's own rules: `&` and `;` separate, `+` is a space, the last duplicate
 * wins, `?x` is x with an empty value (true for a flag), and everything from `#` on is ignored. An edit changes the bytes
 * of the named parameter only, so that what the application wrote reaches the cluster as it was written.
 */
import { decodeComponent } from './percent-encoding.ts';

/** One parameter as it stands in the raw text; `name` and `value` are still encoded. */
type RawParam = { readonly name: string; readonly value: string; readonly start: number; readonly end: number };

const EQUALS = 0x3d;
const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;

const lengthBeforeFragment = (raw: string): number => {
  const hash = raw.indexOf('#');
  return hash < 0 ? raw.length : hash;
};

/** Calls `visit` for each parameter in order. A part without a name, as in `?=x`, is a parameter called by its value. */
const eachRaw = (raw: string, visit: (param: RawParam) => void): void => {
  const length = lengthBeforeFragment(raw);
  let start = 0;
  let nameEnd = -1;
  let from = 0;
  for (let i = 0; i <= length; i++) {
    const code = i === length ? AMPERSAND : raw.charCodeAt(i);
    if (code === EQUALS && nameEnd < 0) {
      if (i > from) nameEnd = i;
      else from = i + 1;
    } else if (code === AMPERSAND || code === SEMICOLON) {
      if (nameEnd >= 0) visit({ name: raw.slice(from, nameEnd), value: raw.slice(nameEnd + 1, i), start, end: i });
      else if (i > from) visit({ name: raw.slice(from, i), value: '', start, end: i });
      start = i + 1;
      from = start;
      nameEnd = -1;
    }
  }
};

const decodeQuery = (text: string): string | undefined => decodeComponent(text, true);

export type ParsedQuery = {
  readonly params: ReadonlyMap<string, string>;
  /** The server refuses the whole request because of a bad escape. */
  readonly malformed: boolean;
};
const emptyQuery: ParsedQuery = { params: new Map(), malformed: false };

export const parseQuery = (raw: string): ParsedQuery => {
  if (raw === '') return emptyQuery;
  const params = new Map<string, string>();
  let malformed = false;
  eachRaw(raw, ({ name, value }) => {
    const decodedName = decodeQuery(name);
    const decodedValue = decodeQuery(value);
    if (decodedName === undefined || decodedValue === undefined) malformed = true;
    else params.set(decodedName, decodedValue);
  });
  return { params, malformed };
};

/** The decoded value in force, or undefined when the parameter is absent or cannot be decoded. */
export const getParam = (raw: string, name: string): string | undefined =>
  raw === '' ? undefined : parseQuery(raw).params.get(name);

/** A flag is on by its bare name, as on the server; undefined when it is absent or no boolean. */
export const getFlag = (raw: string, name: string): boolean | undefined => {
  const value = getParam(raw, name);
  if (value === '' || value === 'true') return true;
  return value === 'false' ? false : undefined;
};

const occurrences = (raw: string, name: string): RawParam[] => {
  const found: RawParam[] = [];
  eachRaw(raw, (param) => {
    if (decodeQuery(param.name) === name) found.push(param);
  });
  return found;
};

const encodePair = (name: string, value: string): string => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;

const append = (raw: string, pair: string): string => {
  const length = lengthBeforeFragment(raw);
  const kept = raw.slice(0, length);
  return `${kept}${kept === '' ? '' : '&'}${pair}${raw.slice(length)}`;
};

/** Replaces the occurrence in force, or appends the parameter. */
export const setParam = (raw: string, name: string, value: string): string => {
  const last = occurrences(raw, name).at(-1);
  const pair = encodePair(name, value);
  return last === undefined ? append(raw, pair) : raw.slice(0, last.start) + pair + raw.slice(last.end);
};

/** Appends the parameter unless it is there already. */
export const addParam = (raw: string, name: string, value: string): string =>
  occurrences(raw, name).length > 0 ? raw : append(raw, encodePair(name, value));

/** Removes every occurrence, each with one separator. */
export const removeParam = (raw: string, name: string): string =>
  occurrences(raw, name).reduceRight((text, { start, end }) => {
    if (end < lengthBeforeFragment(text)) return text.slice(0, start) + text.slice(end + 1);
    return text.slice(0, Math.max(0, start - 1)) + text.slice(end);
  }, raw);
