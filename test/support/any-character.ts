/** Any character of Unicode, surrogate halves left out: as fast-check's `binary` unit, which takes a second to set up. */
import fc from 'fast-check';

const surrogates = { first: 0xd800, count: 0x800 };

export const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - surrogates.count })
  .map((nth) => String.fromCodePoint(nth < surrogates.first ? nth : nth + surrogates.count));
