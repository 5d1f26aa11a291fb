/**
 * Makes a document fit for one line of a bulk body without changing a value: white space around it is dropped and line
 * breaks between tokens become blanks. The server's JSON parser takes comments, and a `//` comment would swallow what
 * follows once its line break is gone, so comments are blanked. Invariant: bytes inside strings are never touched.
 */
import { oneLine } from './scan.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const STAR = 0x2a;
const SPACE = 0x20;
const LINE_FEED = 0x0a;
const OPEN_BRACE = 0x7b;

const isSpace = (byte: number | undefined): boolean =>
  byte === SPACE || byte === LINE_FEED || byte === 0x0d || byte === 0x09;

const trim = (body: Uint8Array): Uint8Array => {
  let start = 0;
  let end = body.length;
  while (start < end && isSpace(body[start])) start++;
  while (end > start && isSpace(body[end - 1])) end--;
  return body.subarray(start, end);
};

/** @returns undefined when the body is not a JSON object in UTF-8 as far as a glance can tell */
export const documentLine = (body: Uint8Array): Uint8Array | undefined => {
  const text = trim(body);
  if (!text.includes(LINE_FEED) && !text.includes(0x0d)) return opensObject(text) ? text : undefined;
  const line = oneLine(text.includes(SLASH) ? withoutComments(text) : text);
  return opensObject(line) ? line : undefined;
};

/** UTF-16 has a zero byte beside the brace; a body that begins with a comment is left to the read-back. */
const opensObject = (text: Uint8Array): boolean => text[0] === OPEN_BRACE && text[1] !== 0;

const withoutComments = (text: Uint8Array): Uint8Array => {
  let out: Uint8Array | undefined;
  for (let i = 0; i < text.length;) {
    if (text[i] === QUOTE) i = stringEnd(text, i);
    else if (text[i] === SLASH && (text[i + 1] === SLASH || text[i + 1] === STAR)) {
      const end = commentEnd(text, i);
      out ??= Uint8Array.from(text);
      out.fill(SPACE, i, end);
      i = end;
    } else i++;
  }
  return out ?? text;
};

const stringEnd = (text: Uint8Array, at: number): number => {
  let i = at + 1;
  while (i < text.length && text[i] !== QUOTE) i += text[i] === BACKSLASH ? 2 : 1;
  return i + 1;
};

const commentEnd = (text: Uint8Array, at: number): number => {
  const toLineEnd = text[at + 1] === SLASH;
  for (let i = at + 2; i < text.length; i++) {
    if (toLineEnd && text[i] === LINE_FEED) return i;
    if (!toLineEnd && text[i] === STAR && text[i + 1] === SLASH) return i + 2;
  }
  return text.length;
};
