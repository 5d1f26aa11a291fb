import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines } from '../../../src/upstream/deadlines.ts';

const owner = () => ({ expired: vi.fn() });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a deadline', () => {
  it('is told once, when its time is over and not before', () => {
    const one = owner();
    new Deadlines(1000).start(one);
    vi.advanceTimersByTime(999);
    expect(one.expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(5000);
    expect(one.expired).toHaveBeenCalledTimes(1);
  });

  it('that was ended is never told', () => {
    const deadlines = new Deadlines(1000);
    const one = owner();
    deadlines.end(deadlines.start(one), one);
    vi.advanceTimersByTime(5000);
    expect(one.expired).not.toHaveBeenCalled();
  });

  it('starts anew for the next request that gets its timer', () => {
    const deadlines = new Deadlines(1000);
    const [first, second] = [owner(), owner()];
    deadlines.end(deadlines.start(first), first);
    vi.advanceTimersByTime(700);
    deadlines.start(second);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(999);
    expect(second.expired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(second.expired).toHaveBeenCalledTimes(1);
    expect(first.expired).not.toHaveBeenCalled();
  });

  it('works again with a timer that has long run out unused', () => {
    const deadlines = new Deadlines(1000);
    const [first, second] = [owner(), owner()];
    deadlines.end(deadlines.start(first), first);
    vi.advanceTimersByTime(60_000);
    deadlines.start(second);
    vi.advanceTimersByTime(1000);
    expect(second.expired).toHaveBeenCalledTimes(1);
  });

  it('ended a second time does not end that of the request which has its timer now', () => {
    const deadlines = new Deadlines(1000);
    const [first, second] = [owner(), owner()];
    const deadline = deadlines.start(first);
    deadlines.end(deadline, first);
    deadlines.start(second);
    deadlines.end(deadline, first);
    deadlines.start(owner());
    vi.advanceTimersByTime(1000);
    expect(second.expired).toHaveBeenCalledTimes(1);
  });

  it('of an unusual length leaves no timer behind', () => {
    const deadlines = new Deadlines(1000);
    const one = owner();
    deadlines.end(deadlines.start(one, 30), one);
    expect(vi.getTimerCount()).toBe(0);
  });
});
