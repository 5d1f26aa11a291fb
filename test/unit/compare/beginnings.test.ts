/** A share that is watched all the time, from window to window: how often it is wrongly called too high, and how soon rightly. */
import { describe, expect, it } from 'vitest';
import { overBeginnings, suffixes } from '../../../src/compare/beginnings.ts';
import { type Trials, logEAbove } from '../../../src/compare/evalue.ts';
import { foldWindows, spanSlots, type Window } from '../../../src/compare/windows.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';

const limit = 0.05;
const alpha = 0.05;
const perSlot = 40;
const random = seeded(4);
const add = (a: Trials, b: Trials): Trials => ({ hits: a.hits + b.hits, trials: a.trials + b.trials });
const none: Trials = { hits: 0, trials: 0 };

const oneSlot = (share: number): Trials =>
  Array.from({ length: perSlot }, () => (random() < share ? 1 : 0)).reduce<Trials>(
    (sum, hits) => add(sum, { hits, trials: 1 }),
    none,
  );

/** The slot in which the share was called too high. */
const calledAt = (shareIn: (slot: number) => number): number | undefined => {
  let windows: Window<Trials>[] = [];
  for (let slot = 0; slot < spanSlots; slot++) {
    windows = foldWindows([...windows, { slot, counters: oneSlot(shareIn(slot)) }], add);
    const logEs = suffixes(windows, add).map((seen) => logEAbove(seen, limit));
    if (overBeginnings(logEs) >= Math.log(1 / alpha)) return slot;
  }
  return undefined;
};

describe('evidence over every moment at which a fault may have begun', () => {
  it('rarely speaks against what keeps its limit, though it is looked at for six hours', () => {
    const wrong = Array.from({ length: 40 }, () => calledAt(() => limit)).filter((slot) => slot !== undefined);
    expect(wrong.length).toBeLessThanOrEqual(2 * alpha * 40);
  });

  it.each<[number, number]>([
    [1, 1],
    [0.3, 2],
    [0.1, 45],
  ])('finds a share of %d within %d windows, however long all was well', (share, within) => {
    const begins = 1000;
    const found = calledAt((slot) => (slot < begins ? 0.01 : share))!;
    expect(found).toBeGreaterThanOrEqual(begins);
    expect(found).toBeLessThanOrEqual(begins + within);
  });
});
