import { expect, it } from 'vitest';
import { beginLeading, type RouteLeaderDeps } from '../../../src/agent/leader/leading.ts';
import { watchSides } from '../../../src/agent/leader/side-watch.ts';
import type { Side } from '../../../src/coordination/records.ts';
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
