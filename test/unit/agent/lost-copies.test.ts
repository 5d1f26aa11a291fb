import { describe, expect, it } from 'vitest';
import { LostCopies } from '../../../src/agent/lost-copies.ts';

const small = () => new LostCopies({ maxDocs: 2, forgottenMs: 1000, leftMs: 100 });

describe('a document whose copy was lost', () => {
  it('is one until a copy arrives that is as new', () => {
    const copies = small();
    copies.lost('a', 5n, 0);
    copies.lost('a', 3n, 0);
    copies.arrived('a', 4n);
    expect([copies.has('a', 9e9), copies.has('b', 9e9)]).toEqual([true, false]);
    copies.arrived('a', 5n);
    expect(copies.has('a', 0)).toBe(false);
  });

  it('stands for every document for a while when it had to be forgotten', () => {
    const copies = small();
    for (const key of ['a', 'b', 'c']) copies.lost(key, 1n, 0);
    expect([copies.has('a', 999), copies.has('z', 999)]).toEqual([true, true]);
    expect([copies.has('a', 1000), copies.has('c', 1000)]).toEqual([false, true]);
  });

  it('may be any for a while when it was left to the tail by choice', () => {
    const copies = small();
    copies.leftByChoice(0);
    expect([copies.has('a', 99), copies.has('a', 100)]).toEqual([true, false]);
  });

  it('is none any more when copies begin anew', () => {
    const copies = small();
    copies.leftByChoice(0);
    copies.lost('a', 1n, 0);
    copies.clear();
    expect(copies.has('a', 0)).toBe(false);
  });
});
