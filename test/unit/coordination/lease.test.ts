import { describe, expect, it } from 'vitest';
import { campaign, type LeaderLease, type LeaseOptions } from '../../../src/coordination/lease.ts';
import { silentLogger } from '../../../src/log.ts';
import { ManualTime } from './manual-time.ts';
import { MemoryBucket } from './memory-bucket.ts';

const key = 'lease.leader.products';

const setUp = () => {
  const time = new ManualTime();
  const live = new MemoryBucket(time, 15_000);
  let wallAheadMs = 0;
  const clock = { monotonicMs: time.now, wallMs: () => 1_700_000_000_000 + time.nowMs + wallAheadMs };
  const run = (member: string, boot = `${member}-boot`, over: Partial<LeaseOptions> = {}): LeaderLease =>
    campaign({ live, slug: 'products', member, boot, logger: silentLogger(), timers: time.timers, clock, ...over });
  const jumpWall = (byMs: number): void => {
    wallAheadMs += byMs;
  };
  return { time, live, run, jumpWall };
};

describe('the leader lease', () => {
  it('is taken by one of several candidates and kept while it is renewed', async () => {
    const { time, run } = setUp();
    const leases = ['a', 'b', 'c'].map((member) => run(member));
    await time.advance(10);
    const holders = () => leases.filter((lease) => lease.isHeld());
    expect(holders()).toHaveLength(1);
    const [holder] = holders();
    for (let i = 0; i < 20; i++) {
      await time.advance(3_000);
      expect(holders()).toEqual([holder]);
    }
    expect(leases.map((lease) => lease.holder()?.member)).toEqual(['a', 'a', 'a']);
  });

  it('passes on at once when it is released', async () => {
    const { time, run } = setUp();
    const [a, b] = [run('a'), run('b')];
    await time.advance(10);
    await a.release();
    await time.advance(10);
    expect([a.isHeld(), b.isHeld()]).toEqual([false, true]);
  });

  it('is let go by a holder that can no longer use the store of the routes, and is not taken by such a one', async () => {
    const { time, run } = setUp();
    let isFit = true;
    const a = run('a', 'a-boot', { mayLead: () => isFit });
    const b = run('b');
    await time.advance(10);
    expect([a.isHeld(), b.isHeld()]).toEqual([true, false]);
    isFit = false;
    await time.advance(20_000);
    expect([a.isHeld(), b.isHeld()]).toEqual([false, true]);
    await b.release();
    await time.advance(20_000);
    expect(a.isHeld()).toBe(false);
    isFit = true;
    await time.advance(4_000);
    expect(a.isHeld()).toBe(true);
  });

  it('is not valid for its holder any more before anybody else can have it', async () => {
    const { time, live, run } = setUp();
    const a = run('a');
    await time.advance(10);
    live.offline = true;
    await time.advance(11_000);
    expect(a.isHeld()).toBe(true);
    await time.advance(1_500);
    expect(a.isHeld()).toBe(false);
    live.offline = false;
    expect(await live.get(key)).toBeDefined();
  });

  it('ends at once when somebody else is found in it', async () => {
    const { time, live, run } = setUp();
    const a = run('a');
    await time.advance(10);
    await live.put(key, JSON.stringify({ member: 'z', boot: 'z', turn: 1 }));
    await time.advance(4_000);
    expect(a.isHeld()).toBe(false);
    expect(a.holder()).toMatchObject({ member: 'z' });
  });

  it('counts its validity from before a write was sent, not from its confirmation', async () => {
    const { time, live, run } = setUp();
    live.fates = ['lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost', 'lost'];
    const startedAtMs = time.nowMs;
    const a = run('a');
    await time.advance(600);
    expect(a.isHeld()).toBe(true);
    live.offline = true;
    await time.advance(startedAtMs + 11_999 - time.nowMs);
    expect(a.isHeld()).toBe(true);
    await time.advance(1);
    expect(a.isHeld()).toBe(false);
  });

  it('survives renewals that time out and were applied all the same', async () => {
    const { time, live, run } = setUp();
    const a = run('a');
    await time.advance(10);
    for (let i = 0; i < 10; i++) {
      live.fates = ['applied'];
      await time.advance(4_000);
      expect(a.isHeld()).toBe(true);
    }
  });

  it('is taken again by its own process after a write of unknown outcome that was applied late', async () => {
    const { time, live, run } = setUp();
    live.fates = Array(200).fill('late');
    const a = run('a');
    await time.advance(4_500);
    expect(a.isHeld()).toBe(false);
    live.fates = [];
    live.deliverLate();
    await time.advance(5_000);
    expect(a.isHeld()).toBe(true);
  });

  it('is lost when the wall clock shows a long sleep that the monotonic clock did not count', async () => {
    const { time, run, jumpWall } = setUp();
    const a = run('a');
    await time.advance(10);
    expect(a.isHeld()).toBe(true);
    jumpWall(60_000);
    expect(a.isHeld()).toBe(false);
  });

  it('is not taken from a process of the same name that is still in it', async () => {
    const { time, run } = setUp();
    const [first, second] = [run('a', 'boot-1'), run('a', 'boot-2')];
    await time.advance(30_000);
    expect([first.isHeld(), second.isHeld()]).toEqual([true, false]);
  });

  it('is taken over after its holder died, once the key ran out', async () => {
    const { time, live, run } = setUp();
    const a = run('a');
    await time.advance(10);
    const frozen = await live.get(key);
    await a.release();
    // As if `a` had been killed: its last write stands until it expires.
    await live.put(key, frozen?.value ?? '');
    const b = run('b');
    await time.advance(14_000);
    expect(b.isHeld()).toBe(false);
    await time.advance(5_500);
    expect(b.isHeld()).toBe(true);
  });

  it('tells of being gained and lost', async () => {
    const { time, live, run } = setUp();
    const a = run('a');
    const told: boolean[] = [];
    a.onChange((held) => told.push(held));
    await time.advance(10);
    live.offline = true;
    await time.advance(30_000);
    live.offline = false;
    await time.advance(10_000);
    await a.release();
    expect(told).toEqual([true, false, true, false]);
  });

  it('never has two holders at one moment, through outages, lost and late writes', async () => {
    const { time, live, run } = setUp();
    const leases = ['a', 'b', 'c'].map((member) => run(member));
    const fates = ['lost', 'applied', 'late'] as const;
    let gained = 0;
    for (const lease of leases) lease.onChange((held) => (gained += held ? 1 : 0));
    for (let i = 0; i < 400; i++) {
      live.offline = (i >> 4) % 4 === 3;
      live.silent = (i >> 3) % 3 === 1;
      live.fates = i % 5 === 0 ? [fates[i % 3] as 'lost', fates[(i >> 2) % 3] as 'lost'] : [];
      if (i % 11 === 0) live.deliverLate();
      await time.advance(700);
      expect(leases.filter((lease) => lease.isHeld()).length).toBeLessThanOrEqual(1);
    }
    expect(gained).toBeGreaterThan(2);
  });
});
