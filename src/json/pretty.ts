/**
 * Prints JSON bytes the way clusters answer `?pretty`: two blanks a level, ` : ` between key and value, `{ }` and `[ ]`
 * where nothing is inside, one line break at the end. Numbers and strings keep their bytes. What is printed so already
 * stays as it is.
 */
import { eachElement, eachMember, rawOf, type Slice, skipSpace, skipValue } from './scan.ts';

const container = (parts: readonly string[], [open, close]: readonly [string, string], indent: string): string =>
  parts.length === 0
    ? `${open} ${close}`
    : `${open}\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}${close}`;

const print = (buf: Uint8Array, value: Slice, indent: string): string => {
  const parts: string[] = [];
  const below = `${indent}  `;
  switch (buf[value.start]) {
    case 0x7b:
      eachMember(buf, value.start, (_key, member, key) => {
        parts.push(`${rawOf(buf, key)} : ${print(buf, member, below)}`);
      });
      return container(parts, ['{', '}'], indent);
    case 0x5b:
      eachElement(buf, value.start, (element) => {
        parts.push(print(buf, element, below));
      });
      return container(parts, ['[', ']'], indent);
    default:
      return rawOf(buf, value);
  }
};

/** @throws SyntaxError when it is no JSON */
export const prettyJson = (body: Uint8Array): Buffer => {
  const start = skipSpace(body, 0);
  return Buffer.from(`${print(body, { start, end: skipValue(body, start) }, '')}\n`);
};
