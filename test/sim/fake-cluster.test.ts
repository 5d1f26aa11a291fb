/** The fake cluster says so when it is asked for what it does not do; what it does is held against a real one elsewhere. */
import { describe, expect, it } from 'vitest';
import { createFakeCluster } from './fake-cluster.ts';
import { applyFilterPath } from './filter-path.ts';

const asked = (method: string, path: string, body?: unknown) => {
  const fake = createFakeCluster({ now: () => 5, name: 'fake', shards: 1 });
  fake.storage.createIndex('a');
  fake.tasks.add({ name: 'a' });
  fake.tasks.add({ name: 'b', fromMs: 6 });
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fake.receive({ method, path, body: text }).run();
};

describe('the fake cluster', () => {
  it.each([
    ['HEAD', '/a'],
    ['POST', '/a'],
    ['POST', '/a/_close'],
    ['POST', '/a/_delete_by_query', { query: { match_all: {} } }],
    ['POST', '/a/_search', { query: { match_all: {} } }],
    ['POST', '/a/_search?preference=_shards:0', { size: 1, query: { match_all: {} } }],
    ['POST', '/a/_search?preference=_primary', { size: 1, query: { range: { _seq_no: { gt: -1, lte: 3 } } } }],
    ['POST', '/a/_count', { query: { match_all: {} } }],
    ['GET', '/a/_settings'],
    ['PUT', '/a/_settings', { 'index.number_of_replicas': 1 }],
    ['PUT', '/a/_mapping', { properties: { n: { type: 'long' } } }],
    ['PUT', '/a/_block/read'],
    ['PUT', '/a/_doc/1?pipeline=p', {}],
    ['PUT', '/a/_doc/1?wait_for_active_shards=2', {}],
    ['GET', '/a/_doc/1?realtime=false'],
    ['GET', '/_cluster/settings'],
    ['GET', '/_cat/indices?format=json'],
    ['GET', '/_nodes'],
    ['POST', '/_reindex', {}],
    ['DELETE', '/_alias/x'],
    ['GET', '/a/_stats/docs?filter_path=indices.**.seq_no'],
  ])('does not know %s %s', (method, path, body?) => {
    expect(() => asked(method, path, body)).toThrow(/the fake cluster does not know/);
  });

  it.each([
    ['', ['a']],
    ['?actions=indices:data/write/*', ['a']],
    ['?actions=indices:data/read/*,indices:data/write/bulk', ['a']],
    ['?actions=indices:data/read/*', []],
  ])('lists tasks of the actions that are asked for: "%s"', (query, names) => {
    const text = asked('GET', `/_tasks${query === '' ? '?' : `${query}&`}detailed=true`).body.toString('utf8');
    expect([...text.matchAll(/indices\[(\w+)\]/g)].map(([, name]) => name)).toEqual(names);
  });
});

describe('filter_path', () => {
  const text = '{"a":{"b":9007199254740995,"c":[]},"items":[{"x":{"status":200}},{"y":{"error":{"type":"t"}}}]}';
  it.each([
    ['a.b', '{"a":{"b":9007199254740995}}'],
    ['a', '{"a":{"b":9007199254740995,"c":[]}}'],
    ['items.*.status', '{"items":[{"x":{"status":200}}]}'],
    ['items.*.status,items.*.error.type', '{"items":[{"x":{"status":200}},{"y":{"error":{"type":"t"}}}]}'],
    ['*.b', '{"a":{"b":9007199254740995}}'],
    ['a.d,z', '{}'],
  ])('%s leaves %s', (filter, left) => {
    expect(applyFilterPath(text, filter)).toBe(left);
  });
});
