import { describe, expect, it } from 'vitest';
import { createTurns } from '../../../src/proxy/shadow/turns.ts';

/** A clock that work moves, and turns that are taken by hand. */
const stage = () => {
  const clock = { nowMs: 0 };
  const deferred: (() => void)[] = [];
  const turns = createTurns({ now: () => clock.nowMs, defer: (run) => deferred.push(run), budgetMs: 1 });
  const did: string[] = [];
  const work = (name: string, ms: number) =>
    turns(() => {
      clock.nowMs += ms;
      did.push(name);
      return name;
    });
  return { turns, work, did, deferred, turn: () => deferred.shift()?.() };
};

describe('turns for comparisons', () => {
  it('begins nothing in the turn in which it was asked', async () => {
    const { work, did, turn } = stage();
    const answer = work('a', 0.1);
    expect(did).toEqual([]);
    turn();
    expect(await answer).toBe('a');
  });

  it('does small work together and leaves the rest for the next turn, in order', () => {
    const { work, did, turn, deferred } = stage();
    void [work('a', 0.4), work('b', 0.7), work('c', 0.1), work('d', 5), work('e', 0.1)];
    expect(deferred).toHaveLength(1);
    turn();
    expect(did).toEqual(['a', 'b']);
    turn();
    expect(did).toEqual(['a', 'b', 'c', 'd']);
    turn();
    expect(did).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(deferred).toEqual([]);
  });

  it('asks for a turn again after it was idle, and for work that comes during a turn', async () => {
    const { turns, work, did, turn, deferred } = stage();
    void work('a', 2);
    turn();
    void turns(() => void work('c', 0.1));
    turn();
    expect(did).toEqual(['a', 'c']);
    expect(deferred).toEqual([]);
  });

  it('hands a failure to who asked, and goes on', async () => {
    const { turns, work, turn } = stage();
    const failed = turns(() => {
      throw new Error('no');
    });
    const next = work('b', 0.1);
    turn();
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('b');
  });
});
