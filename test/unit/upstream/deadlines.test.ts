import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines } from '../../../src/upstream/deadlines.ts';

let deadlines: Deadlines;
beforeEach(() => {
  vi.useFakeTimers();
  deadlines = new Deadlines(Date.now);
});
afterEach(() => {
  deadlines.close();
  vi.useRealTimers();
});
const watched = (timeoutMs: number): { expired: ReturnType<typeof vi.fn<() => void>> } => {
  const item = { expired: vi.fn<() => void>() };
  deadlines.set(item, timeoutMs);
  return item;
};

describe('a deadline', () => {
  it.each([1, 200, 19_999, 20_000, 330_000])(
    'of %d ms is told once, not before and at most a second after',
    (timeoutMs) => {
      const { expired } = watched(timeoutMs);
      vi.advanceTimersByTime(timeoutMs - 1);
      expect(expired).not.toHaveBeenCalled();
      vi.advanceTimersByTime(timeoutMs < 20_000 ? 1 : 1001);
      expect(expired).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(timeoutMs * 2);
      expect(expired).toHaveBeenCalledTimes(1);
    },
  );

  it.each([200, 330_000])('of %d ms that was taken back is never told', (timeoutMs) => {
    const item = watched(timeoutMs);
    const other = watched(timeoutMs);
    deadlines.clear(item);
    vi.advanceTimersByTime(timeoutMs + 1001);
    expect(item.expired).not.toHaveBeenCalled();
    expect(other.expired).toHaveBeenCalledTimes(1);
  });

  it('may be set for others by the one that is told', () => {
    const later = { expired: vi.fn<() => void>() };
    deadlines.set({ expired: () => deadlines.set(later, 30_000) }, 30_000);
    vi.advanceTimersByTime(62_000);
    expect(later.expired).toHaveBeenCalledTimes(1);
  });

  it('is forgotten when all are closed', () => {
    const items = [watched(100), watched(30_000)];
    deadlines.close();
    vi.advanceTimersByTime(60_000);
    for (const { expired } of items) expect(expired).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
