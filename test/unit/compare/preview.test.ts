import { describe, expect, it } from 'vitest';
import { previews } from '../../../src/compare/preview.ts';

describe('the texts of a difference', () => {
  const long = (end: string) => `${'a'.repeat(100)}${end}${'z'.repeat(100)}`;

  it('are the whole values where they are short, and their beginning where that tells them apart', () => {
    expect(previews(1, 'x', 10)).toEqual({ authority: '1', other: '"x"' });
    expect(previews('abcdefghijkl', 'bbcdefghijkl', 10)).toEqual({ authority: '"abcdefgh…', other: '"bbcdefgh…' });
    expect(previews(undefined, long(''), 10)).toEqual({ other: '"aaaaaaaa…' });
  });

  it('are cut around the place where long values part, and stay within their bound', () => {
    const { authority = '', other = '' } = previews(long('b'), long('c'), 30);
    expect([authority, other]).toEqual([expect.stringMatching(/^…a+bz+…$/), expect.stringMatching(/^…a+cz+…$/)]);
    expect([authority.length, other.length]).toEqual([30, 30]);
  });

  it('differ where one value is the beginning of the other', () => {
    const { authority, other } = previews(long(''), `${long('')}!`, 30);
    expect(authority).not.toBe(other);
  });
});
