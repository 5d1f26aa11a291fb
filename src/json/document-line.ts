/**
 * Makes a document fit for one line of a bulk body without changing a value: white space around it is dropped and line
 * breaks between tokens become blanks. The server's JSON parser takes comments and a byte order mark, and keeps both in
 * `_source`, where they spoil every answer that shows the document: they are left out, so a copy is clean.
 * Invariant: bytes inside strings are never touched.
 */
import { commentEnd, oneLine, skipString } from './scan.ts';

const QUOTE = 0x22;
const SLASH = 0x2f;
const STAR = 0x2a;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const byteOrderMark = [0xef, 0xbb, 0xbf];

const isSpace = (byte: number | undefined): boolean =>
  byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;

const trim = (body: Uint8Array): Uint8Array => {
  let start = byteOrderMark.every((byte, i) => body[i] === byte) ? byteOrderMark.length : 0;
  let end = body.length;
  while (start < end && isSpace(body[start])) start++;
  while (end > start && isSpace(body[end - 1])) end--;
  return body.subarray(start, end);
};

/** @returns undefined when the body is not a JSON object in UTF-8 as far as a glance can tell */
export const documentLine = (body: Uint8Array): Uint8Array | undefined => {
  const text = trim(body);
  if (!opensObject(text)) return undefined;
  return oneLine(mayHoldComment(text) ? trim(withoutComments(text)) : text);
};

/** UTF-16 and UTF-32 have a zero byte beside the brace. */
const opensObject = (text: Uint8Array): boolean => text[0] === OPEN_BRACE && text[1] !== 0;

const mayHoldComment = (text: Uint8Array): boolean => {
  for (let at = text.indexOf(SLASH); at >= 0; at = text.indexOf(SLASH, at + 1))
    if (text[at + 1] === SLASH || text[at + 1] === STAR) return true;
  return false;
};

const withoutComments = (text: Uint8Array): Uint8Array => {
  let out: Uint8Array | undefined;
  for (let i = 0; i < text.length;) {
    if (text[i] === QUOTE) i = stringEnd(text, i);
    else if (text[i] === SLASH) {
      const end = commentEnd(text, i) ?? text.length;
      out ??= Uint8Array.from(text);
      out.fill(SPACE, i, end);
      i = end;
    } else i++;
  }
  return out ?? text;
};

/** A string without an end is none of a document; the cluster will say so. */
const stringEnd = (text: Uint8Array, at: number): number => {
  try {
    return skipString(text, at);
  } catch {
    return text.length;
  }
};
