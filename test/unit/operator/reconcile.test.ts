/** Migrations in a fake API server become keys of a store and requests to a leader, and their fate becomes a status. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askResultName, jobStatusName } from '../../../src/coordination/job-status.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { Ask, initialPhase, type Phase } from '../../../src/coordination/records.ts';
import { createKubeApi, type KubeApi } from '../../../src/operator/kube-api.ts';
import { pass } from '../../../src/operator/run.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { report } from '../cli/harness.ts';
import { type FakeKube, fakeKube } from './fake-kube.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-operator-'));
const tokenFile = join(folder, 'token');
let kube: FakeKube;
let api: KubeApi;
let store: MemoryStore;
let problems: string[];
let nowMs = 0;
let ids = 0;

beforeEach(async () => {
  kube = await fakeKube('secret', 'search');
  writeFileSync(tokenFile, 'secret\n');
  api = createKubeApi({ url: kube.url, namespace: 'search', tokenFile });
  store = new MemoryStore();
  problems = [];
});
afterEach(async () => {
  await api.close();
  await kube.close();
  rmSync(tokenFile, { force: true });
});

const look = async (): Promise<void> => {
  nowMs += 1000;
  const deps = { store, kube: api, newId: () => `ask-${++ids}`, now: () => nowMs, sleep: async () => undefined };
  const warn = (fields: { err?: Error }): void => void problems.push(fields.err?.message ?? '');
  await pass(deps, { warn: warn as never });
};
/** Passes until nothing is written any more. */
const settle = async (): Promise<void> => {
  for (let before = -1; before !== kube.writes();) {
    before = kube.writes();
    await look();
  }
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

  it('does not hold up the others when one cannot be carried out', async () => {
    kube.apply('broken', { route: 7 });
    kube.apply('products', { route, phase: 'observe' });
    await settle();
    expect((await asked())?.phase).toBe('observe');
  });
});

describe('the API of Kubernetes', () => {
  it('is asked with the token of this moment, and a refusal is an error with its status', async () => {
    writeFileSync(tokenFile, 'expired');
    await expect(api.list()).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' });
    writeFileSync(tokenFile, 'secret');
    expect(await api.list()).toEqual([]);
  });

  it('tells of a resource that changed meanwhile, and of one that is gone', async () => {
    kube.apply('products', { route });
    const [migration] = await api.list();
    kube.apply('products', { route, stop: true });
    expect(await api.writeStatus(migration!, { conditions: [] })).toBe('conflict');
    kube.remove('products');
    expect(await api.writeStatus(migration!, { conditions: [] })).toBe('conflict');
  });
});
