import { describe, expect, it } from 'vitest';
import { countProof } from '../../../src/agent/proof.ts';
import { createRouteRepair } from '../../../src/agent/route-repair.ts';
import { systemRuntime } from '../../../src/agent/runtime.ts';
import { beginSweep, sweepStep } from '../../../src/agent/sweep.ts';
import { createTransforms } from '../../../src/agent/transform.ts';
import { beginVerify, verifyStep } from '../../../src/agent/verify.ts';
import type { VerifyState } from '../../../src/agent/verify-state.ts';
import { eventually } from '../../support/eventually.ts';
import { type RealRoute, realRoute } from './setup.ts';

const shards = (number_of_shards: number) => ({ settings: { number_of_shards } });

const filled = async (docs: number): Promise<RealRoute> => {
  const route = await realRoute({ source: shards(2), target: shards(3) });
  const lines = Array.from(
    { length: docs },
    (_, i) => `{"index":{"_id":"d${i}"${i % 5 ? '' : `,"routing":"r${i % 3}"`}}}\n{"i":${i}}\n`,
  );
  await route.call('source', 'POST', `/${route.names.source}/_bulk`, lines.join(''));
  await route.tailAll();
  return route;
};
const sweepAll = async ({ io }: RealRoute) => {
  const { onPage: _throttle, ...plain } = io;
  const begun = await beginSweep(plain);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  let result = await sweepStep(begun.state, plain);
  while (result.kind === 'more') result = await sweepStep(result.state, plain);
  return result;
};
const verifyAll = async ({ io }: RealRoute, mode: VerifyState['mode']) => {
  const { onPage: _throttle, ...plain } = io;
  const patient = { ...plain, recheck: { rounds: 2, delayMs: 100 } };
  const begun = await beginVerify({ mode }, patient);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  let result = await verifyStep(begun.state, patient);
  while (result.kind === 'more') result = await verifyStep(result.state, patient);
  return result.state;
};
const del = ({ call, names }: RealRoute, side: 'source' | 'target', id: string, routing?: string) =>
  call(side, 'DELETE', `/${names[side]}/_doc/${id}${routing ? `?routing=${routing}` : ''}`);

describe('the sweep between real clusters', () => {
  it('removes exactly what the authority no longer has, whatever its routing, and the counts then prove it', async () => {
    const route = await filled(120);
    await del(route, 'source', 'd1');
    await del(route, 'source', 'd10', 'r1');
    await route.call('target', 'PUT', `/${route.names.target}/_doc/stranger`, '{}');
    expect(await countProof({ ...route.io, dropped: {} })).toMatchObject({ equal: false });
    expect(await sweepAll(route)).toMatchObject({ kind: 'done', state: { removed: 3 } });
    expect(await route.contents('target')).toEqual(await route.contents('source'));
    expect(await countProof({ ...route.io, dropped: {} })).toMatchObject({ equal: true });
  });

  it('removes a document that a late copy brought back after the follower had forgotten its delete', async () => {
    const route = await realRoute({ target: { settings: { gc_deletes: '0s' } } });
    const path = (side: 'source' | 'target') => `/${route.names[side]}/_doc/a`;
    await route.call('source', 'PUT', path('source'), '{"n":1}');
    await route.tailAll();
    await route.call('source', 'DELETE', path('source'));
    const version = 2n ** 48n;
    await route.call('target', 'DELETE', `${path('target')}?version=${version}&version_type=external`);
    // The engine prunes tombstones at a refresh, once its clock has moved on; until then the late copy is refused.
    await eventually(async () => {
      await route.clusters.target.refresh(route.names.target);
      return route.call('target', 'PUT', `${path('target')}?version=${version - 5n}&version_type=external`, '{"n":1}');
    });
    expect(await route.contents('target')).toEqual({ a: '{"n":1}' });
    await sweepAll(route);
    expect(await route.contents('target')).toEqual({});
  });

  it('leaves alone what is written while it runs', async () => {
    const route = await filled(50);
    for (let i = 0; i < 50; i += 2) if (i % 5) await del(route, 'source', `d${i}`);
    const writer = (async () => {
      for (let i = 1; i < 50; i += 2)
        if (i % 5) await route.call('source', 'PUT', `/${route.names.source}/_doc/d${i}`, `{"again":${i}}`);
    })();
    await sweepAll(route);
    await writer;
    await route.tailAll();
    expect(await route.contents('target')).toEqual(await route.contents('source'));
  });
});

describe('verification between real clusters', () => {
  it.each(['stamp', 'hash', 'full'] as const)('by %s lists exactly what is wrong', async (mode) => {
    const route = await filled(60);
    expect(await verifyAll(route, mode)).toMatchObject({ counts: { missing: 0, extra: 0, different: 0 }, unstable: 0 });
    await del(route, 'target', 'd1');
    await route.call('target', 'PUT', `/${route.names.target}/_doc/d2`, '{"i":-1}');
    await route.call('target', 'PUT', `/${route.names.target}/_doc/stranger`, '{}');
    const { findings } = await verifyAll(route, mode);
    expect(findings.map(({ kind, id }) => `${kind} ${id}`).sort()).toEqual([
      'different d2',
      'extra stranger',
      'missing d1',
    ]);
  });
});

describe('repair between real clusters', () => {
  it('of what a verification found makes both sides equal', async () => {
    const route = await filled(60);
    await route.call('target', 'PUT', `/${route.names.target}/_doc/d2`, '{"i":-1}');
    await route.call('target', 'PUT', `/${route.names.target}/_doc/stranger`, '{}');
    await route.call('source', 'PUT', `/${route.names.source}/_doc/new`, '{"n":1.0}');
    // Later writes raise the sequence numbers above the version that the foreign writer left.
    for (let i = 0; i < 12; i++) await route.call('source', 'PUT', `/${route.names.source}/_doc/later${i}`, '{}');
    const { clusters, state } = route;
    const repair = createRouteRepair({ clusters, runtime: systemRuntime, transforms: createTransforms() });
    const { findings } = await verifyAll(route, 'full');
    const repaired = await repair.repair(state, findings, { overwrite: 'any' });
    expect(repaired.filter(({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'refused')).toEqual([]);
    expect(await route.contents('target')).toEqual(await route.contents('source'));
    expect(await verifyAll(route, 'full')).toMatchObject({ findings: [] });
  });
});
