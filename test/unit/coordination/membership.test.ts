import { describe, expect, it } from 'vitest';
import {
  barrier,
  type Expectation,
  foldHeartbeat,
  foldHeartbeats,
  type Membership,
  noMembers,
  outOfSight,
  settleMs,
} from '../../../src/coordination/membership.ts';
import type { Entry } from '../../../src/coordination/ports.ts';
import type { Heartbeat, MemberRoute } from '../../../src/coordination/records.ts';
import { memberLine } from '../../support/heartbeats.ts';

const beat = (member: string, revision: number, over: Partial<MemberRoute> = {}, boot = 'boot-1'): Entry => {
  const heartbeat: Heartbeat = {
    schema: 1,
    member,
    boot,
    version: '1',
    stale: false,
    routes: { products: memberLine(over) },
  };
  return { key: `hb.${member}`, value: JSON.stringify(heartbeat), revision };
};
const leaving = (member: string, revision: number, over: Partial<MemberRoute> = {}): Entry => {
  const { key, value } = beat(member, revision, over);
  return { key, value: JSON.stringify({ ...JSON.parse(value), leaving: true }), revision };
};
const gone = (member: string, revision: number, expired?: true) => ({
  key: `hb.${member}`,
  value: undefined,
  revision,
  ...(expired && { expired }),
});
const listing = (view: Membership, entries: Entry[], nowMs: number): Membership =>
  foldHeartbeats(view, { before: view, entries, nowMs });
/** A view that has been watched for long enough. */
const watched = (...entries: Entry[]): Membership => listing(noMembers, entries, 0);
const later = settleMs;
const ask = (view: Membership, expect: Expectation = 'drained', phaseRevision = 10, nowMs = later) =>
  barrier(view, { slug: 'products', phaseRevision, expect, nowMs });

describe('the last report of a process whose name another one has taken', () => {
  const first = foldHeartbeat(noMembers, beat('a', 1, { byQuery: 1 }), 0);
  const second = beat('a', 3, {}, 'boot-2');

  it('is kept, also when its heartbeat ran out before', () => {
    const expired = foldHeartbeat(first, { key: 'hb.a', value: undefined, revision: 2, expired: true }, 9_000);
    for (const view of [first, expired])
      expect(foldHeartbeat(view, second, 10_000).replaced.get('boot-1')?.routes['products']?.byQuery).toBe(1);
  });

  it('is none when it left, or is still the same', () => {
    const { replaced } = foldHeartbeat(first, beat('a', 2, { byQuery: 1 }), 1_000);
    expect([...replaced]).toEqual([]);
  });
});

describe('the barrier', () => {
  it('opens when every member reported what is expected', () => {
    expect(ask(watched(beat('a', 1), beat('b', 2)))).toEqual({ ok: true, waitingFor: [] });
  });

  it.each<[Expectation, Partial<MemberRoute>, boolean]>([
    ['applied', {}, true],
    ['applied', { drained: false }, true],
    ['applied', { phaseRevision: 11 }, true],
    ['applied', { phaseRevision: 9 }, false],
    ['drained', {}, true],
    ['drained', { drained: false }, false],
    ['drained', { phaseRevision: 9 }, false],
    ['drained', { phaseRevision: 11 }, true],
    ['held_and_drained', {}, false],
    ['held_and_drained', { held: true }, true],
    ['held_and_drained', { held: true, drained: false }, false],
    ['held_and_drained', { held: true, phaseRevision: 9 }, false],
    ['held_and_drained', { held: true, phaseRevision: 11 }, false],
  ])('for %s with a member at %j opens: %s', (expectation, over, ok) => {
    const result = ask(watched(beat('a', 1, { held: true }), beat('b', 2, over)), expectation);
    expect(result.ok).toBe(ok);
    expect(result.waitingFor.map((waiting) => waiting.member)).toEqual(ok ? [] : ['b']);
  });

  it.each([
    [2, '2 requests under way'],
    [0, 'what its requests left behind is still being done'],
  ])('says of a member with %i requests that has not drained: %s', (inFlight, reason) => {
    const view = watched(beat('a', 1, { drained: false, inFlight }));
    expect(ask(view).waitingFor).toEqual([{ member: 'a', reason }]);
  });

  it('waits for a member that has not loaded the route', () => {
    const idle = JSON.stringify({ schema: 1, member: 'b', boot: 'x', version: '1', stale: false, routes: {} });
    expect(ask(watched(beat('a', 1), { key: 'hb.b', value: idle, revision: 2 })).waitingFor).toEqual([
      { member: 'b', reason: 'has not loaded the route' },
    ]);
  });

  it.each(['{', '{"schema":2}', ''])('waits for a member whose heartbeat cannot be read: %j', (value) => {
    const view = listing(watched(beat('a', 1), beat('b', 2)), [beat('a', 1), { key: 'hb.b', value, revision: 3 }], 1);
    expect(ask(view).waitingFor).toEqual([{ member: 'b', reason: expect.stringContaining('unreadable') }]);
  });

  it('stays shut without any member, while the store is out of sight, and while the view is young', () => {
    const view = watched(beat('a', 1));
    expect(ask(watched()).waitingFor).toEqual([{ member: '*', reason: 'no member is known' }]);
    expect(ask(outOfSight(view)).ok).toBe(false);
    expect(ask(view, 'drained', 10, settleMs - 1).ok).toBe(false);
    const back = listing(outOfSight(view), [beat('a', 1)], 60_000);
    expect(ask(back, 'drained', 10, 60_000 + settleMs - 1).ok).toBe(false);
    expect(ask(back, 'drained', 10, 60_000 + settleMs).ok).toBe(true);
  });

  it('waits for a member whose heartbeat has just run out, for a while', () => {
    const view = foldHeartbeat(watched(beat('a', 1), beat('b', 2)), gone('b', 9, true), 20_000);
    expect(ask(view, 'drained', 10, 20_000).waitingFor).toEqual([{ member: 'b', reason: expect.any(String) }]);
    expect(ask(view, 'drained', 10, 20_000 + settleMs).ok).toBe(true);
    expect(view.lost.get('b')).toMatchObject({ lostAtMs: 20_000, boot: 'boot-1', heartbeat: { member: 'b' } });
  });

  it('does not wait for a member that left by itself', () => {
    const view = foldHeartbeat(watched(beat('a', 1), beat('b', 2)), gone('b', 9), 20_000);
    expect(ask(view, 'drained', 10, 20_000).ok).toBe(true);
    expect(view.lost.size).toBe(0);
  });

  it('does not wait for a member whose last report was that it leaves, and keeps that report', () => {
    const view = foldHeartbeat(watched(beat('a', 1), beat('b', 2)), leaving('b', 9, { ledger: [7] }), 20_000);
    expect(ask(view, 'drained', 10, 20_000).ok).toBe(true);
    expect(view.departed.get('boot-1')?.routes['products']?.ledger).toEqual([7]);
    const later = listing(foldHeartbeat(view, gone('b', 10, true), 35_000), [beat('a', 11)], 36_000);
    expect([later.lost.size, later.departed.size]).toEqual([0, 1]);
  });

  it('waits for a process that goes on under the name of one that left', () => {
    const view = foldHeartbeat(watched(beat('a', 1, { drained: false }, 'twin')), leaving('a', 2), 20_000);
    expect(ask(view, 'drained', 10, 20_000).ok).toBe(false);
    expect([...view.departed.keys()]).toEqual(['boot-1']);
  });

  it('stays shut while two processes use one name, and opens after one of them is gone', () => {
    let view = watched(beat('a', 1, {}, 'old'));
    view = foldHeartbeat(view, beat('a', 2, {}, 'new'), 100);
    expect(ask(view).ok).toBe(true);
    view = foldHeartbeat(view, beat('a', 3, {}, 'old'), 200);
    expect(ask(view).waitingFor).toEqual([{ member: 'a', reason: 'two processes use this member name' }]);
    view = foldHeartbeat(view, beat('a', 4, {}, 'old'), 9_000);
    expect(ask(view, 'drained', 10, 10_200).ok).toBe(true);
  });
});

describe('the view of the members', () => {
  it('takes the newest heartbeat, whatever arrives after it', () => {
    let view = watched(beat('a', 5, { inFlight: 5 }));
    view = foldHeartbeat(view, beat('a', 4, { inFlight: 4 }), 10);
    expect(view.members.get('a')?.heartbeat?.routes['products']?.inFlight).toBe(5);
    expect(foldHeartbeat(view, beat('a', 5), 20)).toBe(view);
    expect(foldHeartbeat(view, gone('a', 4), 20)).toBe(view);
    expect(foldHeartbeat(view, { key: 'lease.leader.x', value: '', revision: 9 }, 20)).toBe(view);
  });

  it('counts age from when a heartbeat was seen', () => {
    const view = foldHeartbeat(watched(beat('a', 1)), beat('a', 2), 777);
    expect(view.members.get('a')?.seenAtMs).toBe(777);
  });

  it('takes a missing key in a listing for a loss, unless a heartbeat came meanwhile', () => {
    const before = watched(beat('a', 1), beat('b', 2));
    const now = foldHeartbeat(before, beat('b', 5), 10);
    const view = foldHeartbeats(now, { before, entries: [], nowMs: 20 });
    expect([...view.members.keys()]).toEqual(['b']);
    expect([...view.lost.keys()]).toEqual(['a']);
  });

  it('follows a live bucket that was made anew, where revisions are low again', () => {
    const before = watched(beat('a', 500), beat('b', 501));
    const view = listing(before, [beat('a', 1, { phaseRevision: 12 })], 30_000);
    expect(view.members.get('a')?.heartbeat?.routes['products']?.phaseRevision).toBe(12);
    expect([...view.lost.keys()]).toEqual(['b']);
    const back = listing(view, [beat('a', 1), beat('b', 2)], 31_000);
    expect([...back.members.keys()].sort()).toEqual(['a', 'b']);
    expect(back.lost.size).toBe(0);
  });

  it('is the same object when a listing brings nothing new', () => {
    const view = watched(beat('a', 1), leaving('b', 2));
    expect(listing(view, [beat('a', 1), leaving('b', 2)], 50)).toBe(view);
  });

  it('does not take a member back that has left, however late an older heartbeat comes', () => {
    const view = watched(beat('a', 1), leaving('b', 5));
    expect(listing(view, [beat('a', 1), beat('b', 4)], 50)).toBe(view);
    expect([...foldHeartbeat(view, beat('b', 6, {}, 'boot-2'), 60).members.keys()]).toEqual(['a', 'b']);
  });

  it('remembers the newest of those that left, not all', () => {
    let view = watched();
    for (let i = 1; i <= 300; i++) {
      const { key, value } = leaving('a', i);
      view = foldHeartbeat(view, { key, value: value.replace('boot-1', `boot-${i}`), revision: i }, i);
    }
    expect([view.departed.size, view.departed.has('boot-300')]).toEqual([200, true]);
  });
});
