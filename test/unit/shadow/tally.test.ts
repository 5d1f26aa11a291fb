import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  countCompared,
  countSampled,
  countSkipped,
  isBalanced,
  noCounts,
  totalSkipped,
} from '../../../src/proxy/shadow/tally.ts';

it('sampled = compared + skipped + under way, after any history', () => {
  const step = fc.constantFrom('sample', 'equal', 'S4', 'S9', 'queue_full', 'now');
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let counts = noCounts;
      for (const one of steps) {
        if (one === 'sample') counts = countSampled(counts);
        else if (counts.underWay === 0) continue;
        else if (one === 'queue_full' || one === 'now') counts = countSkipped(counts, one);
        else counts = countCompared(counts, one === 'equal' ? 'none' : (one as 'S4' | 'S9'));
        expect(isBalanced(counts)).toBe(true);
      }
      expect(counts.compared + totalSkipped(counts) + counts.underWay).toBe(
        steps.filter((one) => one === 'sample').length,
      );
    }),
  );
});

it('cosmetic differences are compared and no mismatch', () => {
  const twice = countSampled(countSampled(noCounts));
  expect(countCompared(countCompared(twice, 'S9'), 'S8')).toMatchObject({ compared: 2, mismatched: 1 });
});
