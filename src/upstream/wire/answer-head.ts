/**
 * The head of an answer, from its text to its meaning: status, headers as they came, and how the end of the body is found.
 * Refused is whatever two readers could understand differently, for a wrong end of one answer becomes the beginning of the
 * next request's answer: more than one length, a length beside chunks, a coding other than chunks, folded lines, line
 * breaks that are not CR LF.
 */
import { remembered } from './remembered.ts';
import { fieldText, token } from './syntax.ts';
import { WireError } from './wire-error.ts';

export type Framing = 'none' | 'length' | 'chunked' | 'close';
export type AnswerHead = {
  readonly status: number;
  readonly reason: string;
  /** name, value, name, value as received. */
  readonly headers: readonly string[];
  readonly framing: Framing;
  /** Bytes of the body when framed by length. */
  readonly length: number;
  /** Another request may follow on this connection. */
  readonly reusable: boolean;
  /** For how long the server keeps an idle connection, when it says so. */
  readonly keepAliveSeconds: number | undefined;
};

/** What the headers say about the connection and the body. */
type Facts = { length: number; chunked: boolean; connection: string; keepAliveSeconds: number | undefined };

const headPattern = new RegExp(`^HTTP/1\\.[01] [1-9]\\d\\d(?: ${fieldText})?(?:\\r\\n${token}:${fieldText})*$`);
const lengthPattern = /^\d{1,15}$/;
const timeoutPattern = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i;

export const invalidAnswer = (what: string): WireError => new WireError('invalid', what);

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;

/** Not `trim`, which takes more for a space than HTTP does. */
const trimmed = (text: string, start: number, end: number): string => {
  let from = start;
  let to = end;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
};

const readLength = (facts: Facts, value: string): void => {
  if (facts.length >= 0 || !lengthPattern.test(value)) throw invalidAnswer('content-length is repeated or no number');
  facts.length = Number(value);
};

const readCoding = (facts: Facts, value: string): void => {
  if (facts.chunked || value.toLowerCase() !== 'chunked') throw invalidAnswer('a transfer coding other than chunked');
  facts.chunked = true;
};

const readKeepAlive = (facts: Facts, value: string): void => {
  const seconds = timeoutPattern.exec(value)?.[1];
  if (seconds !== undefined) facts.keepAliveSeconds = Number(seconds);
};

/** By the length of the name first: most headers are none of these. */
const notice = (facts: Facts, name: string, value: string): void => {
  const size = name.length;
  if (size !== 10 && size !== 14 && size !== 17) return;
  const lower = name.toLowerCase();
  if (lower === 'content-length') readLength(facts, value);
  else if (lower === 'transfer-encoding') readCoding(facts, value);
  else if (lower === 'connection') facts.connection += `,${value}`;
  else if (lower === 'keep-alive') readKeepAlive(facts, value);
};

const readHeaders = (text: string, start: number, facts: Facts): string[] => {
  const headers: string[] = [];
  let at = start;
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const found = text.indexOf('\r\n', colon);
    const end = found < 0 ? text.length : found;
    const name = text.slice(at, colon);
    const value = trimmed(text, colon + 1, end);
    notice(facts, name, value);
    headers.push(name, value);
    at = end + 2;
  }
  return headers;
};

const isKept = (text: string, connection: string): boolean => {
  const isNewer = text.charCodeAt(7) === 0x31;
  if (connection === '') return isNewer;
  const tokens = connection.toLowerCase().split(/[,\s]+/);
  return !tokens.includes('close') && (isNewer || tokens.includes('keep-alive'));
};

const framingOf = (facts: Facts, isBodiless: boolean): Framing => {
  if (facts.chunked && facts.length >= 0) throw invalidAnswer('a content-length beside chunks');
  if (isBodiless) return 'none';
  if (facts.chunked) return 'chunked';
  return facts.length >= 0 ? 'length' : 'close';
};

const read = (text: string, isToHead: boolean): AnswerHead => {
  if (!headPattern.test(text)) throw invalidAnswer('a malformed head');
  const found = text.indexOf('\r\n');
  const end = found < 0 ? text.length : found;
  const status = Number(text.slice(9, 12));
  const facts: Facts = { length: -1, chunked: false, connection: '', keepAliveSeconds: undefined };
  const headers = readHeaders(text, end + 2, facts);
  const isWithoutContent = status < 200 || status === 204 || status === 304;
  const framing = framingOf(facts, isWithoutContent || isToHead);
  // A body may have been sent where none may be.
  const isDoubtful = isWithoutContent && !isToHead && (facts.length > 0 || facts.chunked);
  // Chunks are not of HTTP/1.0: who sends them may mean them otherwise.
  const isOdd = facts.chunked && text.charCodeAt(7) === 0x30;
  return {
    status,
    reason: text.slice(13, end),
    headers,
    framing,
    length: facts.length,
    reusable: framing !== 'close' && !isDoubtful && !isOdd && isKept(text, facts.connection),
    keepAliveSeconds: facts.keepAliveSeconds,
  };
};

const readToHead = remembered((text) => read(text, true));
const readToOther = remembered((text) => read(text, false));

/**
 * `text`: the head without the empty line that ends it. `method`: of the request that it answers.
 * @throws WireError invalid
 */
export const readAnswerHead = (text: string, method: string): AnswerHead =>
  method === 'HEAD' ? readToHead(text) : readToOther(text);
