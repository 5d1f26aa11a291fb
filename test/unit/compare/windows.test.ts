import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldWindows, spanSlots, type Window } from '../../../src/compare/windows.ts';

const add = (a: number, b: number): number => a + b;
const fold = (windows: readonly Window<number>[]) => foldWindows(windows, add);
/** One comparison in each slot, folded whenever a new slot begins, as a member does. */
const counted = (from: number, to: number): Window<number>[] => {
  let windows: Window<number>[] = [];
  for (let slot = from; slot <= to; slot++) windows = fold([...windows, { slot, counters: 1 }]);
  return windows;
};
const total = (windows: readonly Window<number>[]): number => windows.reduce((sum, { counters }) => sum + counters, 0);

describe('windows of time', () => {
  it('are short where something may just have begun, and longer the further they lie back', () => {
    expect(counted(0, 40).map(({ slot, counters }) => [slot, counters])).toEqual([
      [0, 16],
      [16, 8],
      [24, 8],
      [32, 4],
      [36, 2],
      [38, 1],
      [39, 1],
      [40, 1],
    ]);
  });

  it('cover the whole span with a few of them, and nothing much older', () => {
    fc.assert(
      fc.property(fc.nat(5000), (from) => {
        const windows = counted(from, from + 4000);
        expect(windows.length).toBeLessThanOrEqual(24);
        expect(total(windows)).toBeGreaterThan(spanSlots - 256);
        expect(total(windows)).toBeLessThanOrEqual(spanSlots);
      }),
      { numRuns: 10 },
    );
  });

  it('add up to the same whoever joined which of them first', () => {
    const slots = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(slots, slots, (mine, yours) => {
        const one = (all: readonly number[]) => all.map((slot) => ({ slot, counters: 1 }));
        const stepwise = (all: readonly number[]) =>
          all.toSorted((a, b) => a - b).reduce((known, slot) => fold([...known, ...one([slot])]), fold([]));
        expect(fold([...stepwise(mine), ...stepwise(yours)])).toEqual(fold(one([...mine, ...yours])));
      }),
    );
  });
});
