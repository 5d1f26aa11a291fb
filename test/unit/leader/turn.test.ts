import { describe, expect, it, vi } from 'vitest';
import { Interruption } from '../../../src/agent/leader/interruption.ts';
import { beginLeading, type RouteLeaderDeps } from '../../../src/agent/leader/leading.ts';
import { turn } from '../../../src/agent/leader/turn.ts';
import { evidenceText } from '../../../src/compare/evidence-record.ts';
import { Tally } from '../../../src/compare/summary.ts';
import type { Observation } from '../../../src/compare/types.ts';
import { evidenceSubject } from '../../../src/coordination/evidence-subject.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { noMembers } from '../../../src/coordination/membership.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import type { AskResult, Side } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { silentLogger } from '../../../src/log.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';
import { controls, fakePair } from '../agent/route.ts';

const slug = 'products';
const nowMs = Date.parse('2026-01-02T00:00:00Z');

/** A cluster to which every call ends alike. */
const clusterThat = (answers: () => Promise<never>): unknown => {
  const cluster: unknown = new Proxy({}, { get: (_, name) => (name === 'within' ? () => cluster : answers) });
  return cluster;
};

const failed: Observation = { severity: 'S0', differences: [], counts: {} };

const evidenceOfFailures = (state: RouteState): string => {
  const tally = new Tally(evidenceSubject(state, false));
  for (let i = 0; i < 50; i++) {
    const shape = { fingerprint: '00000000000000a1', label: 'search' };
    tally.note({ shape, observation: failed, authorityMs: 1, otherMs: 1, atMs: nowMs });
  }
  return evidenceText(tally.snapshot(), { member: 'a', boot: 'a' });
};

const leadOn = async (clusterOf: (state: RouteState, side: Side) => unknown, over: Partial<RouteState> = {}) => {
  const store = new MemoryStore();
  const runtime = manualRuntime();
  const base = routeState({ percent: { read: 50 } });
  const spec = RouteSpec.parse({ ...base.spec, auto: { rollback: { errorRatePercent: 2 } } });
  const state: RouteState = { ...base, spec, ...over };
  await store.config.put(keys.percent(slug, 'read'), '50');
  await store.config.put(keys.evidence(slug, 'a'), evidenceOfFailures(state));
  const leading = await beginLeading({
    slug,
    member: 'a',
    store,
    clusters: { source: clusterOf(state, 'source'), target: clusterOf(state, 'target') },
    members: { view: () => noMembers, refresh: async () => undefined },
    lease: { isHeld: () => true },
    runtime,
    clock: () => new Date(nowMs).toISOString(),
    logger: silentLogger(),
    state: () => state,
  } as unknown as RouteLeaderDeps);
  const ask = (action: string) =>
    store.config.put(keys.ask(slug), JSON.stringify({ schema: 1, id: 'one', action, by: 'ops', reason: '', at: '' }));
  const answer = async () => JSON.parse((await store.config.get(keys.job(slug, 'ask')))?.value ?? '{}') as AskResult;
  const read = async () => (await store.config.get(keys.percent(slug, 'read')))?.value;
  return { leading, runtime, read, ask, answer, store };
};

const leadFailing = (answers: () => Promise<never>) => leadOn(() => clusterThat(answers));

describe('a turn of the leader', () => {
  it('brings reads home though the cluster that they come home from fails everything else in it', async () => {
    const { leading, read } = await leadFailing(() => Promise.reject(new Error('connection refused')));
    await expect(turn(leading, new Interruption(manualRuntime()))).rejects.toThrow('connection refused');
    expect(await read()).toBe('0');
  });

  it.each(['pause', 'rollback', 'abort'])('carries out %s though a cluster fails everything in it', async (action) => {
    const { leading, ask, answer } = await leadFailing(() => Promise.reject(new Error('connection refused')));
    await ask(action);
    await expect(turn(leading, new Interruption(manualRuntime()))).rejects.toThrow('connection refused');
    expect(await answer()).toMatchObject({ id: 'one', state: 'done' });
  });

  it.each([
    ['rubbish', /is not a phase record/],
    [undefined, /was deleted/],
  ])('answers what it cannot carry out because the phase record is %s, and does the rest', async (text, reason) => {
    const { leading, ask, answer, store } = await leadFailing(() => Promise.reject(new Error('connection refused')));
    if (text !== undefined) await store.config.put(keys.phase(slug), text);
    const take = () => turn(leading, new Interruption(manualRuntime())).catch(() => undefined);
    await ask('finalize');
    await take();
    expect(await answer()).toMatchObject({
      state: 'failed',
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(reason),
    });
    await store.config.put(
      keys.ask(slug),
      JSON.stringify({ schema: 1, id: 'two', action: 'pause', by: 'ops', reason: '', at: '' }),
    );
    await take();
    expect(await answer()).toMatchObject({ id: 'two', state: 'done' });
  });

  it.each([
    ['goes on with tail, sweep and proof while the rate is pause, which is for the backfill', 'pause', false],
    ['rests them while the route is paused', undefined, true],
  ] as const)('%s', async (_, rate, paused) => {
    const { leading } = await leadOn((state, side) => controls(fakePair(state))[side], { rate });
    await leading.job.save({ paused });
    const step = vi.spyOn(leading.work, 'step').mockResolvedValue();
    await turn(leading, new Interruption(manualRuntime()));
    expect(step.mock.calls.map(([, options]) => options.paused)).toEqual([paused]);
  });

  it('brings reads home while it hangs with a cluster', async () => {
    const { leading, runtime, read } = await leadFailing(() => new Promise(() => undefined));
    turn(leading, new Interruption(manualRuntime())).catch(() => undefined);
    await runtime.advance(3000);
    expect(await read()).toBe('0');
  });
});
