/** Migrations in a fake API server become keys of a store and requests to a leader, and their fate becomes a status. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askResultName, jobStatusName } from '../../../src/coordination/job-status.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { Ask, initialPhase, type Phase } from '../../../src/coordination/records.ts';
import { emptyMemory, type Memory } from '../../../src/operator/deps.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { createKubeApi, type KubeApi } from '../../../src/operator/kube-api.ts';
import { Asked } from '../../../src/operator/resource.ts';
import { pass } from '../../../src/operator/run.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { report } from '../cli/harness.ts';
import { type FakeKube, fakeKube } from './fake-kube.ts';

let kube: FakeKube;
let api: KubeApi;
let store: MemoryStore;
let problems: string[];
let memory: Memory;
let ending: AbortController;
let nowMs = 0;
let ids = 0;

beforeEach(async () => {
  kube = await fakeKube(undefined, 'search');
  api = createKubeApi({ url: kube.url, namespace: 'search' });
  store = new MemoryStore();
  problems = [];
  memory = emptyMemory();
  ending = new AbortController();
});
afterEach(async () => {
  await api.close();
  await kube.close();
});

const look = async (): Promise<void> => {
  nowMs += 1000;
  const deps = {
    store,
    kube: api,
    newId: () => `ask-${++ids}`,
    now: () => nowMs,
    sleep: async () => undefined,
    memory,
  };
  const warn = (fields: { err?: Error }): void => void problems.push(fields.err?.message ?? '');
  await pass(deps, { warn: warn as never }, ending.signal);
};
/** Passes until nothing is written any more. */
const settle = async (): Promise<void> => {
  for (let passes = 0; passes < 20; passes++) {
    const before = kube.writes();
    await look();
    if (kube.writes() === before) return;
  }
  throw new Error('statuses are written without end');
};
const route = {
  indices: [{ source: 'products_v1', target: 'products_v2' }],
  aliases: ['products'],
  createTarget: true,
};
const text = async (key: string): Promise<string | undefined> => (await store.config.get(key))?.value;
const asked = async (): Promise<Ask | undefined> => {
  const value = await text(keys.ask('products'));
  return value === undefined ? undefined : Ask.parse(JSON.parse(value));
};
const answer = async (state: string, message: string): Promise<void> => {
  const at = '2026-01-01T00:00:00Z';
  const value = { schema: 1, id: (await asked())?.id, state, message, at };
  await store.config.put(keys.job('products', askResultName), JSON.stringify(value));
};
const enter = async (phase: Phase, reported: Record<string, unknown> = {}): Promise<void> => {
  await store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, phase, epoch: 1 }));
  await store.live.put(keys.lease('products'), JSON.stringify({ member: 'gateway-0', boot: 'b', turn: 1 }));
  const beat = { schema: 1, member: 'gateway-0', boot: 'b', version: '1', stale: false, routes: {} };
  await store.live.put(keys.heartbeat('gateway-0'), JSON.stringify(beat));
  await store.config.put(keys.job('products', jobStatusName), report({ phase, ...reported }));
};
const safe = { safeToAdvance: { ok: true, reasons: [] } };
type Said = { type: string; status: string; reason: string; message: string; lastTransitionTime: string };
const condition = (type: string): Said | undefined =>
  ((kube.get('products').status?.['conditions'] ?? []) as Said[]).find((one) => one.type === type);

describe('a migration', () => {
  it('becomes a route with its percentages, and its phase is asked for once', async () => {
    kube.apply('products', { route, phase: 'dual', percent: { shadow: 5 }, rate: 2000, stop: false });
    await settle();
    expect(JSON.parse((await text(keys.config('products'))) ?? '')).toMatchObject({
      route: 'products',
      createTarget: true,
    });
    expect(await text(keys.percent('products', 'shadow'))).toBe('5');
    expect(await text(keys.percent('products', 'read'))).toBeUndefined();
    expect(await text(keys.rate('products'))).toBe('2000');
    expect(await asked()).toMatchObject({
      action: 'phase',
      phase: 'dual',
      by: 'operator',
      reason: 'Migration products, generation 1',
    });
    expect(condition('Accepted')).toMatchObject({ status: 'True' });
    expect(condition('PhaseReached')).toMatchObject({ status: 'False', reason: 'Moving' });
    expect(await text(keys.audit('products', 1))).toContain('operator');
    expect(problems).toEqual([]);
  });

  it('is quiet once it is where it should be', async () => {
    kube.apply('products', { route, phase: 'dual' });
    await settle();
    await answer('done', 'the route is in dual');
    await enter('dual');
    await settle();
    expect(condition('PhaseReached')).toMatchObject({ status: 'True', message: 'the route is in dual' });
    expect(condition('SafeToAdvance')).toMatchObject({ status: 'False', message: 'backfill complete: no' });
    expect(kube.get('products').status).toMatchObject({
      observedGeneration: 1,
      phase: 'dual',
      epoch: 1,
      stage: 'Backfill',
    });
    const since = condition('PhaseReached')?.lastTransitionTime;
    const writes = kube.writes();
    await look();
    expect(kube.writes()).toBe(writes);
    expect(condition('PhaseReached')?.lastTransitionTime).toBe(since);
  });

  it('waits for the gate, asks for one cutover, and does not repeat one that was given up', async () => {
    kube.apply('products', { route, phase: 'dual' });
    await settle();
    await answer('done', '');
    await enter('dual');
    kube.apply('products', { route, phase: 'target' });
    await settle();
    expect((await asked())?.action).toBe('phase');
    expect(condition('PhaseReached')).toMatchObject({ reason: 'NotSafe', message: 'backfill complete: no' });
    await enter('dual', safe);
    await settle();
    expect((await asked())?.action).toBe('advance');
    await answer('aborted', 'members not drained');
    await settle();
    const first = await asked();
    expect(condition('PhaseReached')).toMatchObject({ reason: 'GivenUp' });
    expect(condition('PhaseReached')?.message).toContain('members not drained; change the spec');
    await settle();
    expect(await asked()).toEqual(first);
    kube.apply('products', { route, phase: 'target', percent: { read: 10 } });
    await settle();
    expect((await asked())?.id).not.toBe(first?.id);
  });

  it('leaves what people turn by hand alone until the spec changes, the brake above all', async () => {
    kube.apply('products', { route, percent: { read: 100 }, stop: false });
    await settle();
    await store.config.put(keys.stop('products'), 'on');
    await store.config.put(keys.percent('products', 'read'), '0');
    await settle();
    expect([await text(keys.stop('products')), await text(keys.percent('products', 'read'))]).toEqual(['on', '0']);
    kube.apply('products', { route, percent: { read: 20 }, stop: false });
    await settle();
    expect([await text(keys.stop('products')), await text(keys.percent('products', 'read'))]).toEqual(['off', '20']);
  });

  it('says which field is wrong, and changes nothing', async () => {
    kube.apply('products', { route: { ...route, indexes: [] }, phase: 'dual' });
    await settle();
    expect(condition('Accepted')).toMatchObject({ status: 'False', reason: 'Invalid' });
    expect(condition('Accepted')?.message).toContain('indexes');
    expect(await store.config.list('')).toEqual([]);
  });

  it('turns nothing while one of its values cannot be taken', async () => {
    kube.apply('products', { route, percent: { read: 10 }, rate: 0 });
    await settle();
    expect(condition('Accepted')).toMatchObject({ status: 'False', reason: 'Invalid' });
    expect(condition('Accepted')?.message).toContain('rate: "0" is not documents per second');
    expect(await text(keys.percent('products', 'read'))).toBeUndefined();
  });

  it('is refused when its target is that of another', async () => {
    kube.apply('orders', { route: { ...route, indices: [{ source: 'orders', target: 'products_v2' }], aliases: [] } });
    await settle();
    kube.apply('products', { route });
    await settle();
    expect(condition('Accepted')).toMatchObject({
      reason: 'Refused',
      message: 'products_v2 is the target of route orders already',
    });
    expect(await text(keys.config('products'))).toBeUndefined();
  });

  it('is refused when it would change under way what cannot change', async () => {
    kube.apply('products', { route, phase: 'dual' });
    await settle();
    await answer('done', '');
    await enter('dual');
    kube.apply('products', {
      route: { ...route, indices: [{ source: 'products_v1', target: 'other' }] },
      phase: 'dual',
    });
    await settle();
    expect(condition('Accepted')).toMatchObject({ status: 'False', reason: 'Refused' });
    expect(await text(keys.config('products'))).toContain('products_v2');
  });

  it('that is gone leaves its route as it was', async () => {
    kube.apply('products', { route, phase: 'dual' });
    await settle();
    const before = await store.config.list('');
    kube.remove('products');
    await settle();
    expect(await store.config.list('')).toEqual(before);
  });

  it('that waits for a finalizer is left alone: its mark moves the generation and is no news', async () => {
    kube.apply('products', { route, phase: 'dual', percent: { read: 10 } }, ['example.dev/kept']);
    await settle();
    await answer('aborted', 'members not drained');
    await settle();
    await store.config.put(keys.percent('products', 'read'), '0');
    const [first, status] = [await asked(), kube.get('products').status];
    kube.remove('products');
    expect(kube.get('products').metadata.generation).toBe(2);
    await settle();
    expect(await text(keys.percent('products', 'read'))).toBe('0');
    expect(await asked()).toEqual(first);
    expect(kube.get('products').status).toEqual(status);
  });

  it('loses the stage from its status when the leader has not reported for the new phase', async () => {
    kube.apply('products', { route, phase: 'dual' });
    await settle();
    await answer('done', '');
    await enter('dual');
    await settle();
    expect(kube.get('products').status).toMatchObject({ stage: 'Backfill' });
    await store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, phase: 'observe', epoch: 1 }));
    await settle();
    expect(kube.get('products').status).toMatchObject({ phase: 'observe' });
    expect(kube.get('products').status).not.toHaveProperty('stage');
    const writes = kube.writes();
    await look();
    expect(kube.writes()).toBe(writes);
  });

  it('is not forgotten what was asked for, when somebody else writes a condition of his own', async () => {
    kube.apply('products', { route, phase: 'dual' });
    await settle();
    await answer('aborted', 'members not drained');
    await settle();
    const first = await asked();
    const foreign = {
      type: 'Synced',
      status: 'True',
      reason: 'Sync',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    await fetch(`${kube.url}/apis/crossfade.dev/v1alpha1/namespaces/search/migrations/products/status`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ status: { stage: 'OfAnotherVersion', conditions: [foreign] } }),
    });
    await settle();
    expect(await asked()).toEqual(first);
    expect(condition('PhaseReached')).toMatchObject({ reason: 'GivenUp' });
  });

  it('does not turn the knobs again and again while its status cannot be written', async () => {
    kube.apply('products', { route, percent: { read: 100 }, stop: false });
    kube.refuseStatus(500);
    await look();
    expect(await text(keys.percent('products', 'read'))).toBe('100');
    await store.config.put(keys.stop('products'), 'on');
    await store.config.put(keys.percent('products', 'read'), '0');
    await look();
    expect([await text(keys.stop('products')), await text(keys.percent('products', 'read'))]).toEqual(['on', '0']);
    kube.refuseStatus(undefined);
    await settle();
    expect([await text(keys.stop('products')), await text(keys.percent('products', 'read'))]).toEqual(['on', '0']);
    kube.apply('products', { route, percent: { read: 20 } });
    await settle();
    expect(await text(keys.percent('products', 'read'))).toBe('20');
  });

  it('sends a request again that never reached the store, under the same id', async () => {
    kube.apply('products', { route, phase: 'dual' });
    const update = store.config.update.bind(store.config);
    const lost = vi.spyOn(store.config, 'update').mockImplementation((key, ...rest) => {
      if (key === keys.ask('products')) throw new CrossfadeError('STORE_UNAVAILABLE');
      return update(key, ...rest);
    });
    await look();
    expect(problems).toHaveLength(1);
    const [announced] = Asked.parse(kube.get('products').status?.['asked']).requests;
    expect(await asked()).toBeUndefined();
    lost.mockRestore();
    await settle();
    expect((await asked())?.id).toBe(announced?.id);
    expect(condition('PhaseReached')).toMatchObject({ reason: 'Moving' });
  });

  it('is the last one of a pass in which the operator is asked to end', async () => {
    for (const name of ['products', 'orders'])
      kube.apply(name, { route: { indices: [{ source: name, target: `${name}_v2` }] }, phase: 'observe' });
    const update = store.config.update.bind(store.config);
    vi.spyOn(store.config, 'update').mockImplementation((...write) => {
      ending.abort();
      return update(...write);
    });
    await look();
    expect(Asked.parse(kube.get('products').status?.['asked']).requests[0]?.id).toBe((await asked())?.id);
    expect(kube.get('orders').status).toBeUndefined();
  });

  it('does not hold up the others when one cannot be carried out', async () => {
    kube.apply('broken', { route: { indices: 7 } });
    kube.apply('products', { route, phase: 'observe' });
    await settle();
    expect((await asked())?.phase).toBe('observe');
  });
});
