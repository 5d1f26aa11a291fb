/** Mismatches under writes: two pretended clusters hold documents that change while a sample is asked again. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { evidenceSubject } from '../../../src/coordination/evidence-subject.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { systemTimers, type Timers } from '../../../src/coordination/timers.ts';
import type { UnstableSample } from '../../../src/proxy/shadow/ports.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeCluster, type Seen, startFakeCluster } from '../../support/fake-cluster.ts';
import { type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';

type Doc = { id: string; seq: number; version: number; source: unknown };

let source: FakeCluster;
let target: FakeCluster;
let stack: ReadStack;
/** What each side holds, visible at once. */
let docs: { source: Map<string, Doc>; target: Map<string, Doc> };
/** Called before each answer of the source. */
let writing: (n: number) => void;

const write = (id: string, seq: number, value: unknown = seq): void =>
  void docs.source.set(id, { id, seq, version: seq + 1, source: { value } });
const copy = (id: string, value?: unknown): void => {
  const doc = docs.source.get(id);
  if (doc === undefined) docs.target.delete(id);
  else {
    const version = Number(packStamp('narrow', { reign: 1, term: 1, seq: doc.seq }));
    docs.target.set(id, { ...doc, version, ...(value === undefined ? {} : { source: { value } }) });
  }
};

const documentOf = (side: string, { id, seq, version, source: _source }: Doc) => ({
  ...{ _index: `${side}_index`, _id: id, _score: null, sort: [id] },
  ...{ _seq_no: seq, _primary_term: 1, _version: version, _source },
});
/** As asked without some of the documents. */
const leftOut = (body: string): string[] =>
  (JSON.parse(body || '{}') as { query?: { bool?: { must_not: [{ ids: { values: string[] } }] } } }).query?.bool
    ?.must_not[0].ids.values ?? [];
/** The number of documents that the target's aggregation does not see. */
let unseen: number;
const searched = (side: 'source' | 'target', body: string) => {
  const found = [...docs[side].values()].filter(({ id }) => !leftOut(body).includes(id));
  const hits = found.sort((a, b) => a.id.localeCompare(b.id)).map((doc) => documentOf(side, doc));
  return {
    ...{ took: 1, timed_out: false, _shards: { total: 1, successful: 1, skipped: 0, failed: 0 } },
    hits: { total: { value: hits.length, relation: 'eq' }, max_score: null, hits },
    aggregations: { seen: { value: hits.length - (side === 'target' ? unseen : 0) } },
  };
};
const got = (side: 'source' | 'target', id: string) => {
  const doc = docs[side].get(id);
  return doc ? { ...documentOf(side, doc), found: true } : { _index: `${side}_index`, _id: id, found: false };
};
const answerOf =
  (side: 'source' | 'target') =>
  ({ path, body }: Seen) => {
    if (path.endsWith('_refresh')) return undefined;
    const id = /_doc\/([^?]+)/.exec(path)?.[1];
    return {
      body: id === undefined ? searched(side, body) : got(side, id),
      status: id && !docs[side].has(id) ? 404 : 200,
    };
  };

beforeAll(async () => {
  [source, target] = [await startFakeCluster('source'), await startFakeCluster('target')];
});
afterAll(() => Promise.all([source.close(), target.close()]));
beforeEach(async () => {
  docs = { source: new Map(), target: new Map() };
  writing = () => undefined;
  unseen = 0;
  for (const { seen } of [source, target]) seen.length = 0;
  let asked = 0;
  source.answer = (seen) => {
    if (!seen.path.endsWith('_refresh')) writing(++asked);
    return answerOf('source')(seen);
  };
  target.answer = answerOf('target');
  for (const id of ['a', 'b', 'c']) {
    write(id, id.charCodeAt(0));
    copy(id);
  }
  stack = await startReadStack({
    sourceUrl: source.url,
    targetUrl: target.url,
    shadow: { settleMs: [0, 0, 0], refreshIntervalMs: 0 },
  });
  return () => stack.close();
});

const indices = [{ source: 'source_index', target: 'target_index' }];
const start = (baselinePercent = 0, profile?: object): void => {
  const state = routeState({ slug: 'r', phase: 'dual', indices, aliases: ['r'], percent: { shadow: 100 } });
  const spec = RouteSpec.parse({
    route: 'r',
    indices,
    aliases: ['r'],
    shadow: { baselinePercent, ...(profile && { profile }) },
  });
  stack.setStates({ ...state, spec, phase: { ...state.phase, reign: 1 } });
};
const counted = async () => {
  const counts = () => stack.shadow.counts('r');
  await eventually(() => counts().sampled === 1 && counts().underWay === 0, { what: 'the sample settled' });
  const { compared, mismatched, skipped } = counts();
  return { compared, mismatched, skipped };
};
const search = () => stack.send('POST', '/r/_search', { body: { query: { match_all: {} }, sort: ['id'] } });
const get = () => stack.send('GET', '/r/_doc/a');

/** Every answer of the source sees one more new document, and copies are always two documents behind. */
const writeOn = (): void => {
  const id = (n: number) => `new${String(n).padStart(3, '0')}`;
  writing = (n) => {
    write(id(n), 1000 + n);
    if (n > 2) copy(id(n - 2));
  };
};

describe('a search whose documents are written all the time', () => {
  it.each([0, 100])('counts no mismatch, with a baseline of %i percent', async (baselinePercent) => {
    start(baselinePercent);
    writeOn();
    await search();
    expect(await counted()).toEqual({ compared: 0, mismatched: 0, skipped: { unstable: 1 } });
  });

  it('is told with its shape, so that a kind of query that is never judged can be seen', async () => {
    await stack.close();
    const told: UnstableSample[] = [];
    stack = await startReadStack({
      sourceUrl: source.url,
      targetUrl: target.url,
      shadow: { settleMs: [0, 0, 0], refreshIntervalMs: 0, onUnstable: (sample) => told.push(sample) },
    });
    start();
    writeOn();
    await search();
    await counted();
    const drawn = routeState({ slug: 'r', percent: { shadow: 100 } });
    expect(told).toMatchObject([
      { slug: 'r', subject: evidenceSubject(drawn, true), shape: { label: expect.stringMatching(/^search/) } },
    ]);
  });

  it('is told as evidence of the spec that it was drawn under, also when another one came while it settled', async () => {
    start();
    target.answer = (seen) => {
      if (seen.path.endsWith('_refresh')) {
        copy('d');
        stack.setStates({ ...routeState({ slug: 'r', indices, aliases: ['r'] }), specRevision: 9 });
      }
      return answerOf('target')(seen);
    };
    write('d', 500);
    await search();
    await counted();
    const drawn = routeState({ slug: 'r', percent: { shadow: 100 } });
    expect(stack.reports[0]?.subject).toBe(evidenceSubject(drawn, true));
  });

  it('is settled as soon as the copies are there', async () => {
    start();
    docs.source.set('d', { id: 'd', seq: 500, version: 1, source: {} });
    let turn = 0;
    target.answer = (seen) => {
      if (seen.path.endsWith('_refresh') && ++turn === 2) copy('d');
      return answerOf('target')(seen);
    };
    await search();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
    expect(stack.reports[0]).toMatchObject({ settled: true, observation: { severity: 'none' } });
  });
});

describe.each(['S1', 'S2', 'S3'])('a document whose content a rule of the profile calls %s', (severity) => {
  const profile = { severity: [{ path: '_source', severity }] };

  it('is settled when the difference is gone in the second round', async () => {
    start(0, profile);
    write('b', 500);
    target.answer = (seen) => {
      if (seen.path.endsWith('_refresh')) copy('b');
      return answerOf('target')(seen);
    };
    await search();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
    expect(stack.reports[0]).toMatchObject({ settled: true, observation: { severity: 'none' } });
  });

  it('counts so when it stays another one', async () => {
    start(0, profile);
    copy('b', 'changed');
    await search();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]?.observation.severity).toBe(severity);
  });
});

describe('a search that shows nothing but contents', () => {
  /** Two hits of many; `sort` as far as it is asked for. */
  const showing =
    (side: string, sort: number) =>
    ({ path }: Seen) => {
      const contents = [1, 2].map((n) => ({ _source: { side, n } }));
      const named = contents.map((hit, n) => ({ ...hit, _index: `${side}_index`, _id: `${side}${n}`, sort: [sort] }));
      return { body: { hits: { hits: path.includes('hits.hits.sort') ? named : contents } } };
    };
  const ask = () => stack.send('POST', '/r/_search?filter_path=hits.hits._source', { body: { size: 2, sort: ['n'] } });

  it('is settled when its hits are seen to tie', async () => {
    start();
    [source.answer, target.answer] = [showing('source', 5), showing('target', 5)];
    await ask();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
  });

  it('counts when its hits are seen to be others', async () => {
    start();
    [source.answer, target.answer] = [showing('source', 5), showing('target', 7)];
    await ask();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]?.observation.severity).toBe('S4');
  });

  it('is asked again also when only one of them is another, which may be a stale one', async () => {
    start();
    source.answer = showing('both', 5);
    target.answer = (seen) => {
      const given = showing('both', 5)(seen);
      given.body.hits.hits[0]!._source.n = 9;
      return given;
    };
    await ask();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]?.observation.severity).toBe('S7');
  });
});

describe('a search of which some documents are on their way whenever somebody looks', () => {
  /** Written anew at every refresh, its copy always behind; nothing else changes. */
  const writeAtRefreshes = (): void => {
    let seq = 3000;
    for (const id of ['c', 'd', 'e', 'f']) {
      write(id, seq++);
      copy(id);
    }
    target.answer = (seen) => {
      if (seen.path.endsWith('_refresh')) write('c', seq++);
      return answerOf('target')(seen);
    };
    write('c', seq++);
  };
  const askedWithout = () =>
    target.seen.filter(({ body }) => leftOut(body).length > 0).map(({ body }) => leftOut(body));
  const aggregate = (more: object = {}) =>
    stack.send('POST', '/r/_search', {
      body: { query: { match_all: {} }, sort: ['id'], aggs: { seen: { value_count: { field: 'id' } } }, ...more },
    });

  it('is equal when the rest of it is', async () => {
    start();
    writeAtRefreshes();
    await aggregate();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
    expect(askedWithout()).toEqual([['c']]);
    expect(stack.reports[0]).toMatchObject({ settled: true, baseline: undefined });
  });

  it('counts a mismatch when an aggregation over the rest differs', async () => {
    start();
    writeAtRefreshes();
    unseen = 1;
    await aggregate();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]).toMatchObject({ settled: false, observation: { severity: 'S6', counts: { S6: 1 } } });
  });

  it('says nothing when yet another document was written before each look', async () => {
    start();
    writeAtRefreshes();
    unseen = 1;
    writing = (n) => write(`g${n}`, 5000 + n);
    await aggregate();
    expect(await counted()).toEqual({ compared: 0, mismatched: 0, skipped: { unstable: 1 } });
  });

  it('says nothing when the other side cannot be asked so', async () => {
    start();
    writeAtRefreshes();
    const { answer } = target;
    target.answer = (seen) => (leftOut(seen.body).length > 0 ? { status: 503, body: {} } : answer(seen));
    await aggregate();
    expect(await counted()).toEqual({ compared: 0, mismatched: 0, skipped: { unstable: 1 } });
  });

  it.each<[string, object, object]>([
    ['counts the order of a page by a field', {}, { mismatched: 1, skipped: {} }],
    ['takes the order of a page by score for noise', { sort: [] }, { mismatched: 0, skipped: { unstable: 1 } }],
  ])('%s', async (_title, more, expected) => {
    start();
    writeAtRefreshes();
    const { answer } = target;
    target.answer = (seen) => {
      const given = answer(seen) as { body: { hits: { hits: unknown[] } } } | undefined;
      if (leftOut(seen.body).length > 0) given?.body.hits.hits.reverse();
      return given;
    };
    await aggregate(more);
    expect(await counted()).toMatchObject(expected);
    expect(askedWithout()).toEqual([['c']]);
  });

  it('is not asked so when its documents do not count one by one', async () => {
    start();
    writeAtRefreshes();
    await aggregate({ rescore: { window_size: 10, query: { rescore_query: { match_all: {} } } } });
    expect(await counted()).toEqual({ compared: 0, mismatched: 0, skipped: { unstable: 1 } });
    expect(askedWithout()).toEqual([]);
  });
});

describe('a mismatch counts', () => {
  it('when a document stays away, while another one is on its way', async () => {
    start();
    docs.target.delete('b');
    // Written once by the time that both sides are asked again, and then left alone.
    writing = (n) => n === 4 && write('late', 2000);
    await search();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]).toMatchObject({ observation: { severity: 'S3' }, settled: false });
  });

  it('when a document has the same stamp on both sides and another content', async () => {
    start();
    copy('b', 'changed');
    await search();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    expect(stack.reports[0]?.observation.severity).toBe('S7');
  });

  it('when totals differ although both sides hold the same documents', async () => {
    start();
    target.answer = (seen) => {
      const answer = answerOf('target')(seen) as { body: { hits?: { total: { value: number } } } } | undefined;
      if (answer?.body.hits && !seen.path.includes('filter_path')) answer.body.hits.total.value = 7;
      return answer;
    };
    await search();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
    // Nothing stands out, so nothing has to be waited for: two repetitions.
    expect(target.seen.filter(({ path }) => path.endsWith('_refresh'))).toHaveLength(2);
  });
});

it('a sample counts against the budget what it keeps of past rounds while it rests', async () => {
  await stack.close();
  let wake: (() => void) | undefined;
  const longRestMs = 7;
  const timers: Timers = {
    set: (run, ms) => {
      if (ms !== longRestMs) return systemTimers.set(run, ms);
      wake = run;
      return () => undefined;
    },
  };
  stack = await startReadStack({
    sourceUrl: source.url,
    targetUrl: target.url,
    // Room for two answers as they come, and not for one more of a round.
    shadow: { settleMs: [0, longRestMs, 0], refreshIntervalMs: 0, timers, maxQueuedBytes: 2000 },
  });
  start();
  docs.target.delete('b');
  await search();
  await eventually(() => wake !== undefined);
  await search();
  await eventually(() => stack.shadow.counts('r').skipped.queue_full === 1);
  wake?.();
  await eventually(() => stack.shadow.counts('r').underWay === 0);
  const { compared, skipped } = stack.shadow.counts('r');
  expect([compared, skipped]).toEqual([1, { queue_full: 1 }]);
});

describe('a document read by id', () => {
  it('that stays an older state counts', async () => {
    start();
    write('a', 700);
    await get();
    expect(await counted()).toMatchObject({ compared: 1, mismatched: 1 });
  });

  it('that is written again before each look says nothing', async () => {
    start();
    writing = (n) => {
      copy('a');
      write('a', 800 + n);
    };
    await get();
    expect(await counted()).toEqual({ compared: 0, mismatched: 0, skipped: { unstable: 1 } });
  });

  it('whose copy arrives is settled', async () => {
    start();
    write('a', 900);
    writing = (n) => n === 2 && copy('a');
    await get();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
  });
});

describe('how a side answers at all', () => {
  type Given = { status?: number; body: object };
  const refused = (status: number, type: string, reason = 'no'): Given => ({
    status,
    body: { error: { type, root_cause: [{ type, reason }] }, status },
  });
  const partial: Given = {
    body: {
      took: 1,
      timed_out: false,
      _shards: { total: 2, successful: 1, skipped: 0, failed: 1 },
      hits: { hits: [] },
    },
  };
  /** The first search is answered so, and every later one as it should be. */
  const answerFirst = (cluster: FakeCluster, given: Given, { after = 0 } = {}): void => {
    const { answer } = cluster;
    let searches = 0;
    cluster.answer = (seen) => (seen.path.includes('_search') && ++searches === after + 1 ? given : answer?.(seen));
  };

  it.each<[string, Given, string]>([
    ['a partial answer', partial, 'S2'],
    ['a refusal of rights', refused(403, 'security_exception'), 'S1'],
    ['a missing index', refused(404, 'index_not_found_exception'), 'S1'],
    ['a query that is not understood', refused(400, 'parsing_exception'), 'S1'],
    ['a failure', refused(503, 'unavailable'), 'S0'],
  ])('counts as first seen although it is gone when asked again: %s', async (_title, given, severity) => {
    start();
    answerFirst(target, given);
    await search();
    expect(await counted()).toEqual({ compared: 1, mismatched: 1, skipped: {} });
    expect(stack.reports[0]).toMatchObject({ settled: false, observation: { severity } });
  });

  it('counts as first seen in the authority that is held against itself', async () => {
    start(100);
    answerFirst(source, refused(403, 'security_exception'), { after: 1 });
    await search();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
    expect(stack.reports[0]).toMatchObject({ observation: { severity: 'none' }, baseline: { severity: 'S1' } });
  });

  it.each([
    [
      'a field that no document had',
      refused(400, 'query_shard_exception', 'No mapping found for [new] in order to sort on'),
    ],
    [
      'a document to percolate',
      refused(404, 'resource_not_found_exception', "indexed document [i/1] couldn't be found"),
    ],
    ['a shape', refused(400, 'illegal_argument_exception', 'Shape with ID [1] not found')],
  ])('is settled where a write explains it: %s', async (_title, given) => {
    start();
    answerFirst(target, given);
    await search();
    expect(await counted()).toEqual({ compared: 1, mismatched: 0, skipped: {} });
    expect(stack.reports[0]).toMatchObject({ settled: true });
  });
});
