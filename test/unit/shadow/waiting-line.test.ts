import { describe, expect, it } from 'vitest';
import { WaitingLine } from '../../../src/proxy/shadow/waiting-line.ts';

const limits = { maxQueued: 2, maxConcurrent: 1 };

/** A line whose work ends by hand. */
const stage = (maxBytes = 100) => {
  const clock = { nowMs: 0 };
  const [begun, ends]: [string[], (() => void)[]] = [[], []];
  const holds = new Map<string, (bytes: number) => void>();
  const budget = { maxBytes, heldBytes: 0 };
  const line = new WaitingLine<string>({
    budget,
    now: () => clock.nowMs,
    work: (item, { hold }) => {
      begun.push(item);
      holds.set(item, hold);
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const end = async (): Promise<void> => {
    ends.shift()?.();
    await turn();
  };
  const join = (item: string, bytes = 1) => line.join(item, { bytes, limits });
  return { line, clock, begun, holds, budget, join, end, turn };
};

describe('samples in line', () => {
  it('begin in the order in which they came, as many at a time as have a place', async () => {
    const { join, begun, end, turn } = stage();
    expect([join('a'), join('b'), join('c')]).toEqual([true, true, true]);
    expect(begun).toEqual([]);
    await turn();
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
    const { join, budget, end, turn } = stage(10);
    expect([join('a', 8), join('b', 3)]).toEqual([true, false]);
    await turn();
    await end();
    expect([join('c', 10), budget.heldBytes]).toEqual([true, 10]);
  });

  it('are refused when those under way keep more than that with which they came', async () => {
    const { join, holds, budget, end, turn } = stage(10);
    join('a', 4);
    await turn();
    holds.get('a')?.(6);
    holds.get('a')?.(5);
    expect([budget.heldBytes, join('b', 2), join('c', 1)]).toEqual([9, false, true]);
    await end();
    expect(budget.heldBytes).toBe(1);
  });

  it.each([
    [500, true],
    [501, false],
  ])('that would stand behind one that has waited %i ms: %s', async (waitedMs, may) => {
    const { line, join, clock, turn } = stage();
    join('has a place');
    join('waits');
    await turn();
    clock.nowMs += waitedMs;
    expect(line.mayJoin(limits)).toBe(may);
  });

  it('may come again when nobody waits any more', async () => {
    const { line, join, clock, end, turn } = stage();
    join('has a place');
    join('waits');
    await turn();
    clock.nowMs += 10_000;
    await end();
    expect(line.mayJoin(limits)).toBe(true);
  });

  it('leave when the line closes, which waits for those under way', async () => {
    const { line, join, budget, end, turn } = stage();
    for (const item of ['a', 'b', 'c']) join(item);
    await turn();
    const left: string[] = [];
    let isClosed = false;
    const closing = line.close((item) => void left.push(item)).then(() => (isClosed = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect([left, isClosed, budget.heldBytes]).toEqual([['b', 'c'], false, 1]);
    await end();
    await closing;
    expect(budget.heldBytes).toBe(0);
  });

  it('begin a bounded number in each turn, though each ends as soon as it begins', async () => {
    const begun: number[] = [];
    const budget = { maxBytes: 1000, heldBytes: 0 };
    const line = new WaitingLine<number>({ budget, now: () => 0, work: async (item) => void begun.push(item) });
    const many = { maxQueued: 1000, maxConcurrent: 2 };
    for (let i = 0; i < 100; i++) line.join(i, { bytes: 1, limits: many });
    const perTurn: number[] = [];
    while (begun.length < 100) {
      const before = begun.length;
      await new Promise((resolve) => setImmediate(resolve));
      perTurn.push(begun.length - before);
    }
    expect(perTurn).toEqual([32, 32, 32, 4]);
    expect(begun).toEqual([...begun].sort((a, b) => a - b));
    expect(budget.heldBytes).toBe(0);
  });
});
