import { describe, expect, it } from 'vitest';
import { createFailedRefreshes } from '../../../src/proxy/failed-refreshes.ts';

it('an index is not refreshed until it is, or for a minute, whatever becomes of others', () => {
  let nowMs = 0;
  const refreshes = createFailedRefreshes(() => nowMs);
  const index = (ordinal: number) => ({ state: { slug: 'r' }, ordinal });
  refreshes.begin([index(0), index(1)])(false);
  refreshes.begin([index(1), index(2)])(true);
  expect([0, 1, 2].map((ordinal) => refreshes.has([index(ordinal)]))).toEqual([true, false, false]);
  expect(refreshes.has([index(1), index(0)])).toBe(true);
  nowMs = 60_000;
  expect(refreshes.has([index(0)])).toBe(false);
});

describe('a refresh that is carried out', () => {
  const index = { state: { slug: 'r' }, ordinal: 0 };
  const refreshes = () => createFailedRefreshes(() => 0);

  it('does not make up for one that failed after it began: that one was to show a later write', () => {
    const book = refreshes();
    const early = book.begin([index]);
    book.begin([index])(false);
    early(true);
    expect(book.has([index])).toBe(true);
    book.begin([index])(true);
    expect(book.has([index])).toBe(false);
  });

  it('makes up for all that failed before it began', () => {
    const book = refreshes();
    const [slow, other] = [book.begin([index]), book.begin([index])];
    slow(false);
    const late = book.begin([index]);
    late(true);
    expect(book.has([index])).toBe(false);
    other(false);
    expect(book.has([index])).toBe(true);
  });
});
