/**
 * Percent-decoding as the server does it, which is not what `decodeURIComponent` does: `%%` is a percent sign, bytes that
 * are no valid UTF-8 become U+FFFD instead of an error, and `+` is a space in the query but not in a path.
 * A component that the server would refuse decodes to undefined: such a request is never applied by any cluster.
 */
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** @returns undefined for an escape that is cut off or not hexadecimal */
export const decodeComponent = (text: string, plusIsSpace = false): string | undefined => {
  if (!text.includes('%') && !(plusIsSpace && text.includes('+'))) return text;
  const bytes = Buffer.alloc(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    let byte = text.charCodeAt(i);
    if (byte === PERCENT) {
      if (text.charCodeAt(i + 1) === PERCENT) i += 1;
      else {
        byte = hexByte(text, i + 1);
        if (byte < 0) return undefined;
        i += 2;
      }
    } else if (byte === PLUS && plusIsSpace) byte = SPACE;
    bytes[length++] = byte;
  }
  return bytes.toString('utf8', 0, length);
};

const hexByte = (text: string, at: number): number => {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
};

/** NaN, the code past the end of a text, is no digit. */
const hexDigit = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
};
