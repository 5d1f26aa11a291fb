/**
 * The head of a request as it goes on the wire: request line, Host and headers, and by which line the end of the body is
 * told. Strict to the last character, because what arrives here may be a client's: nothing in it can begin a second line
 * or a second request, and no header can contradict the framing that is made here.
 */
import type { HeaderPairs } from '../header-pairs.ts';
import { fieldText, token } from './syntax.ts';
import { WireError } from './wire-error.ts';

export type RequestHead = {
  method: string;
  path: string;
  /** The lines that are the same for each request of one URL. */
  fixedLines: string;
  /** End-to-end headers only. */
  headers: HeaderPairs;
};

const methodPattern = new RegExp(`^${token}$`);
const pathPattern = /^\/[\x21-\xff]*$/;
/** Names that belong to the connection or to the framing are made here and nowhere else. */
const namePattern = new RegExp(
  `^(?!(?:host|connection|keep-alive|content-length|transfer-encoding|upgrade|expect)$)${token}$`,
  'i',
);
const valuePattern = new RegExp(`^${fieldText}$`);

const refuse = (what: string): never => {
  throw new WireError('refused', what);
};

/** `host` with its port unless that is the default. */
export const fixedLinesOf = (host: string): string => `host: ${host}\r\nconnection: keep-alive\r\n`;

/** Each line with its end; the line about the body's length and the empty line are still to come. */
export const requestHead = ({ method, path, fixedLines, headers }: RequestHead): string => {
  if (!methodPattern.test(method)) refuse('invalid request method');
  if (!pathPattern.test(path)) refuse('invalid request path');
  let text = `${method} ${path} HTTP/1.1\r\n${fixedLines}`;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (!namePattern.test(name)) refuse('invalid header name');
    if (!valuePattern.test(value)) refuse(`invalid ${name} header`);
    text += `${name}: ${value}\r\n`;
  }
  return text;
};

/** Methods whose missing body a server may wait for, unless told that it is empty. */
const expectsBody = (method: string): boolean =>
  method === 'POST' ||
  method === 'PUT' ||
  method === 'PATCH' ||
  method === 'QUERY' ||
  method === 'PROPFIND' ||
  method === 'PROPPATCH';

/** The end of a head whose body has `byteLength` bytes. */
export const lengthLines = (method: string, byteLength: number): string =>
  byteLength > 0 || expectsBody(method) ? `content-length: ${byteLength}\r\n\r\n` : '\r\n';

/** The end of a head whose body comes in chunks. */
export const chunkedLines = 'transfer-encoding: chunked\r\n\r\n';
