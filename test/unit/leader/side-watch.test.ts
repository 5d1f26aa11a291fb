import { expect, it } from 'vitest';
import { beginLeading, type RouteLeaderDeps } from '../../../src/agent/leader/leading.ts';
import { watchSides } from '../../../src/agent/leader/side-watch.ts';
import type { Side } from '../../../src/coordination/records.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { engine } from '../agent/engine.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';

/** Tells of its indices and refuses all else. */
const clusterWith = (settings: () => Record<string, unknown>): unknown => {
  const getIndex = async (name: string) => ({ name, mappings: {}, settings: settings() });
  const cluster: unknown = new Proxy(
    {},
    {
      get: (_, name) => {
        if (name === 'within') return () => cluster;
        return name === 'getIndex' ? getIndex : () => Promise.reject(new Error('out of reach'));
      },
    },
  );
  return cluster;
};

const leadWith = async (settings: Record<Side, Record<string, unknown>>) => {
  const state = routeState();
  const leading = await beginLeading({
    slug: state.slug,
    member: 'a',
    store: new MemoryStore(),
    clusters: { source: clusterWith(() => settings.source), target: clusterWith(() => settings.target) },
    runtime: manualRuntime(),
    logger: { warn: () => undefined, debug: () => undefined },
    state: () => state,
  } as unknown as RouteLeaderDeps);
  const look = async () => {
    for (let turn = 0; turn < 5; turn++) await watchSides(leading, state);
    return leading.work.alarms();
  };
  return look;
};

it('a final pipeline that either side is given while copies run is an alarm until it is gone', async () => {
  const settings: Record<Side, Record<string, unknown>> = { source: {}, target: { 'index.final_pipeline': '_none' } };
  const look = await leadWith(settings);
  expect(await look()).toEqual([]);
  settings.source = { 'index.final_pipeline': 'enrich' };
  expect(await look()).toEqual(['a final pipeline changes every copy: products_v1 on the source (enrich)']);
  settings.target = { 'index.final_pipeline': 'f' };
  expect(await look()).toEqual([
    'a final pipeline changes every copy: products_v1 on the source (enrich), products_v2 on the target (f)',
  ]);
  settings.source = {};
  settings.target = {};
  expect(await look()).toEqual([]);
});

it('what is kept of the sides and is no JSON does not end the watch in silence', async () => {
  const state = routeState();
  const { io, direction } = engine();
  const store = new MemoryStore();
  const names = ['follower', 'mappings'].map((name) => keys.job(state.slug, name));
  for (const name of names) await store.config.put(name, 'rubbish');
  const told: unknown[] = [];
  const leading = await beginLeading({
    slug: state.slug,
    member: 'a',
    store,
    clusters: io.clusters,
    runtime: io.runtime,
    transforms: { towards: async () => undefined, mayDrop: async () => false },
    logger: { warn: () => undefined, debug: () => undefined, error: ({ key }: { key: string }) => told.push(key) },
    state: () => state,
  } as unknown as RouteLeaderDeps);
  await watchSides(leading, {
    ...state,
    spec: { ...state.spec, ...direction.spec },
    phase: { ...state.phase, epoch: 1 },
  });
  expect(told).toEqual(names);
  for (const name of names)
    expect(JSON.parse((await store.config.get(name))?.value ?? '')).toMatchObject({ schema: 1 });
});
