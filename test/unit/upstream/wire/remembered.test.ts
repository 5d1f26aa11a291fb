/** What is remembered is what would be read anew, and little of it is kept. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { remembered } from '../../../../src/upstream/wire/remembered.ts';

const counted = () => {
  const read: string[] = [];
  const of = remembered((text) => {
    read.push(text);
    if (text.endsWith('!')) throw new TypeError(text);
    return { text };
  });
  return { of, read };
};
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `text ${i}`);

describe('what is remembered', () => {
  it('is what would be read anew, whatever was asked for before', () => {
    const { of } = counted();
    const word = fc.constantFrom('', 'a', 'b', 'ab', 'x'.repeat(3000), ...numbered(300));
    fc.assert(
      fc.property(word, word, (before, text) => {
        expect(of(before + text, before.length)).toEqual({ text });
      }),
      { numRuns: 1000 },
    );
  });

  it('is read once while it is asked for again and again', () => {
    const { of, read } = counted();
    const first = of('often');
    for (const text of numbered(1000)) {
      of(text);
      expect(of('often')).toBe(first);
    }
    expect(read.filter((text) => text === 'often')).toHaveLength(1);
  });

  it('is forgotten when it is not asked for any more', () => {
    const { of, read } = counted();
    of('once');
    numbered(1000).forEach((text) => of(text));
    of('once');
    expect(read.filter((text) => text === 'once')).toHaveLength(2);
  });

  it('is nothing long, nor a part of it', () => {
    const { of, read } = counted();
    const long = `${'x'.repeat(3000)}end`;
    expect([of(long, 3000), of(long, 3000)]).toEqual([{ text: 'end' }, { text: 'end' }]);
    expect(read).toEqual(['end', 'end']);
  });

  it('is no failure: what cannot be read fails each time', () => {
    const { of, read } = counted();
    expect(() => of('no!')).toThrow('no!');
    expect(() => of('no!')).toThrow('no!');
    expect(read).toHaveLength(2);
  });
});
