/** Holds the simulation's storage against a real cluster: the same requests, the same outcomes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transport, UpstreamAnswer } from '../../../src/upstream/types.ts';
import { createFakeCluster } from '../../sim/fake-cluster.ts';
import { eventually } from '../../support/eventually.ts';
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
const bulk = (lines: unknown[], query = '', prefix = ''): Step => ({
  method: 'POST',
  path: `${prefix}/_bulk${query}`,
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

/** As the tail and the sweep send it, without the node. */
const sweepSearch = (after: number): Step => {
  const { path, ...search } = seqSearch(after, 100);
  const fields = ['_id', '_routing', '_seq_no', '_primary_term', '_version'].map((field) => `hits.hits.${field}`);
  const filter = `allow_partial_search_results=false&filter_path=timed_out,_shards,${fields}`;
  return { ...search, path: `${path}&${filter}`, body: { ...(search.body as object), _source: false } };
};
const mget = (docs: unknown[], query = '_source=false', index = '{index}'): Step => ({
  method: 'POST',
  path: `/${index}/_mget?realtime=true&${query}`,
  body: { docs },
});
const versionsOnly = '_source=false&filter_path=docs.found,docs._version,docs.error';
const stats: Step = {
  method: 'GET',
  path: '/{index}/_stats/docs?level=shards&filter_path=indices.*.shards.*.seq_no',
};
const deleteItem = (id: string, version: number, _index?: string) => ({
  delete: { ...(_index === undefined ? {} : { _index }), _id: id, version, version_type: 'external' },
});
/** As copies are sent: what has only deletes gets one item that holds the name to an alias. */
const copies = (lines: unknown[], alias: string): Step =>
  bulk(
    lines,
    '?require_alias=true&pipeline=_none&filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason',
    `/${alias}`,
  );
const guard = (_index: string) => [{ update: { _index, _id: 'crossfade-guard' } }, { doc: {} }];

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
  [
    'a delete of an index that is not there makes one only by an external version',
    [
      { method: 'DELETE', path: '/{index}-new/_doc/1' },
      { method: 'GET', path: '/{index}-new/_count' },
      { method: 'DELETE', path: '/{index}-new/_doc/1?version_type=external&version=5' },
      { method: 'GET', path: '/{index}-new/_doc/1' },
    ],
  ],
  [
    'require_alias in the query holds no delete',
    [bulk([deleteItem('1', 5, '{index}-new')], '?require_alias=true'), { method: 'GET', path: '/{index}-new/_doc/1' }],
  ],
  [
    'require_alias of one item holds all items of its name, and none of another',
    [
      bulk([
        deleteItem('2', 5, '{index}-gone'),
        { index: { _index: '{index}-gone', _id: '1', require_alias: true } },
        { a: 1 },
        { index: { _index: '{index}-gone', _id: '3' } },
        { a: 1 },
        { index: { _index: '{index}', _id: '1' } },
        { a: 1 },
        { index: { _index: '{index}', _id: '2', require_alias: true } },
        { a: 1 },
        deleteItem('3', 5, '{index}'),
      ]),
      { method: 'GET', path: '/{index}-gone/_count' },
      get('1'),
    ],
  ],
  [
    'the guard of a bulk of deletes changes nothing behind an alias, and refuses all without one',
    [
      openAlias,
      copies([deleteItem('1', 20), ...guard('{index}-e1')], '{index}-e1'),
      copies([deleteItem('1', 20), deleteItem('2', 7), ...guard('{index}-e1')], '{index}-e1'),
      copies([deleteItem('1', 20), ...guard('{index}-gone')], '{index}-gone'),
      { method: 'GET', path: '/{index}-gone/_count' },
      stats,
    ],
  ],
  [
    'copies through a fenced alias are refused one by one',
    [
      makeFence,
      openAlias,
      fence,
      copies([{ index: { _id: '1', version: 3, version_type: 'external' } }, { a: 1 }], '{index}-e1'),
      copies([deleteItem('1', 20), ...guard('{index}-e1')], '{index}-e1'),
    ],
  ],
  [
    'a delete with if_seq_no matches only the present revision',
    [
      doc('1', { a: 1 }),
      doc('1?if_seq_no=5&if_primary_term=1', undefined, 'DELETE'),
      doc('1?if_seq_no=0&if_primary_term=1', undefined, 'DELETE'),
      doc('1?if_seq_no=0&if_primary_term=1', undefined, 'DELETE'),
      doc('9?if_seq_no=0&if_primary_term=1', undefined, 'DELETE'),
      doc('1', { a: 2 }),
    ],
  ],
  [
    'what the mapping refuses takes no sequence number and changes nothing',
    [
      doc('1', { n: 1 }),
      doc('1', { n: 'odd' }),
      external('2', 9, { n: 'odd' }),
      doc('3', { n: 2 }),
      get('1'),
      get('2'),
    ],
  ],
  [
    'many documents are read by id before any refresh, with and without their content',
    [
      doc('1', { a: 1 }),
      external('2', '9007199254740995', { a: 2 }),
      doc('3', undefined, 'DELETE'),
      mget([{ _id: '1' }, { _id: '2' }, { _id: '3' }, { _id: '4' }], '_source=true'),
      mget([{ _id: '1' }, { _id: '2' }, { _id: '3' }, { _id: '4' }]),
      mget([{ _id: '1' }, { _id: '2' }, { _id: '3' }, { _id: '4' }], versionsOnly),
      mget([{ _id: '4' }], versionsOnly),
      mget([{ _id: '1' }], '_source=false', '{index}-gone'),
    ],
  ],
  [
    'the search of a sweep shows versions and no content, and nothing of an empty page',
    [doc('1', { a: 1 }), external('2', '9007199254740995'), refresh, sweepSearch(-1), sweepSearch(0), sweepSearch(5)],
  ],
  [
    'checkpoints grow with every number given out',
    [stats, doc('1', { a: 1 }), doc('2', undefined, 'DELETE'), external('1', 1), stats, refresh, stats],
  ],
  [
    'routing is told wherever the document is',
    [
      doc('1?routing=r', { a: 1 }),
      bulk([{ index: { _index: '{index}', _id: '2', routing: 's' } }, { a: 2 }]),
      doc('3', { a: 3 }),
      refresh,
      doc('1?routing=r', undefined, 'GET'),
      mget([{ _id: '1', routing: 'r' }, { _id: '2', routing: 's' }, { _id: '3' }], '_source=true'),
      seqSearch(-1, 100),
      { method: 'POST', path: '/{index}/_count', body: { query: { exists: { field: '_routing' } } } },
    ],
  ],
  [
    'aliases are told by pattern, and a name that is none is missing',
    [
      openAlias,
      { method: 'GET', path: '/_alias/{index}-e1' },
      { method: 'GET', path: '/_alias/{index}-*' },
      { method: 'GET', path: '/_alias/{index}-gone' },
      { method: 'GET', path: '/_alias/{index}-gone*' },
      { method: 'HEAD', path: '/{index}/_alias/{index}-e1' },
      { method: 'HEAD', path: '/{index}/_alias/{index}-e2' },
    ],
  ],
  [
    'an index that is deleted is gone with its documents and aliases',
    [
      openAlias,
      doc('1', { a: 1 }),
      { method: 'DELETE', path: '/{index}' },
      get('1'),
      { method: 'GET', path: '/_alias/{index}-*' },
      { method: 'DELETE', path: '/{index}' },
      { method: 'GET', path: '/_cluster/health/{index}?timeout=0s' },
    ],
  ],
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
  '_index',
  'timed_out',
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
    // By its words members know the fence.
    ...(error?.['type'] === 'cluster_block_exception' ? { reason: error['reason'] } : {}),
  };
};
/** 2^53 and beyond must be compared as text. */
const exact = (text: string): unknown => JSON.parse(text.replace(/("_version":)(\d+)/g, '$1"$2"'));

const namesIn = (value: unknown): string[] =>
  Object.values(value as Record<string, { aliases?: Json }>).flatMap(({ aliases }) => Object.keys(aliases ?? {}));

/** Names are put back, so that both tell the same; what an answer was filtered to is compared whole. */
const outcomeOf = ({ status, body }: UpstreamAnswer, { method, path }: Step, index: string): unknown => {
  if (method === 'HEAD') return { status };
  const value = exact(body.toString('utf8').replaceAll(index, '{index}'));
  const isList = path.startsWith('/_alias/');
  const whole = path.includes('filter_path');
  return { status, ...(isList ? { aliases: namesIn(value) } : { body: whole ? value : keep(value) }) };
};

const send = (transport: Transport, index: string, { method, path, body }: Step): Promise<UpstreamAnswer> => {
  const named = (text: string): string => text.replaceAll('{index}', index);
  const text = body === undefined ? undefined : named(typeof body === 'string' ? body : JSON.stringify(body));
  const type = path.includes('/_bulk') ? 'application/x-ndjson' : 'application/json';
  const headers = text === undefined ? {} : { headers: { 'content-type': type } };
  return transport.request({ method, path: named(path), body: text, ...headers });
};
const play = async (transport: Transport, index: string, steps: readonly Step[]): Promise<unknown[]> => {
  const outcomes: unknown[] = [];
  for (const step of steps) outcomes.push(outcomeOf(await send(transport, index, step), step, index));
  return outcomes;
};

describe('the simulated storage', () => {
  let real: Transport;
  const made: string[] = [];
  beforeAll(async () => {
    real = testTransport((await services()).sourceUrl);
  });
  afterAll(async () => {
    const names = made.flatMap((name) => ['', '-fence', '-new', '-gone'].map((end) => name + end));
    await real.request({ method: 'DELETE', path: `/${names.join(',')}?ignore_unavailable=true` });
  });

  /** Nothing refreshes by itself in the simulation, and there is one refusal, of what the mapping here refuses. */
  const both = async (shards = 1, more = {}, query = '') => {
    const index = uniqueName('conform');
    made.push(index);
    const few = { number_of_shards: shards, number_of_replicas: 0, refresh_interval: -1, ...more };
    const body = { settings: { index: few }, mappings: { properties: { n: { type: 'integer' } } } };
    await send(real, index, { method: 'PUT', path: `/{index}${query}`, body });
    const fake = createFakeCluster({ now: () => 0, name: 'fake', shards });
    fake.storage.createIndex(index);
    fake.storage.refusal = (source) => (/"n":"/.test(source) ? 'failed to parse field [n]' : undefined);
    return { index, fake };
  };

  for (const [title, steps] of cases) {
    it(`behaves as a real cluster: ${title}`, async () => {
      const { index, fake } = await both();
      expect(await play(fake.transport, index, steps)).toEqual(await play(real, index, steps));
    });
  }

  /** Where a document lies is each cluster's own matter. */
  const shardsOf = async (transport: Transport, index: string) => {
    const writes = Array.from({ length: 12 }, (_, i) => [doc(`${i}`, { i }), doc(`${i}?routing=r${i}`, { i })]).flat();
    await play(transport, index, [...writes, refresh]);
    const pages = await Promise.all(
      [0, 1].map(async (shard) => {
        const { path, ...search } = seqSearch(-1, 100);
        const answer = await send(transport, index, { ...search, path: path.replace('_shards:0', `_shards:${shard}`) });
        const { hits } = JSON.parse(answer.body.toString('utf8')) as {
          hits: { hits: { _id: string; _seq_no: number }[] };
        };
        return hits.hits;
      }),
    );
    const told = JSON.parse((await send(transport, index, stats)).body.toString('utf8')) as Record<string, Json>;
    const { shards } = told['indices']![index] as { shards: Record<string, { seq_no: Record<string, number> }[]> };
    const highest = Object.values(shards).map(([copy]) => copy!.seq_no);
    const routed = writes
      .filter(({ path }) => path.includes('routing'))
      .map((step) => ({ ...step, method: 'GET', body: undefined }));
    return {
      // A document that a routing sends to the shard of its id replaced itself there.
      numbersAreOfTheShard: pages.every((page, shard) =>
        page.every(
          ({ _seq_no }, i) => _seq_no <= highest[shard]!['max_seq_no']! && (i === 0 || _seq_no > page[i - 1]!._seq_no),
        ),
      ),
      checkpointsAreWhole: highest.every((one) => one['global_checkpoint'] === one['max_seq_no']),
      given: highest.reduce((sum, one) => sum + one['max_seq_no']! + 1, 0),
      ids: new Set(pages.flat().map(({ _id }) => _id)).size,
      found: (await Promise.all(routed.map((step) => send(transport, index, step)))).map(({ status }) => status),
    };
  };
  it('behaves as a real cluster: two shards count for themselves, and a routing finds what it wrote', async () => {
    const { index, fake } = await both(2);
    const expected = { numbersAreOfTheShard: true, checkpointsAreWhole: true, given: 24, ids: 12 };
    const told = await shardsOf(real, index);
    expect(told).toMatchObject(expected);
    expect(await shardsOf(fake.transport, index)).toEqual(told);
  });

  const throughAlias: [string, Step][] = [
    ['a write', { method: 'PUT', path: '/{index}-e1/_doc/1', body: { a: 1 } }],
    ['a bulk', bulk([{ index: { _id: '1' } }, { a: 1 }, { delete: { _id: '2' } }], '', '/{index}-e1')],
  ];
  it.each(throughAlias)(
    'behaves as a real cluster: %s goes where its alias led when it was taken in',
    async (_title, step) => {
      const nowhere = { 'routing.allocation.require._name': 'nobody' };
      const { index, fake } = await both(1, nowhere, '?wait_for_active_shards=0');
      const before = [makeFence, openAlias];
      const after = [step, get('1')];
      await play(real, index, before);
      // It waits for its shard, which nobody holds yet.
      const waiting = send(real, index, step);
      await eventually(async () => (await listed(real)).includes(index), { what: 'the write to be under way' });
      await play(real, index, [fence]);
      const freed = { 'index.routing.allocation.require._name': null };
      await play(real, index, [{ method: 'PUT', path: '/{index}/_settings', body: freed }]);
      const told = [outcomeOf(await waiting, step, index), ...(await play(real, index, after))];

      await play(fake.transport, index, before);
      const named = (text: string): string => text.replaceAll('{index}', index);
      const body = named(typeof step.body === 'string' ? step.body : JSON.stringify(step.body));
      const received = fake.receive({ method: step.method, path: named(step.path), body });
      received.resolve();
      await play(fake.transport, index, [fence]);
      expect([outcomeOf(received.run(), step, index), ...(await play(fake.transport, index, after))]).toEqual(told);
    },
  );
});

const listed = async (transport: Transport): Promise<string> => {
  const path = '/_tasks?actions=indices:data/write/*&detailed=true';
  return (await transport.request({ method: 'GET', path })).body.toString('utf8');
};
