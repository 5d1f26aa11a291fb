import { describe, expect, it } from 'vitest';
import { FleetVerdict } from '../../../src/agent/leader/fleet-verdict.ts';
import { verdictStatus } from '../../../src/agent/leader/verdict-status.ts';
import { evidenceText } from '../../../src/compare/evidence-record.ts';
import { Tally } from '../../../src/compare/summary.ts';
import type { Severity } from '../../../src/compare/types.ts';
import { slotMs, spanSlots } from '../../../src/compare/windows.ts';
import { evidenceSubject } from '../../../src/coordination/evidence-subject.ts';
import { VerdictStatus } from '../../../src/coordination/job-status.ts';
import { evidencePrefix, keys } from '../../../src/coordination/keys.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';

const slug = 'products';
const wallMs = Date.parse('2026-01-02T03:04:05Z');
const state = routeState({ percent: { read: 10 } });

type Seen = { good?: number; bad?: number; severity?: Severity; baseline?: boolean; atMs?: number; of?: RouteState };

const setUp = () => {
  const bucket = new MemoryBucket();
  const clock = { nowMs: 0, wallMs };
  const backfill = { isDone: true };
  const isFilled = () => backfill.isDone;
  const fleet = () => new FleetVerdict({ bucket, slug, isFilled, now: () => clock.nowMs, wallMs: () => clock.wallMs });
  const leader = fleet();
  const tell = async (
    boot: string,
    { good = 0, bad = 0, severity = 'S0', baseline, atMs = wallMs, of = state }: Seen,
  ) => {
    const tally = new Tally(evidenceSubject(of, isFilled()));
    const equal = { severity: 'none', differences: [], counts: {} } as const;
    for (let i = 0; i < good + bad; i++)
      tally.note({
        shape: { fingerprint: '00000000000000a1', label: 'search shop match(title)' },
        observation: i < bad ? { ...equal, severity } : equal,
        ...(baseline && { baseline: equal }),
        authorityMs: 10,
        otherMs: 10,
        atMs,
      });
    await bucket.put(keys.evidence(slug, boot), evidenceText(tally.snapshot(), { member: boot, boot }));
  };
  const judge = (of = state) => {
    clock.nowMs += 1000;
    return leader.judge(of);
  };
  const kept = async () => (await bucket.list(evidencePrefix(slug))).map(({ key }) => key.split('.').at(-1));
  return { bucket, clock, backfill, fleet, tell, judge, kept };
};

describe('the verdict of the fleet', () => {
  it('forgets what was missing while the backfill ran', async () => {
    const { backfill, tell, judge } = setUp();
    backfill.isDone = false;
    await tell('a', { bad: 500 });
    expect((await judge()).judgement.verdict).toBe('rollback');
    backfill.isDone = true;
    expect(await judge()).toMatchObject({ judgement: { verdict: 'hold', compared: 0 }, tellers: 0 });
  });

  it('is hold while nobody has compared anything', async () => {
    const { judge } = setUp();
    expect(await judge()).toMatchObject({ judgement: { verdict: 'hold', compared: 0 }, tellers: 0 });
  });

  it('rests on the sum: what is too little in each member is enough together', async () => {
    const { tell, judge } = setUp();
    for (let i = 0; i < 8; i++) await tell(`pod-${i}`, { good: 396, bad: 14, severity: 'S4', baseline: true });
    const { judgement, tellers } = await judge();
    expect(tellers).toBe(8);
    expect(judgement).toMatchObject({ verdict: 'rollback', compared: 3280, pairs: 3280 });
    expect(judgement.reason).toMatch(/^S4 in 3.41 %/);
    const alone = setUp();
    await alone.tell('pod-0', { good: 396, bad: 14, severity: 'S4', baseline: true });
    expect((await alone.judge()).judgement.verdict).toBe('hold');
  });

  it('is not the worst of the members: one unlucky among many clean ones does not roll back', async () => {
    const { tell, judge } = setUp();
    await tell('unlucky', { good: 80, bad: 20 });
    expect((await judge()).judgement.verdict).toBe('rollback');
    for (let i = 0; i < 30; i++) await tell(`pod-${i}`, { good: 1000 });
    expect((await judge()).judgement).toMatchObject({ verdict: 'promote', compared: 30_100 });
  });

  it('counts a process once, by its newest counters, and a restarted one beside its former self', async () => {
    const { tell, judge } = setUp();
    await tell('boot-1', { good: 100 });
    await tell('boot-1', { good: 250 });
    expect((await judge()).judgement.compared).toBe(250);
    await tell('boot-2', { good: 40 });
    expect((await judge()).judgement.compared).toBe(290);
  });

  it('is the same for a leader that knows nothing but the store', async () => {
    const { tell, judge, fleet } = setUp();
    await tell('gone', { good: 700, bad: 60 });
    await tell('here', { good: 900 });
    const known = await judge();
    expect(await fleet().judge(state)).toEqual(known);
    expect(known.judgement.verdict).toBe('rollback');
  });

  it('leaves out evidence of another step, phase, reign or spec', async () => {
    const { tell, judge } = setUp();
    await tell('a', { bad: 500, of: routeState({ percent: { read: 1 } }) });
    await tell('b', { bad: 500, of: { ...state, phase: { ...state.phase, reign: 2 } } });
    await tell('c', { bad: 500, of: { ...state, specRevision: 7 } });
    await tell('d', { good: 20 });
    expect((await judge()).judgement).toMatchObject({ verdict: 'hold', compared: 20 });
    const raised = routeState({ percent: { read: 50 } });
    expect((await judge(raised)).judgement).toMatchObject({ verdict: 'hold', compared: 0 });
  });

  it('removes foreign evidence once nobody can still be about to replace it, and keeps the present', async () => {
    const { tell, judge, clock, kept } = setUp();
    await tell('old', { good: 5, of: routeState({ percent: { read: 1 } }) });
    await tell('new', { good: 5 });
    await judge();
    expect(await kept()).toEqual(['old', 'new']);
    clock.nowMs += 61_000;
    await judge();
    expect(await kept()).toEqual(['new']);
  });

  it('counts who left for as long as the windows reach, and then forgets', async () => {
    const { tell, judge, kept } = setUp();
    await tell('left', { good: 300, atMs: wallMs - (spanSlots - 256) * slotMs });
    await tell('here', { good: 10 });
    expect((await judge()).judgement.compared).toBe(310);
    await tell('long-gone', { good: 300, atMs: wallMs - spanSlots * slotMs });
    expect((await judge()).judgement.compared).toBe(310);
    expect(await kept()).toEqual(['left', 'here']);
  });

  it('hears nothing from who has compared nothing in this step', async () => {
    const { tell, judge } = setUp();
    await tell('here', { good: 10 });
    await tell('silent', {});
    expect(await judge()).toMatchObject({ judgement: { compared: 10 }, tellers: 1 });
  });

  it('is not blinded by a member whose clock is a day ahead', async () => {
    const { tell, judge } = setUp();
    await tell('ahead', { good: 10, atMs: wallMs + 86_400_000 });
    await tell('right', { good: 300, bad: 60 });
    expect((await judge()).judgement).toMatchObject({ verdict: 'rollback', compared: 370 });
  });

  it('does not promote for hours by what a member with a clock ahead told before it fell silent', async () => {
    const { tell, judge, clock } = setUp();
    const ahead = { good: 30_000, atMs: wallMs + 2 * 3_600_000 };
    await tell('ahead', ahead);
    expect((await judge()).judgement.verdict).toBe('promote');
    clock.wallMs += 30 * 60_000;
    await tell('ahead', ahead);
    expect((await judge()).judgement).toMatchObject({ verdict: 'hold', reason: 'no recent comparisons' });
  });

  it('goes without a record that it cannot read', async () => {
    const { bucket, tell, judge } = setUp();
    await bucket.put(keys.evidence(slug, 'newer'), '{"schema":9}');
    await tell('here', { good: 10 });
    expect(await judge()).toMatchObject({ judgement: { compared: 10 }, tellers: 1 });
  });

  it('is worked out again when somebody tells more, when a teller goes, and now and then', async () => {
    const { bucket, tell, judge, clock } = setUp();
    await tell('one', { good: 10 });
    const first = await judge();
    expect(await judge()).toBe(first);
    await tell('two', { good: 10 });
    const both = await judge();
    expect(both).toMatchObject({ judgement: { compared: 20 }, tellers: 2 });
    expect(await judge()).toBe(both);
    await bucket.delete(keys.evidence(slug, 'two'));
    expect(await judge()).toMatchObject({ judgement: { compared: 10 }, tellers: 1 });
    const last = await judge();
    clock.wallMs += 10_000;
    expect(await judge()).not.toBe(last);
  });

  it('stays what it was while the store is away, and turns into hold when the evidence grows old', async () => {
    const { bucket, tell, judge, clock } = setUp();
    await tell('here', { good: 3000, baseline: true });
    expect((await judge()).judgement.verdict).toBe('promote');
    bucket.list = () => Promise.reject(new Error('away'));
    expect((await judge()).judgement.verdict).toBe('promote');
    clock.wallMs += 16 * 60_000;
    expect((await judge()).judgement).toMatchObject({ verdict: 'hold', reason: 'no recent comparisons' });
  });

  it("obeys the route's own limits", async () => {
    const { tell, judge } = setUp();
    const shadow = { ...state.spec.shadow, verdict: { limits: { S0: 0.2 } } };
    const lenient = { ...state, spec: { ...state.spec, shadow } };
    await tell('here', { good: 300, bad: 30 });
    expect((await judge()).judgement.verdict).toBe('rollback');
    expect((await judge(lenient)).judgement.verdict).not.toBe('rollback');
  });

  it('is published with its figures in a form that JSON can hold', async () => {
    const { tell, judge } = setUp();
    await tell('here', { bad: 5000 });
    const { judgement, tellers } = await judge();
    const status = verdictStatus(judgement, tellers);
    expect(VerdictStatus.parse(JSON.parse(JSON.stringify(status)))).toEqual(status);
    expect(status).toMatchObject({
      verdict: 'rollback',
      samples: 5000,
      members: 1,
      eValues: [{ severity: 'S0', value: 1e12, share: 1, tolerated: 0.01 }, { severity: 'S1' }, ...Array(6).fill({})],
      perShape: [{ shape: '00000000000000a1', severity: 'S0', samples: 5000 }],
      latency: { verdict: 'too_few' },
    });
  });
});
