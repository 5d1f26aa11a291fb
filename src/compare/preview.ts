/**
 * The bounded texts by which a difference shows the values of both sides. Values that differ never show the same text:
 * where both are long and begin alike, the texts are cut around the place where they part, so that people see it and
 * redacted texts, whose hashes are made of what is shown, stay apart.
 */
import { type Json, textOf } from './json-value.ts';

export type Previews = { authority?: string; other?: string };

const ellipsis = '…';

const cutAt = (text: string, start: number, maxChars: number): string => {
  const before = start > 0 ? ellipsis : '';
  const room = maxChars - before.length;
  return text.length - start <= room
    ? `${before}${text.slice(start)}`
    : `${before}${text.slice(start, start + room - 1)}${ellipsis}`;
};

const commonLength = (a: string, b: string): number => {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
};

/** From where to show both: from the front, unless they part behind what that shows. */
const startOf = (a: string, b: string, maxChars: number): number => {
  if (Math.max(a.length, b.length) <= maxChars) return 0;
  const common = commonLength(a, b);
  return common < maxChars - 1 ? 0 : common - Math.floor(maxChars / 3);
};

export const previews = (authority: Json | undefined, other: Json | undefined, maxChars: number): Previews => {
  const [a, b] = [authority, other].map((value) => (value === undefined ? undefined : textOf(value)));
  const start = a === undefined || b === undefined || a === b ? 0 : startOf(a, b, maxChars);
  return {
    ...(a !== undefined && { authority: cutAt(a, start, maxChars) }),
    ...(b !== undefined && { other: cutAt(b, start, maxChars) }),
  };
};
