/** Holds the simulation's storage against a real cluster: the same requests, the same outcomes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transport } from '../../../src/upstream/types.ts';
import { createFakeCluster } from '../../sim/fake-cluster.ts';
import { services, uniqueName } from '../../support/services.ts';
import { testTransport } from '../../support/transport.ts';

type Step = { method: string; path: string; body?: unknown };
const doc = (path: string, body?: unknown, method = 'PUT'): Step => ({ method, path: `/{index}/_doc/${path}`, body });
const external = (id: string, version: number | string, body: unknown = { v: version }): Step =>
  doc(`${id}?version_type=external&version=${version}`, body);
const orEqual = (id: string, version: number, body: unknown = { v: version }): Step =>
  doc(`${id}?version_type=external_gte&version=${version}`, body);
const externalDelete = (id: string, version: number | string): Step =>
  doc(`${id}?version_type=external&version=${version}`, undefined, 'DELETE');
const bulk = (lines: unknown[], query = ''): Step => ({
  method: 'POST',
  path: `/_bulk${query}`,
  body: `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`,
});
const alias = (...actions: unknown[]): Step => ({ method: 'POST', path: '/_aliases', body: { actions } });
const openAlias = alias({ add: { index: '{index}', alias: '{index}-e1', is_write_index: true, is_hidden: true } });
const fence = alias(
  { remove: { index: '{index}', alias: '{index}-e1' } },
  { add: { index: '{index}-fence', alias: '{index}-e1', is_write_index: true, is_hidden: true } },
);
const makeFence: Step = {
  method: 'PUT',
  path: '/{index}-fence',
  body: { settings: { index: { hidden: true, number_of_shards: 1, number_of_replicas: 0, 'blocks.write': true } } },
};
const refresh: Step = { method: 'POST', path: '/{index}/_refresh' };
const count: Step = { method: 'GET', path: '/{index}/_count' };
const get = (id: string): Step => doc(id, undefined, 'GET');
const seqSearch = (after: number, upTo: number): Step => ({
  method: 'POST',
  path: '/{index}/_search?preference=_shards:0',
  body: {
    size: 100,
    query: { range: { _seq_no: { gt: after, lte: upTo } } },
    sort: [{ _seq_no: { order: 'asc', unmapped_type: 'long' } }],
    seq_no_primary_term: true,
    version: true,
    track_total_hits: false,
    _source: true,
  },
});

const primaryTerms: Step = {
  method: 'GET',
  path: '/_cluster/state/metadata/{index}?filter_path=metadata.indices.*.primary_terms',
};

const cases: [string, Step[]][] = [
  [
    'index, overwrite, delete and recreate count versions and sequence numbers',
    [doc('1', { a: 1 }), doc('1', { a: 2 }), doc('1', undefined, 'DELETE'), doc('1', { a: 3 }), get('1')],
  ],
  ['a delete of an absent document takes a sequence number', [doc('x', undefined, 'DELETE'), doc('1', { a: 1 })]],
  [
    'create conflicts with a live document and takes no sequence number',
    [doc('1', {}), { method: 'PUT', path: '/{index}/_create/1', body: {} }, doc('2', {})],
  ],
  [
    'external versions only grow and equal ones conflict',
    [external('1', 10), external('1', 10), external('1', 9), external('1', 11), get('1')],
  ],
  [
    'an external version of the other kind takes the place of an equal one, and of a delete',
    [
      external('1', 10),
      orEqual('1', 10, { v: 100 }),
      orEqual('1', 9),
      get('1'),
      externalDelete('1', 20),
      orEqual('1', 20),
      get('1'),
    ],
  ],
  [
    'an external delete of an absent document leaves a tombstone that refuses lower versions',
    [externalDelete('1', 20), external('1', 15), external('1', 21)],
  ],
  [
    'an external delete with a lower version conflicts',
    [external('1', 10), externalDelete('1', 9), externalDelete('1', 11), get('1')],
  ],
  [
    'wide versions keep every digit',
    [external('1', '9007199254740995'), external('1', '9007199254740994'), external('1', '9007199254740996'), get('1')],
  ],
  [
    'if_seq_no matches only the present revision',
    [
      doc('1', { a: 1 }),
      doc('1?if_seq_no=0&if_primary_term=1', { a: 2 }),
      doc('1?if_seq_no=0&if_primary_term=1', { a: 3 }),
      doc('1?if_seq_no=1&if_primary_term=4503599627370496', { a: 4 }),
    ],
  ],
  [
    'update merges, detects a noop and misses an absent document',
    [
      doc('1', { a: 1 }),
      { method: 'POST', path: '/{index}/_update/1?_source=true', body: { doc: { b: 2 } } },
      { method: 'POST', path: '/{index}/_update/1?_source=true', body: { doc: { b: 2 } } },
      { method: 'POST', path: '/{index}/_update/9', body: { doc: { b: 2 } } },
      { method: 'POST', path: '/{index}/_update/9?_source=true', body: { doc: { b: 2 }, doc_as_upsert: true } },
    ],
  ],
  [
    'bulk items succeed and fail one by one',
    [
      bulk([
        { index: { _index: '{index}', _id: '1' } },
        { a: 1 },
        { create: { _index: '{index}', _id: '1' } },
        { a: 2 },
        { update: { _index: '{index}', _id: '1', _source: true } },
        { doc: { b: 1 } },
        { delete: { _index: '{index}', _id: '7' } },
        { index: { _index: '{index}', _id: '2', version: 5, version_type: 'external' } },
        { a: 1 },
        { index: { _index: '{index}', _id: '2', version: 5, version_type: 'external' } },
        { a: 1 },
        { delete: { _index: '{index}', _id: '2', version: 6, version_type: 'external' } },
      ]),
    ],
  ],
  [
    'a fenced alias refuses every write with 403 and nothing is applied',
    [
      makeFence,
      openAlias,
      { method: 'PUT', path: '/{index}-e1/_doc/1', body: { a: 1 } },
      fence,
      { method: 'PUT', path: '/{index}-e1/_doc/1', body: { a: 2 } },
      { method: 'DELETE', path: '/{index}-e1/_doc/1' },
      { method: 'POST', path: '/{index}-e1/_update/1', body: { doc: { a: 3 } } },
      bulk([{ index: { _index: '{index}-e1', _id: '3' } }, {}, { delete: { _index: '{index}-e1', _id: '1' } }]),
      get('1'),
    ],
  ],
  [
    'require_alias refuses a name that is no alias',
    [bulk([{ index: { _index: '{index}', _id: '1' } }, {}], '?require_alias=true')],
  ],
  [
    'a search sees writes only after a refresh, sorted by sequence number',
    [
      doc('1', { a: 1 }),
      doc('2', { a: 2 }),
      doc('1', { a: 3 }),
      refresh,
      doc('3', {}),
      count,
      seqSearch(-1, 100),
      seqSearch(1, 2),
      refresh,
      count,
    ],
  ],
  [
    'removing an alias that must exist and does not changes nothing',
    [
      openAlias,
      alias(
        { add: { index: '{index}', alias: '{index}-e2' } },
        { remove: { index: '{index}', alias: '{index}-nope', must_exist: true } },
      ),
      { method: 'GET', path: '/_alias/{index}-*' },
    ],
  ],
  [
    'a second write index under one alias is refused, and the alias stays where it was',
    [
      makeFence,
      openAlias,
      fence,
      openAlias,
      { method: 'PUT', path: '/{index}-e1/_doc/1', body: { a: 1 } },
      { method: 'GET', path: '/_alias/{index}-*' },
    ],
  ],
  ['primary terms are told by shard', [primaryTerms, doc('1', { a: 1 }), primaryTerms]],
];

type Json = Record<string, unknown>;
const fields = [
  '_id',
  '_version',
  '_seq_no',
  '_primary_term',
  'result',
  'found',
  '_source',
  'status',
  'count',
  'acknowledged',
  'errors',
  '_routing',
];
const keep = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(keep);
  if (typeof value !== 'object' || value === null) return value;
  const object = value as Json;
  const error = object['error'] as Json | undefined;
  const nested = ['items', 'hits', 'docs', 'get', 'index', 'create', 'update', 'delete', 'aliases'].filter(
    (name) => typeof object[name] === 'object',
  );
  return {
    ...Object.fromEntries(fields.filter((name) => name in object).map((name) => [name, object[name]])),
    ...Object.fromEntries(nested.map((name) => [name, keep(object[name])])),
    ...(error === undefined ? {} : { errorType: error['type'] }),
  };
};
/** 2^53 and beyond must be compared as text. */
const exact = (text: string): unknown => JSON.parse(text.replace(/("_version":)(\d+)/g, '$1"$2"'));

const play = async (transport: Transport, index: string, steps: Step[]): Promise<unknown[]> => {
  const named = (text: string): string => text.replaceAll('{index}', index);
  const outcomes: unknown[] = [];
  for (const { method, path, body } of steps) {
    const text = body === undefined ? undefined : named(typeof body === 'string' ? body : JSON.stringify(body));
    const type = path.startsWith('/_bulk') ? 'application/x-ndjson' : 'application/json';
    const answer = await transport.request({
      method,
      path: named(path),
      body: text,
      ...(text === undefined ? {} : { headers: { 'content-type': type } }),
    });
    const value = exact(answer.body.toString('utf8'));
    const aliases = path.startsWith('/_alias/')
      ? Object.keys((Object.values(value as Json)[0] as { aliases: Json }).aliases).map((name) =>
          name.slice(index.length),
        )
      : undefined;
    const terms = path === primaryTerms.path ? value : undefined;
    outcomes.push({ status: answer.status, body: keep(value), aliases, terms });
  }
  return outcomes;
};

describe('the simulated storage', () => {
  let real: Transport;
  const made: string[] = [];
  beforeAll(async () => {
    real = testTransport((await services()).sourceUrl);
  });
  afterAll(async () => {
    await real.request({
      method: 'DELETE',
      path: `/${made.flatMap((name) => [name, `${name}-fence`]).join(',')}?ignore_unavailable=true`,
    });
  });

  for (const [title, steps] of cases) {
    it(`behaves as a real cluster: ${title}`, async () => {
      const index = uniqueName('conform');
      made.push(index);
      // Nothing refreshes by itself in the simulation.
      const settings = { settings: { index: { number_of_shards: 1, number_of_replicas: 0, refresh_interval: -1 } } };
      await real.request({
        method: 'PUT',
        path: `/${index}`,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(settings),
      });
      const fake = createFakeCluster({ now: () => 0, name: 'fake', shards: 1 });
      fake.storage.createIndex(index);
      expect(await play(fake.transport, index, steps)).toEqual(await play(real, index, steps));
    });
  }
});
