import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Percents, Phase } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { eventually } from '../../support/eventually.ts';
import { type FakeCluster, misbehaviours, searchAnswer, startFakeCluster } from '../../support/fake-cluster.ts';
import { type Got, type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';

let source: FakeCluster;
let target: FakeCluster;
let stack: ReadStack;
const hedgeMs = 60;

beforeAll(async () => {
  [source, target] = [await startFakeCluster('source'), await startFakeCluster('target')];
});
afterAll(() => Promise.all([source.close(), target.close()]));
beforeEach(async () => {
  for (const cluster of [source, target]) {
    Object.assign(cluster, { behaviour: 'ok', answer: () => undefined, slowUntil: () => Promise.resolve() });
  }
  stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url, deps: { hedgeMs } });
  source.seen.length = 0;
  target.seen.length = 0;
  return () => stack.close();
});

const indices = [{ source: 'source_index', target: 'target_index' }];
type Change = { phase?: Phase; percent?: Partial<Percents>; spec?: object };
const set = ({ phase = 'dual', percent = { read: 100 }, spec = {} }: Change = {}) => {
  const state = routeState({ slug: 'r', phase, indices, aliases: ['r'], percent });
  const reign = phase === 'target' ? 2 : 1;
  stack.setStates({
    ...state,
    spec: RouteSpec.parse({ route: 'r', indices, aliases: ['r'], ...spec }),
    phase: { ...state.phase, reign },
  });
};
const search = (body: unknown = { query: { match_all: {} } }) => stack.send('POST', '/r/_search', { body });
const expected = searchAnswer('source');

describe('a refresh that the follower does not carry out', () => {
  const failed = { _shards: { total: 2, successful: 1, failed: 1 } };
  const fails: [string, () => void][] = [
    ['refuses', () => void (target.answer = ({ path }) => (isRefresh(path) ? { status: 403, body: {} } : undefined))],
    ['does in part', () => void (target.answer = ({ path }) => (isRefresh(path) ? { body: failed } : undefined))],
    ['lets fall', () => void (target.behaviour = 'reset')],
  ];
  const isRefresh = (path: string) => path.includes('/_refresh');
  beforeEach(async () => {
    // None of these is about a follower that is slow.
    await stack.close();
    stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url });
    return () => stack.close();
  });
  const sideOf = ({ headers }: Got) => headers['x-crossfade-side'];
  const count = async () => sideOf(await stack.send('GET', '/r/_count'));
  const asksItem = async () => {
    await stack.send('POST', '/_msearch', { body: [{ index: 'r' }, {}] });
    return target.seen.some(({ path }) => path.startsWith('/_msearch'));
  };

  it.each(fails)('and %s keeps searches at the authority until one is carried out', async (_how, fail) => {
    set();
    fail();
    expect((await stack.send('POST', '/r/_refresh?filter_path=x')).status).toBe(200);
    Object.assign(target, { behaviour: 'ok', answer: () => undefined });
    expect([await count(), await asksItem()]).toEqual(['source', false]);
    expect(sideOf(await stack.send('GET', '/r/_doc/1'))).toBe('target');
    await stack.send('POST', '/r/_refresh');
    expect([await count(), await asksItem()]).toEqual(['target', true]);
  });

  it.each(fails)('and %s as part of everything does so too', async (_how, fail) => {
    set();
    fail();
    await stack.send('POST', '/_refresh');
    Object.assign(target, { behaviour: 'ok', answer: () => undefined });
    expect(await count()).toBe('source');
    await stack.send('POST', '/_refresh');
    expect(await count()).toBe('target');
  });

  it('because its client left keeps nothing at the authority', async () => {
    set();
    target.behaviour = 'hang';
    const leaving = new AbortController();
    const left = fetch(`${stack.url}/r/_refresh`, { method: 'POST', signal: leaving.signal }).catch(() => 'left');
    await eventually(() => target.open === 1);
    leaving.abort();
    expect(await left).toBe('left');
    await eventually(() => target.open === 0);
    target.behaviour = 'ok';
    expect([await count(), await asksItem()]).toEqual(['target', true]);
  });

  it('neither is a flush that it does not carry out, nor does one that it does make up for it', async () => {
    set();
    target.behaviour = 'reset';
    await stack.send('POST', '/r/_flush');
    target.behaviour = 'ok';
    expect(await count()).toBe('target');
    target.behaviour = 'reset';
    await stack.send('POST', '/r/_refresh');
    target.behaviour = 'ok';
    await stack.send('POST', '/r/_flush');
    expect(await count()).toBe('source');
  });

  it('is not asked for while the follower is left alone', async () => {
    set();
    target.behaviour = 'error';
    for (let i = 0; i < 6; i++) await search();
    target.seen.length = 0;
    await stack.send('POST', '/r/_refresh');
    expect(target.seen).toEqual([]);
  });
});

describe('a follower that fails costs the client nothing but the way round', () => {
  it.each(misbehaviours)('%s', async (behaviour) => {
    set();
    target.behaviour = behaviour;
    target.delayMs = 5000;
    const got = await search();
    expect([got.status, got.headers['x-crossfade-side']]).toEqual([200, 'source']);
    expect(got.json).toEqual(expected);
    expect(target.seen.length).toBeGreaterThan(0);
    expect(stack.events.filter((event) => event.kind === 'fallback')).toHaveLength(1);
  });

  it('unreachable', async () => {
    const gone = await startFakeCluster('gone');
    await gone.close();
    await stack.close();
    stack = await startReadStack({ sourceUrl: source.url, targetUrl: gone.url });
    set();
    expect((await search()).json).toEqual(expected);
    expect(stack.events).toContainEqual(expect.objectContaining({ kind: 'fallback', cause: 'unreachable' }));
  });

  it('also with the sides swapped, after a cutover', async () => {
    set({ phase: 'target' });
    source.behaviour = 'error';
    const got = await search();
    expect([got.status, got.headers['x-crossfade-side']]).toEqual([200, 'target']);
    expect(got.json.hits.hits[0]._index).toBe('source_index');
  });

  it('also for the items of an msearch', async () => {
    set();
    source.answer = () => ({ body: { took: 1, responses: [{ ...expected, status: 200 }] } });
    target.answer = () => ({ body: { took: 1, responses: [{ error: { type: 'boom' }, status: 503 }] } });
    const got = await stack.send('POST', '/r/_msearch', { body: [{}, { size: 1 }] });
    expect([got.json.responses[0].status, got.headers['x-crossfade-side']]).toEqual([200, 'source']);
  });
});

describe('a comparison of latencies', () => {
  it('does not hold against the authority what the follower took in vain', async () => {
    let nowMs = 0;
    target.answer = () => {
      nowMs += 60_000;
      return { status: 503, body: {} };
    };
    await stack.close();
    stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url, deps: { now: () => nowMs } });
    set({ percent: { read: 100, shadow: 100 } });
    expect((await search()).headers['x-crossfade-side']).toBe('source');
    await eventually(() => stack.reports.length > 0);
    expect(stack.reports[0]!.authority).toBe('source');
    expect(stack.reports[0]!.authorityMs).toBeLessThan(60_000);
  });
});

describe('a slow follower', () => {
  it('that is not slower than the authority still answers, and the authority is given up', async () => {
    set();
    [target.behaviour, target.delayMs, source.behaviour] = ['slow', 0, 'hang'];
    target.slowUntil = () => eventually(() => source.seen.length > 0);
    const got = await search();
    expect(got.headers['x-crossfade-side']).toBe('target');
    expect(source.seen).toHaveLength(1);
  });

  it('answers when the authority it was raced against fails', async () => {
    set();
    [target.behaviour, target.delayMs, source.behaviour] = ['slow', 0, 'error'];
    target.slowUntil = () => eventually(() => source.seen.length > 0);
    expect((await search()).headers['x-crossfade-side']).toBe('target');
  });

  it('that hangs leaves the client with the error of the authority when that fails too', async () => {
    set();
    [target.behaviour, target.delayMs, source.behaviour] = ['error', 0, 'throttle'];
    const got = await search();
    expect([got.status, got.json.error.type]).toEqual([429, 'rejected_execution_exception']);
  });
});

describe('repeated failures', () => {
  it('open the breaker, so that the follower is left alone, and a probe closes it again', async () => {
    let nowMs = 0;
    await stack.close();
    stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url, deps: { now: () => nowMs } });
    set();
    target.behaviour = 'error';
    for (let i = 0; i < 8; i++) expect((await search()).status).toBe(200);
    expect(target.seen).toHaveLength(5);
    target.behaviour = 'ok';
    nowMs += 1000;
    expect((await search()).headers['x-crossfade-side']).toBe('target');
    expect((await search()).headers['x-crossfade-side']).toBe('target');
    const states = stack.events.flatMap((event) => (event.kind === 'breaker' ? [event.state] : []));
    expect(states).toEqual(['open', 'half_open', 'closed']);
  });

  it('that are the fault of the query do not open it', async () => {
    set();
    const refusal = { status: 400, body: { error: { type: 'parsing_exception', reason: 'no' }, status: 400 } };
    [source.answer, target.answer] = [() => refusal, () => refusal];
    for (let i = 0; i < 8; i++) expect((await search()).status).toBe(400);
    expect(target.seen).toHaveLength(8);
  });
});

describe('what the follower is asked', () => {
  it('has its own names in path and body, and the client never learns them', async () => {
    set();
    const body = { query: { terms: { user: { index: 'source_index', id: '1', path: 'f' } } } };
    const got = await search(body);
    expect(got.headers['x-crossfade-side']).toBe('target');
    expect([target.seen[0]?.path, target.seen[0]?.body]).toEqual([
      '/target_index/_search',
      JSON.stringify(body).replace('source_index', 'target_index'),
    ]);
    expect(got.json.hits.hits[0]._index).toBe('source_index');
  });

  it('never refers to an index that it does not have', async () => {
    set();
    const body = { query: { terms: { user: { index: 'elsewhere', id: '1', path: 'f' } } } };
    expect((await search(body)).headers['x-crossfade-side']).toBe('source');
    set({ phase: 'target', percent: {} });
    const refused = await search(body);
    expect([refused.status, refused.headers['x-crossfade-error']]).toEqual([400, 'MIXED_ROUTES']);
  });

  it('does not carry the credentials of the client', async () => {
    set();
    await stack.send('GET', '/r/_search', { headers: { authorization: 'Basic dTpw' } });
    expect(target.seen[0]?.headers.authorization).toBeUndefined();
  });
});

it('a template that asks for tokens unseen is answered by the authority', async () => {
  set();
  target.answer = () => ({ body: { ...expected, hits: { hits: [{ _id: '1', _seq_no: 3, _primary_term: 1 }] } } });
  const got = await stack.send('POST', '/r/_search/template', { body: { id: 'stored' } });
  expect(got.headers['x-crossfade-side']).toBe('source');
});

it('terms in answers of a later reign carry the reign, whoever asks', async () => {
  set({ phase: 'target', percent: {} });
  target.answer = () => ({
    body: {
      _index: 'target_index',
      _id: '1',
      _version: 4,
      _seq_no: 3,
      _primary_term: 1,
      found: true,
      _source: { _primary_term: 1 },
    },
  });
  const got = await stack.send('GET', '/r/_doc/1');
  expect(got.json).toEqual({
    _index: 'source_index',
    _id: '1',
    _version: 4,
    _seq_no: 3,
    _primary_term: 2 ** 32 + 1,
    found: true,
    _source: { _primary_term: 1 },
  });
});

describe('terms in a later reign are shown with the reign', () => {
  const hit = { _index: 'target_index', _id: '1', _seq_no: 3, _primary_term: 2 };
  const shown = { ...hit, _index: 'source_index', _primary_term: 2 ** 32 + 2 };
  it.each<[string, string, unknown, object, (json: Got['json']) => unknown]>([
    ['a search', '/r/_search', { seq_no_primary_term: true }, { hits: { hits: [hit] } }, (json) => json.hits.hits[0]],
    ['documents', '/r/_mget', { ids: ['1'] }, { docs: [{ ...hit, found: true }] }, (json) => json.docs[0]],
    [
      'searches',
      '/r/_msearch',
      [{}, { seq_no_primary_term: true }],
      { took: 1, responses: [{ hits: { hits: [hit] } }] },
      (json) => json.responses[0].hits.hits[0],
    ],
    ['a template', '/r/_search/template', { id: 'stored' }, { hits: { hits: [hit] } }, (json) => json.hits.hits[0]],
  ])('in %s', async (_title, path, body, answer, pick) => {
    set({ phase: 'target', percent: {} });
    target.answer = () => ({ body: answer });
    const got = await stack.send('POST', path, { body });
    expect(pick(got.json)).toMatchObject(shown);
  });
});

it('no answer names its side when a route has that switched off', async () => {
  set({ spec: { reads: { sideHeader: false } } });
  source.answer = () => ({ body: { took: 1, responses: [expected] } });
  const many = await stack.send('POST', '/_msearch', { body: [{ index: 'elsewhere' }, {}] });
  const page = await stack.send('POST', '/_search/scroll', { body: { scroll_id: 'abc' } });
  for (const got of [await search(), many, page]) {
    expect(got.status).toBe(200);
    expect(got.headers).not.toHaveProperty('x-crossfade-side');
  }
});

it('a client that leaves takes its request at the cluster with it', async () => {
  set();
  target.behaviour = 'hang';
  source.behaviour = 'hang';
  await expect(fetch(`${stack.url}/r/_search`, { signal: AbortSignal.timeout(hedgeMs * 3) })).rejects.toThrow();
  expect([source.seen.length, target.seen.length]).toEqual([1, 1]);
  await eventually(() => source.open + target.open === 0, { what: 'both requests given up' });
});
