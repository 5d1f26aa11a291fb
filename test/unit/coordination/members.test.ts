import { describe, expect, it } from 'vitest';
import { createMembers, type MembersOptions } from '../../../src/coordination/members.ts';
import type { Membership } from '../../../src/coordination/membership.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import { ManualTime } from './manual-time.ts';
import { memoryStore } from './memory-bucket.ts';

const setUp = () => {
  const time = new ManualTime();
  const { live } = memoryStore(time);
  let reports = 0;
  const run = (member: string, over: Partial<MembersOptions> = {}) =>
    createMembers({
      live,
      member,
      boot: `${member}-boot`,
      version: '1',
      report: () => {
        reports += 1;
        return {};
      },
      stale: () => false,
      logger: silentLogger(),
      now: time.now,
      timers: time.timers,
      ...over,
    });
  const names = (view: Membership) => [...view.members.keys()].sort();
  return { time, live, run, names, reports: () => reports };
};

describe('members', () => {
  it('see one another once they have joined, and not before', async () => {
    const { time, run, names } = setUp();
    const [a, b] = [run('a'), run('b')];
    await time.advance(5_000);
    expect(names(a.view())).toEqual([]);
    await a.join();
    await b.join();
    expect(names(a.view())).toEqual(['a', 'b']);
    expect(names(b.view())).toEqual(['a', 'b']);
  });

  it('repeat their heartbeat for as long as they live', async () => {
    const { time, run, live } = setUp();
    const a = run('a');
    await a.join();
    await time.advance(60_000);
    const last = await live.get('hb.a');
    expect(last).toBeDefined();
    await time.advance(2_000);
    expect((await live.get('hb.a'))?.revision).toBeGreaterThan(last?.revision ?? 0);
  });

  it('tell when they leave what they did since they were last heard, and no more after it', async () => {
    const { time, run, live, names } = setUp();
    let stale = false;
    const [a, b] = [run('a', { stale: () => stale }), run('b')];
    await a.join();
    await b.join();
    stale = true;
    await a.leave();
    await time.settle();
    expect(names(b.view())).toEqual(['b']);
    expect(b.view().departed.get('a-boot')).toMatchObject({ member: 'a', stale: true, leaving: true });
    const last = await live.get('hb.a');
    a.beat();
    await time.advance(10_000);
    expect((await live.get('hb.a'))?.revision).toBe(last?.revision);
  });

  it('send one heartbeat for many requests within a millisecond', async () => {
    const { time, run, reports } = setUp();
    const a = run('a');
    await a.join();
    await time.advance(10);
    const before = reports();
    for (let i = 0; i < 100; i++) a.beat();
    await time.advance(1);
    expect(reports()).toBe(before + 1);
    a.beat();
    await time.advance(1);
    expect(reports()).toBe(before + 2);
  });

  it('report what is true when the heartbeat is sent', async () => {
    const { time, run, live } = setUp();
    const a = run('a');
    await a.join();
    a.beat();
    await time.advance(1);
    expect(JSON.parse((await live.get('hb.a'))?.value ?? '')).toEqual({
      schema: 1,
      member: 'a',
      boot: 'a-boot',
      version: '1',
      stale: false,
      routes: {},
    });
  });

  it('know who left and who was lost', async () => {
    const { time, run, live, names } = setUp();
    const [a, b, c] = [run('a'), run('b'), run('c')];
    for (const member of [a, b, c]) await member.join();
    await b.leave();
    live.expire('hb.c');
    await time.settle();
    expect(names(a.view())).toEqual(['a']);
    expect([...a.view().lost.keys()]).toEqual(['c']);
    await time.advance(2_500);
    expect(names(a.view())).toEqual(['a', 'c']);
    expect(a.view().lost.size).toBe(0);
  });

  it('find others by listing when no news arrive', async () => {
    const { time, run, live, names } = setUp();
    live.silent = true;
    const [a, b] = [run('a'), run('b')];
    await a.join();
    await b.join();
    await time.advance(2_500);
    expect(names(a.view())).toEqual(['a', 'b']);
  });

  it('are out of sight while the store is out of reach, and known again after it', async () => {
    const { time, run, live, names } = setUp();
    const a = run('a');
    await a.join();
    live.offline = true;
    await time.advance(2_500);
    expect(a.view().watchingSinceMs).toBeUndefined();
    expect(names(a.view())).toEqual(['a']);
    live.offline = false;
    await time.advance(2_500);
    expect(a.view().watchingSinceMs).toBeGreaterThan(0);
  });

  it('are heard only after they stand on the list, and write it anew after a silence', async () => {
    const { time, run, live } = setUp();
    const enlisted: boolean[] = [];
    let listIsDown = true;
    const a = run('a', {
      enlist: async (again) => {
        if (listIsDown) throw new CrossfadeError('STORE_UNAVAILABLE');
        enlisted.push(again);
      },
    });
    await expect(a.join()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect([a.heard(), await live.get('hb.a')]).toEqual([false, undefined]);
    listIsDown = false;
    await time.advance(6_000);
    expect(a.heard()).toBe(true);
    expect(enlisted.slice(0, 2)).toEqual([true, false]);
    live.offline = true;
    await time.advance(12_000);
    live.offline = false;
    enlisted.length = 0;
    await time.advance(4_500);
    expect(enlisted.slice(0, 2)).toEqual([true, false]);
  });

  it('show that they live where they cannot be put on the list, so that nobody begins their store anew', async () => {
    const { time, run, live } = setUp();
    const a = run('a', { enlist: () => Promise.reject(new CrossfadeError('STORE_UNAVAILABLE')) });
    await expect(a.join()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await time.advance(60_000);
    expect((await live.get('claim.a'))?.value).toBe('a-boot');
    expect([a.heard(), await live.get('hb.a')]).toEqual([false, undefined]);
  });

  it('say when joining failed, and are there as soon as the store is', async () => {
    const { time, run, live } = setUp();
    live.offline = true;
    const a = run('a');
    await expect(a.join()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    live.offline = false;
    await time.advance(2_500);
    expect(await live.get('hb.a')).toBeDefined();
  });
});
