import { describe, expect, it } from 'vitest';
import { createUnswept } from '../../../src/app/unswept.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';

const setUp = () => {
  const bucket = new MemoryBucket();
  const runtime = manualRuntime();
  const refreshed: string[] = [];
  const follower = { refuses: false };
  let own = 3;
  const unswept = createUnswept({
    member: 'm',
    boot: 'b',
    bucket,
    eventsOf: () => own,
    refresh: (side, index) => {
      refreshed.push(`${side} ${index}`);
      return follower.refuses ? Promise.reject(new Error('refused')) : Promise.resolve();
    },
    runtime,
  });
  const state = routeState();
  return {
    unswept,
    refreshed,
    follower,
    state,
    note: (count: number) => {
      own = count;
      unswept.note(state);
    },
    /** The leader's record says so, and is looked at. */
    says: async (mine: number, others: number, coveredEvents: number) => {
      const record = { events: { 'm/b': mine, 'n/c': others }, work: { sweep: { coveredEvents } } };
      await bucket.put(keys.job(state.slug, 'state'), JSON.stringify(record));
      await runtime.advance(2_000);
      return unswept.has(state);
    },
  };
};

describe('deletes that only a sweep finds', () => {
  it('keep reads at the authority until a sweep that began after them has ended, and the follower was refreshed', async () => {
    const { unswept, state, note, says, refreshed } = setUp();
    expect(unswept.has(state)).toBe(false);
    note(3);
    expect(unswept.has(state)).toBe(true);
    // Not heard of yet: what such a sweep covers says nothing.
    expect(await says(2, 10, 50)).toBe(true);
    expect(await says(3, 10, 12)).toBe(true);
    // What others report later has a sweep of its own.
    expect([await says(3, 14, 12), refreshed]).toEqual([true, []]);
    expect([await says(3, 14, 13), refreshed]).toEqual([false, ['target products_v2']]);
  });

  it('wait for a further sweep when there are more of them meanwhile', async () => {
    const { note, says } = setUp();
    note(3);
    expect(await says(3, 0, 2)).toBe(true);
    note(4);
    expect(await says(3, 0, 3)).toBe(true);
    expect(await says(4, 0, 3)).toBe(true);
    expect(await says(4, 0, 4)).toBe(false);
  });

  it('are still to be seen while the follower cannot be refreshed', async () => {
    const { note, says, follower } = setUp();
    note(3);
    follower.refuses = true;
    expect(await says(3, 0, 3)).toBe(true);
    follower.refuses = false;
    expect(await says(3, 0, 3)).toBe(false);
  });

  it('are over with a switch of authority', () => {
    const { unswept, state, note } = setUp();
    note(3);
    expect(unswept.has({ ...state, phase: { ...state.phase, phase: 'target', reign: 2 } })).toBe(false);
  });
});
