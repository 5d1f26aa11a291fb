import { describe, expect, it } from 'vitest';
import { foldHeartbeat, foldHeartbeats, noMembers } from '../../../src/coordination/membership.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { forgetMember } from '../../../src/fleet/forget-member.ts';
import { heartbeatOf } from '../../support/heartbeats.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const setUp = async () => {
  const store = new MemoryStore();
  for (const slug of ['orders', 'products']) await store.config.put(`rt.${slug}.cfg`, '{}');
  for (const [boot, member] of Object.entries({ one: 'gone', two: 'gone', three: 'here' }))
    await store.config.put(`job.products.boot.${boot}`, JSON.stringify({ member }));
  return store;
};
const forget = { member: 'gone', newId: () => 'id', dryRun: false };
const listed = async ({ config }: MemoryStore) =>
  (await config.list('job.products.boot.')).map(({ key }) => key.split('.').at(-1));

describe('a member that an operator says is gone', () => {
  it('is on no list any more, and is no lost one for whoever leads', async () => {
    const store = await setUp();
    const heartbeat = { key: 'hb.gone', value: JSON.stringify(heartbeatOf('gone')), revision: 1 };
    const before = foldHeartbeats(noMembers, { before: noMembers, entries: [heartbeat], nowMs: 0 });
    const lost = foldHeartbeats(before, { before, entries: [], nowMs: 1 });
    expect([...lost.lost.keys()]).toEqual(['gone']);
    expect(await forgetMember(store, forget)).toEqual({ products: 2 });
    expect(await listed(store)).toEqual(['three']);
    const entries = await store.live.list('hb.');
    const after = foldHeartbeats(lost, { before: lost, entries, nowMs: 2 });
    expect([after.lost.size, after.members.size]).toEqual([0, 0]);
    const back = { ...heartbeat, revision: 9 };
    expect(foldHeartbeats(after, { before: after, entries: [back], nowMs: 3 }).members.size).toBe(1);
  });

  it('is forgotten also by whoever has not yet seen that its heartbeat ran out', async () => {
    const store = await setUp();
    const beat = { key: 'hb.gone', value: JSON.stringify(heartbeatOf('gone')), revision: 1 };
    const before = foldHeartbeats(noMembers, { before: noMembers, entries: [beat], nowMs: 0 });
    await store.live.put('hb.other', '{}');
    await forgetMember(store, forget);
    const farewell = (await store.live.get('hb.gone'))!;
    const after = foldHeartbeat(before, farewell, 1);
    expect([after.members.size, after.lost.size]).toEqual([0, 0]);
    // A listing that was asked for before it, and the next one.
    const late = foldHeartbeats(after, { before, entries: [beat], nowMs: 2 });
    const next = foldHeartbeats(late, { before: late, entries: [farewell], nowMs: 3 });
    expect([next.members.size, next.lost.size]).toEqual([0, 0]);
    expect(foldHeartbeats(next, { before: next, entries: [farewell], nowMs: 4 })).toBe(next);
    const alive = { ...beat, revision: farewell.revision + 1 };
    expect(foldHeartbeat(next, alive, 5).members.size).toBe(1);
  });

  it.each([
    ['while it reports', JSON.stringify(heartbeatOf('gone'))],
    ['while it reports in a way that a later version has', '{"schema":2}'],
  ])('is believed to be there %s', async (_, text) => {
    const store = await setUp();
    await store.live.put('hb.gone', text);
    await expect(forgetMember(store, forget)).rejects.toMatchObject({ code: 'PHASE_REFUSED' });
    expect(await listed(store)).toEqual(['one', 'two', 'three']);
  });

  it('stays where it is when its farewell cannot be put', async () => {
    const store = await setUp();
    store.live.put = () => Promise.reject(new CrossfadeError('STORE_UNAVAILABLE'));
    await expect(forgetMember(store, forget)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await listed(store)).toEqual(['one', 'two', 'three']);
  });

  it('stays where it is in a dry run', async () => {
    const store = await setUp();
    expect(await forgetMember(store, { ...forget, dryRun: true })).toEqual({ products: 2 });
    expect(await listed(store)).toEqual(['one', 'two', 'three']);
    expect(await store.live.list('hb.')).toEqual([]);
  });
});
