import { describe, expect, it } from 'vitest';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { eventually } from '../../support/eventually.ts';
import { fence, type RealRoute, realRoute, unfence } from './setup.ts';

const put = ({ call, names }: RealRoute, id: string, source: string, routing?: string) =>
  call(
    'source',
    'PUT',
    `/${names.source}/_doc/${encodeURIComponent(id)}${routing ? `?routing=${routing}` : ''}`,
    source,
  );
const beginAt = async ({ io }: RealRoute, at: 'start' | 'checkpoint') => {
  const begun = await beginTail(at, io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  return begun.state;
};
const shards = (number_of_shards: number) => ({ settings: { number_of_shards } });

describe('the tail between real clusters', () => {
  it('copies documents byte for byte, with routing, over another number of shards', async () => {
    const route = await realRoute({
      source: { ...shards(3), mappings: { dynamic: false } },
      target: { ...shards(2), mappings: { dynamic: false } },
    });
    await put(route, 'a', '{ "n":1.0, "big":12345678901234567890 }');
    await put(route, 'b', '{"e":1E5}', 'r1');
    for (let i = 0; i < 20; i++) await put(route, `d${i}`, `{"i":${i}.50}`);
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', caughtUp: true, behind: 0, docs: 22, applied: 22 });
    expect(await route.contents('target')).toEqual(await route.contents('source'));
  });

  it('sees a document with nested objects once', async () => {
    const mappings = { properties: { parts: { type: 'nested' } } };
    const route = await realRoute({ source: { mappings }, target: { mappings } });
    await put(route, 'a', '{"parts":[{"n":1},{"n":2},{"n":3}]}');
    expect(await route.tailAll()).toMatchObject({ docs: 1, applied: 1 });
    expect(await route.clusters.target.count(route.names.target)).toBe(0);
    expect(await route.contents('target')).toEqual({ a: '{"parts":[{"n":1},{"n":2},{"n":3}]}' });
    expect(await route.clusters.target.count(route.names.target)).toBe(1);
  });

  it('takes the same id under two routings for two documents', async () => {
    const route = await realRoute({ source: shards(5), target: shards(5) });
    const routings = ['r1', 'r2', 'r3', 'r4'];
    for (const routing of routings) await put(route, 'same', `{"r":"${routing}"}`, routing);
    await route.tailAll();
    expect(await route.contents('target')).toEqual(await route.contents('source'));
    expect(Object.keys(await route.contents('target')).length).toBeGreaterThan(1);
  });

  it('copies what came through an alias that adds routing', async () => {
    const route = await realRoute({ source: shards(3), target: shards(3) });
    await route.clusters.source.updateAliases([
      {
        add: {
          index: route.names.source,
          alias: `${route.names.source}-r`,
          index_routing: 'tenant',
          is_write_index: true,
        },
      },
    ]);
    await route.call('source', 'PUT', `/${route.names.source}-r/_doc/a`, '{"n":1}');
    await route.tailAll();
    expect(await route.contents('target')).toEqual({ 'a @tenant': '{"n":1}' });
  });

  it('does nothing on an index that never held a document, or only deletes', async () => {
    const route = await realRoute();
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', caughtUp: true, docs: 0 });
    await route.call('source', 'DELETE', `/${route.names.source}/_doc/never`, undefined, 404);
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', caughtUp: true, docs: 0, behind: 0 });
  });

  it('gets by with an index that allows only small pages', async () => {
    const route = await realRoute({ source: { settings: { max_result_window: 7 } } });
    const lines = Array.from({ length: 300 }, (_, i) => `{"index":{"_id":"${i}"}}\n{"i":${i}}\n`).join('');
    await route.call('source', 'POST', `/${route.names.source}/_bulk`, lines);
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', caughtUp: true, docs: 300 });
    await route.call('source', 'PUT', `/${route.names.source}/_settings`, '{"index.max_result_window":10000}');
    expect(await route.contents('target')).toEqual(await route.contents('source'));
  });

  it('keeps up with concurrent writes and misses no surviving document', async () => {
    const route = await realRoute({ source: shards(2), target: shards(3) });
    let state = await beginAt(route, 'start');
    let writing = true;
    const writer = async (name: number) => {
      for (let n = 0; n < 60; n++) {
        const id = (n * 7 + name) % 25;
        const lines = `{"index":{"_id":"d${id}"}}\n{"writer":${name},"n":${n}}\n{"index":{"_id":"w${name}-${n}"}}\n{"n":${n}}\n`;
        await route.call('source', 'POST', `/${route.names.source}/_bulk`, lines);
      }
    };
    const writers = Promise.all([0, 1, 2].map(writer)).then(() => {
      writing = false;
    });
    let steps = 0;
    for (; writing; steps++) {
      const step = await tailStep(state, route.io);
      expect(step.kind).toBe('ok');
      state = step.state;
    }
    await writers;
    expect(steps).toBeGreaterThan(1);
    expect(await tailStep(state, route.io)).toMatchObject({ kind: 'ok', caughtUp: true, behind: 0 });
    expect(await route.contents('target')).toEqual(await route.contents('source'));
  });

  it('leaves a direct copy alone that is newer than what it read', async () => {
    const route = await realRoute();
    await put(route, 'a', '{"n":1}');
    const alias = `/${route.names.target}`;
    await route.call(
      'target',
      'PUT',
      `${alias}/_doc/a?version=9007199254740000&version_type=external`,
      '{"n":"newer"}',
    );
    expect(await route.tailAll()).toMatchObject({ kind: 'ok', docs: 1, applied: 0 });
    expect(await route.contents('target')).toEqual({ a: '{"n":"newer"}' });
  });

  it('does not bring back what a direct delete removed', async () => {
    const route = await realRoute();
    await put(route, 'a', '{"n":1}');
    await route.call(
      'target',
      'DELETE',
      `/${route.names.target}/_doc/a?version=9007199254740000&version_type=external`,
      undefined,
      404,
    );
    expect(await route.tailAll()).toMatchObject({ docs: 1, applied: 0 });
    expect(await route.contents('target')).toEqual({});
  });

  it('notices that the index was recreated under the same name', async () => {
    const route = await realRoute();
    await put(route, 'a', '{}');
    const state = await beginAt(route, 'start');
    await route.call('source', 'DELETE', `/${route.names.source}`);
    expect(await tailStep(state, route.io)).toMatchObject({ kind: 'index_recreated' });
    await route.clusters.source.createIndex(route.names.source, { settings: { number_of_replicas: 0 } });
    await put(route, 'b', '{}');
    expect(await tailStep(state, route.io)).toMatchObject({
      kind: 'index_recreated',
      detail: expect.stringContaining('UUID'),
    });
    expect(await route.contents('target')).toEqual({});
  });

  it('stops at the fence and keeps its place', async () => {
    const route = await realRoute();
    await put(route, 'a', '{}');
    const state = await beginAt(route, 'start');
    await fence(route);
    expect(await tailStep(state, route.io)).toMatchObject({ kind: 'fenced', state });
    await unfence(route);
  });

  it('starts at the present position when told so', async () => {
    const route = await realRoute();
    await put(route, 'before', '{}');
    const state = await beginAt(route, 'checkpoint');
    await put(route, 'after', '{}');
    await eventually(async () => (await tailStep(state, route.io)).docs === 1);
    expect(await route.contents('target')).toEqual({ after: '{}' });
  });
});
