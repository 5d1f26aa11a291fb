import { describe, expect, it } from 'vitest';
import { WaitingLine } from '../../../src/proxy/shadow/waiting-line.ts';

const limits = { maxQueued: 2, maxConcurrent: 1 };

/** A line whose work ends by hand. */
const stage = (maxBytes = 100) => {
  const clock = { nowMs: 0 };
  const [begun, ends]: [string[], (() => void)[]] = [[], []];
  const budget = { maxBytes, heldBytes: 0 };
  const line = new WaitingLine<string>({
    budget,
    now: () => clock.nowMs,
    work: (item) => {
      begun.push(item);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  const end = async (): Promise<void> => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const join = (item: string, bytes = 1) => line.join(item, { bytes, limits });
  return { line, clock, begun, budget, join, end };
};

describe('samples in line', () => {
  it('begin in the order in which they came, as many at a time as have a place', async () => {
    const { join, begun, end } = stage();
    expect([join('a'), join('b'), join('c')]).toEqual([true, true, true]);
    expect(begun).toEqual(['a']);
    await end();
    await end();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('are refused when as many wait as may', () => {
    const { join } = stage();
    expect(['a', 'b', 'c', 'd'].map((item) => join(item))).toEqual([true, true, true, false]);
  });

  it('are refused when what is held would be more than it may be, until something is let go', async () => {
    const { join, budget, end } = stage(10);
    expect([join('a', 8), join('b', 3)]).toEqual([true, false]);
    await end();
    expect([join('c', 10), budget.heldBytes]).toEqual([true, 10]);
  });

  it.each([
    [500, true],
    [501, false],
  ])('that would stand behind one that has waited %i ms: %s', (waitedMs, may) => {
    const { line, join, clock } = stage();
    join('has a place');
    join('waits');
    clock.nowMs += waitedMs;
    expect(line.mayJoin(limits)).toBe(may);
  });

  it('may come again when nobody waits any more', async () => {
    const { line, join, clock, end } = stage();
    join('has a place');
    join('waits');
    clock.nowMs += 10_000;
    await end();
    expect(line.mayJoin(limits)).toBe(true);
  });

  it('leave when the line closes, which waits for those under way', async () => {
    const { line, join, budget, end } = stage();
    for (const item of ['a', 'b', 'c']) join(item);
    const left: string[] = [];
    let isClosed = false;
    const closing = line.close((item) => void left.push(item)).then(() => (isClosed = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([left, isClosed, budget.heldBytes]).toEqual([['b', 'c'], false, 1]);
    await end();
    await closing;
    expect(budget.heldBytes).toBe(0);
  });
});
