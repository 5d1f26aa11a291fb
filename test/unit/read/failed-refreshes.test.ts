import { expect, it } from 'vitest';
import { createFailedRefreshes } from '../../../src/proxy/failed-refreshes.ts';

it('an index is not refreshed until it is, or for a minute, whatever becomes of others', () => {
  let nowMs = 0;
  const refreshes = createFailedRefreshes(() => nowMs);
  const index = (ordinal: number) => ({ state: { slug: 'r' }, ordinal });
  refreshes.settle([index(0), index(1)], false);
  refreshes.settle([index(1), index(2)], true);
  expect([0, 1, 2].map((ordinal) => refreshes.has([index(ordinal)]))).toEqual([true, false, false]);
  expect(refreshes.has([index(1), index(0)])).toBe(true);
  nowMs = 60_000;
  expect(refreshes.has([index(0)])).toBe(false);
});
