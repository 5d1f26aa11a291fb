/**
 * Recognises the requests that practically every client of OpenSearch sends: one whole request in the bytes at hand, in
 * HTTP/1.1 origin form, each header once, a counted body or none, on a connection that is kept. What it accepts it reads
 * as any reader by the letter of RFC 9112 would; whatever else the bytes are, it has no opinion: node:http reads those,
 * and refuses what is to be refused. So nothing is ever refused here, and nothing doubtful is ever accepted. Pure.
 */
import { latin1 } from '../../upstream/latin1.ts';
import { remembered } from '../../upstream/wire/remembered.ts';
import { token } from '../../upstream/wire/syntax.ts';
import { admit } from '../admission.ts';
import { splitTarget } from '../request-target.ts';

export type SimpleRequest = {
  readonly method: string;
  readonly target: { readonly path: string; readonly query: string };
  /** All pairs as received. */
  readonly rawHeaders: readonly string[];
  /** End-to-end pairs. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Bytes of head and body. */
  readonly bytes: number;
};
/** A number: it may become one, and so many bytes are needed before more can be said. `other`: it is not one, whatever follows. */
export type Recognised = SimpleRequest | number | 'other';

export type SimpleBounds = { readonly maxHeaderBytes: number; readonly maxBodyBytes: number };

const blankLine = Buffer.from('\r\n\r\n');
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
const longestMethod = 'OPTIONS '.length;
// Each of these looks at a byte once: no text can make them slow.
const requestLine = new RegExp(`(${methods.join('|')}) (/[!-~]*) HTTP/1\\.1\r\n`, 'y');
const headerLine = new RegExp(`(${token}):([\\t -~]*)\\r\\n`, 'y');

/** Headers that change how the connection goes on, or need an answer before the body. */
const isBeyond = (name: string, value: string): boolean => {
  switch (name) {
    case 'connection':
      return value.toLowerCase() !== 'keep-alive';
    case 'transfer-encoding':
    case 'upgrade':
    case 'expect':
    case 'proxy-connection':
      return true;
    default:
      return false;
  }
};

/** Could these first bytes be the start of a request line? */
const mayBegin = (bytes: Buffer): boolean => {
  const start = latin1(bytes, 0, Math.min(bytes.length, longestMethod));
  return methods.some((method) => start.startsWith(`${method} `) || method.startsWith(start));
};

/** undefined: not simple. `text` ends with the CRLF of the last header. */
const headerPairs = (text: string): string[] | undefined => {
  const pairs: string[] = [];
  const names: string[] = [];
  for (let at = 0; at < text.length; at = headerLine.lastIndex) {
    headerLine.lastIndex = at;
    const [, name, spaced] = headerLine.exec(text) ?? [];
    if (name === undefined || spaced === undefined) return undefined;
    const lower = name.toLowerCase();
    const value = spaced.trim();
    if (names.includes(lower) || isBeyond(lower, value)) return undefined;
    names.push(lower);
    pairs.push(name, value);
  }
  return pairs;
};

type SimpleHeaders = Pick<SimpleRequest, 'rawHeaders' | 'headers'> & { readonly bodyLength: number };

const readHeaders = (text: string): SimpleHeaders | 'other' => {
  const rawHeaders = headerPairs(text);
  if (rawHeaders === undefined) return 'other';
  // Admission refuses no method and no target that a simple request can have.
  const admitted = admit(
    { method: 'GET', url: '/', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders },
    () => false,
  );
  const bodyLength = admitted instanceof Error ? undefined : admitted.framing.bodyLength;
  return admitted instanceof Error || bodyLength === undefined
    ? 'other'
    : { rawHeaders, headers: admitted.headers, bodyLength };
};

const headersOf = remembered(readHeaders);

type SimpleHead = { readonly method: string; readonly url: string; readonly rest: SimpleHeaders };

const readHead = (text: string): SimpleHead | undefined => {
  requestLine.lastIndex = 0;
  const [line = '', method = '', url = ''] = requestLine.exec(text) ?? [];
  const rest = line === '' ? 'other' : headersOf(text, line.length);
  return rest === 'other' ? undefined : { method, url, rest };
};

export const recogniseRequest = (bytes: Buffer, { maxHeaderBytes, maxBodyBytes }: SimpleBounds): Recognised => {
  const end = bytes.indexOf(blankLine);
  if (end < 0) return bytes.length <= maxHeaderBytes && mayBegin(bytes) ? bytes.length + 1 : 'other';
  if (end > maxHeaderBytes) return 'other';
  const head = readHead(latin1(bytes, 0, end + 2));
  if (head === undefined || head.rest.bodyLength > maxBodyBytes) return 'other';
  const { rawHeaders, headers, bodyLength } = head.rest;
  const start = end + blankLine.length;
  const after = start + bodyLength;
  if (bytes.length < after) return after;
  const target = splitTarget(head.url);
  return { method: head.method, target, rawHeaders, headers, body: bytes.subarray(start, after), bytes: after };
};
