import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Phase } from '../../../src/coordination/records.ts';
import { isWrapped } from '../../../src/proxy/read/cursor-token.ts';
import { clientTerm } from '../../../src/proxy/write/tokens.ts';
import { type FakeCluster, searchAnswer, type Seen, startFakeCluster } from '../../support/fake-cluster.ts';
import { type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { routeState } from '../../support/routes.ts';

let source: FakeCluster;
let target: FakeCluster;
let stack: ReadStack;
beforeAll(async () => {
  [source, target] = [await startFakeCluster('source'), await startFakeCluster('target')];
});
afterAll(() => Promise.all([source.close(), target.close()]));
beforeEach(async () => {
  for (const cluster of [source, target]) {
    cluster.seen.length = 0;
    cluster.answer = answer;
  }
  stack = await startReadStack({ sourceUrl: source.url, targetUrl: target.url });
});
afterEach(() => stack.close());

const hit = (_index: string) => ({ _index, _id: '1', _seq_no: 4, _primary_term: 7, _source: {} });
/** What a cluster says to searches, pages, points in time and their ends, with ids of its own. */
const answer = ({ method, path, body }: Seen) => {
  const hits = { hits: ['orders', 'items', 'other'].map(hit) };
  if (method === 'DELETE' && path.includes('point_in_time'))
    return { body: { pits: [{ successful: true, pit_id: 'raw-pit' }] } };
  if (method === 'DELETE') return { body: { succeeded: true, num_freed: 1 } };
  if (path.includes('/point_in_time')) return { body: { pit_id: 'raw-pit', _shards: { total: 2, successful: 2 } } };
  if (path.includes('/_msearch'))
    return { body: { took: 1, responses: [{ ...searchAnswer('x'), hits, status: 200 }] } };
  const scrolls = path.includes('scroll') ? { _scroll_id: 'raw-scroll' } : {};
  const pit = body.includes('"pit"') ? { pit_id: 'raw-pit' } : {};
  return { body: { ...searchAnswer('x'), ...scrolls, ...pit, hits } };
};

type Where = { phase: Phase; reign: number };
/** Two routes whose indices keep their names. */
const set = (orders: Where, items: Where): void => {
  const state = (slug: string, { phase, reign }: Where) => {
    const made = routeState({ slug, phase, indices: [{ source: slug, target: slug }], aliases: [] });
    return { ...made, phase: { ...made.phase, reign } };
  };
  stack.setStates(state('orders', orders), state('items', items));
};
const moved = { phase: 'target', reign: 2 } as const;
const back = { phase: 'dual', reign: 3 } as const;
const terms = (got: { json: { hits: { hits: { _primary_term: number }[] } } }) =>
  got.json.hits.hits.map((one) => one._primary_term);
const of = (...reigns: number[]) => reigns.map((reign) => Number(clientTerm('7', reign)));
const asked = ({ seen }: FakeCluster) => seen.map(({ method, path, body }) => `${method} ${path} ${body}`);

describe('a read over several routes that moved under their names', () => {
  it('opens a scroll whose pages and end go to the target', async () => {
    set(moved, moved);
    const first = await stack.send('POST', '/orders,items/_search?scroll=1m', { body: {} });
    const { _scroll_id: scroll_id } = first.json;
    expect([first.status, isWrapped(scroll_id)]).toEqual([200, true]);
    const next = await stack.send('POST', '/_search/scroll', { body: { scroll: '1m', scroll_id } });
    expect(isWrapped(next.json._scroll_id)).toBe(true);
    expect((await stack.send('DELETE', '/_search/scroll', { body: { scroll_id } })).json.num_freed).toBe(1);
    expect(source.seen).toEqual([]);
    expect(asked(target)).toEqual([
      'POST /orders,items/_search?scroll=1m {}',
      'POST /_search/scroll {"scroll":"1m","scroll_id":"raw-scroll"}',
      'DELETE /_search/scroll {"scroll_id":["raw-scroll"]}',
    ]);
  });

  it.each(['application/json, text/plain, */*', 'text/plain, application/json, */*', '*/*'])(
    'opens a scroll for a client that accepts %s',
    async (accept) => {
      set(moved, moved);
      const headers = { accept, 'content-type': 'application/json' };
      const got = await stack.send('POST', '/orders/_search?scroll=1m', { body: {}, headers });
      expect([got.status, isWrapped(got.json._scroll_id)]).toEqual([200, true]);
    },
  );

  it('opens none for a request whose type is the type of its answer, and cannot be read', async () => {
    set(moved, moved);
    const headers = { accept: '*/*', 'content-type': 'application/yaml' };
    expect((await stack.send('GET', '/orders/_search?scroll=1m', { headers })).status).toBe(400);
    expect(target.seen).toEqual([]);
  });

  it('opens a point in time that is searched and closed on the target', async () => {
    set(moved, moved);
    const { pit_id: id } = (await stack.send('POST', '/orders,items/_search/point_in_time?keep_alive=1m')).json;
    const found = await stack.send('POST', '/_search', { body: { pit: { id } } });
    const closed = await stack.send('DELETE', '/_search/point_in_time', { body: { pit_id: [id] } });
    expect([isWrapped(id), found.json.pit_id, closed.json.pits[0].pit_id]).toEqual([true, id, id]);
    expect(source.seen).toEqual([]);
    expect(asked(target).slice(1)).toEqual([
      'POST /_search {"pit":{"id":"raw-pit"}}',
      'DELETE /_search/point_in_time {"pit_id":["raw-pit"]}',
    ]);
  });

  it("shows tokens of each hit's own reign, also in later pages", async () => {
    set(moved, { phase: 'target', reign: 4 });
    const first = await stack.send('POST', '/orders,items/_search?scroll=1m', { body: { seq_no_primary_term: true } });
    expect(terms(first).slice(0, 2)).toEqual(of(2, 4));
    const { _scroll_id: scroll_id } = first.json;
    expect(terms(await stack.send('POST', '/_search/scroll', { body: { scroll_id } })).slice(0, 2)).toEqual(of(2, 4));
    const byQuery = await stack.send('GET', '/orders,items/_search?seq_no_primary_term');
    expect(terms(byQuery).slice(0, 2)).toEqual(of(2, 4));
  });

  it('passes as it is when it opens nothing and shows no tokens', async () => {
    set(moved, moved);
    target.answer = () => ({ body: '{ "hits" : 1.0 }' });
    const got = await stack.send('POST', '/orders,items/_search', { body: { size: 1 } });
    expect(got.text).toBe('{ "hits" : 1.0 }');
  });
});

describe('after a rollback, a read over routes and other indices', () => {
  it.each([
    ['/orders,items,other/_search?seq_no_primary_term', 'GET', undefined],
    ['/orders,items,other/_search', 'POST', { seq_no_primary_term: true }],
    ['/_search', 'POST', { seq_no_primary_term: true }],
    ['/_all/_search?scroll=1m', 'POST', { seq_no_primary_term: true }],
  ] as const)("shows tokens of each hit's own reign: %s", async (path, method, body) => {
    set(back, { phase: 'dual', reign: 1 });
    expect(terms(await stack.send(method, path, body === undefined ? {} : { body }))).toEqual(of(3, 1, 1));
  });

  it('does so as an item of an msearch', async () => {
    set(back, { phase: 'dual', reign: 1 });
    const body = [{ index: ['orders', 'items', 'other'] }, { seq_no_primary_term: true }];
    const { responses } = (await stack.send('POST', '/_msearch', { body })).json;
    expect(terms({ json: responses[0] })).toEqual(of(3, 1, 1));
  });

  it('still has its pages on the source', async () => {
    set(back, back);
    const { _scroll_id: scroll_id } = (await stack.send('POST', '/orders,items/_search?scroll=1m', { body: {} })).json;
    set(moved, moved);
    await stack.send('POST', '/_search/scroll', { body: { scroll_id } });
    expect(asked(source).at(-1)).toBe('POST /_search/scroll {"scroll_id":"raw-scroll"}');
  });
});

describe('a query on the source that looks documents up in a route that has moved', () => {
  const lookup = (index: string) => ({ query: { terms: { u: { index, id: '1', path: 'p' } } } });
  const first = { phase: 'dual', reign: 1 } as const;

  it.each([
    ['POST', '/orders/_search'],
    ['POST', '/orders/_count'],
    ['POST', '/orders,other/_search'],
    ['POST', '/orders,other/_count'],
  ])('is refused: %s %s', async (method, path) => {
    set(first, moved);
    const got = await stack.send(method, path, { body: lookup('items') });
    expect([got.status, got.headers['x-crossfade-error']]).toEqual([400, 'MIXED_ROUTES']);
    expect([source.seen, target.seen]).toEqual([[], []]);
    expect((await stack.send(method, path, { body: lookup('other') })).status).toBe(200);
    set(first, first);
    expect((await stack.send(method, path, { body: lookup('items') })).status).toBe(200);
  });

  it.each([['orders'], [['orders', 'other']]])('is refused as an item of an msearch over %j', async (index) => {
    set(first, moved);
    const { responses } = (await stack.send('POST', '/_msearch', { body: [{ index }, lookup('items')] })).json;
    expect(responses[0].status).toBe(400);
  });
});

describe('after the cutover, what can be made right in JSON only', () => {
  const moveAlone = () => {
    const route = routeState({ slug: 'r', phase: 'target', indices: [{ source: 'a', target: 'b' }], aliases: [] });
    stack.setStates({ ...route, phase: { ...route.phase, reign: 2 } });
  };
  const yaml = { 'content-type': 'application/yaml' };

  it.each<[string, string, string, unknown, Record<string, string>]>([
    ['a scroll that is opened', 'POST', '/a/_search?scroll=1m&format=yaml', {}, {}],
    ['a point in time that is opened', 'POST', '/a/_search/point_in_time?keep_alive=1m&format=cbor', undefined, {}],
    ['a page', 'POST', '/_search/scroll?format=yaml', { scroll_id: 'ID' }, {}],
    ['a page asked for in YAML', 'POST', '/_search/scroll', 'scroll_id: ID', yaml],
    ['a point in time searched in YAML', 'POST', '/_search', 'pit: {id: ID}', yaml],
    ['a cursor closed in YAML', 'DELETE', '/_search/scroll', 'scroll_id: ID', yaml],
    ['a search for tokens', 'POST', '/a/_search?format=yaml', { seq_no_primary_term: true }, {}],
    ['a search in YAML for tokens', 'POST', '/a/_search', 'seq_no_primary_term: true', yaml],
    ['an item for tokens', 'POST', '/_msearch?format=smile', [{ index: 'a' }, { seq_no_primary_term: true }], {}],
  ])('is refused in another format: %s', async (_title, method, path, body, headers) => {
    moveAlone();
    const { _scroll_id: id } = (await stack.send('POST', '/a/_search?scroll=1m', { body: {} })).json;
    target.seen.length = 0;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const said = Array.isArray(body) ? body : text?.replace('ID', id);
    const got = await stack.send(method, path, { ...(said === undefined ? {} : { body: said }), headers });
    expect([got.status, got.headers['x-crossfade-error']]).toEqual([400, 'UNSUPPORTED']);
    expect([source.seen, target.seen]).toEqual([[], []]);
  });

  it.each([
    ['POST', '/a/_search?format=yaml', { query: { match_all: {} } }, {}],
    ['POST', '/a/_search', 'query: {match_all: {}}', yaml],
    ['GET', '/a/_doc/1?format=yaml', undefined, {}],
  ] as const)('is not all that is asked in another format: %s %s', async (method, path, body, headers) => {
    moveAlone();
    expect((await stack.send(method, path, { ...(body === undefined ? {} : { body }), headers })).status).toBe(200);
  });
});

describe('a search of a point in time', () => {
  const wildcard = { wildcard: { _index: 'o*' } };
  const lookup = { terms: { u: { index: 'items', id: '1', path: 'p' } } };

  it.each<[string, unknown, string]>([
    ['selects by a pattern on names that are others there', wildcard, 'UNSUPPORTED'],
    ['looks documents up that are not current there', lookup, 'MIXED_ROUTES'],
  ])('is refused where any search would be that %s, alone and in an msearch', async (_title, query, code) => {
    const route = routeState({ slug: 'r', phase: 'target', indices: [{ source: 'a', target: 'b' }], aliases: [] });
    const items = routeState({ slug: 'i', indices: [{ source: 'items', target: 'items2' }], aliases: [] });
    stack.setStates({ ...route, phase: { ...route.phase, reign: 2 } }, items);
    const { pit_id: id } = (await stack.send('POST', '/a/_search/point_in_time?keep_alive=1m')).json;
    const body = { pit: { id }, query };
    const got = await stack.send('POST', '/_search', { body });
    expect([got.status, got.headers['x-crossfade-error']]).toEqual([400, code]);
    const { responses } = (await stack.send('POST', '/_msearch', { body: [{}, body] })).json;
    expect(responses[0].status).toBe(400);
    expect(target.seen).toHaveLength(1);
  });
});

describe('after the cutover, a body that cannot be rewritten', () => {
  it.each([
    ['?source=%7B%22query%22%3A%7B%22term%22%3A%7B%22_index%22%3A%22a%22%7D%7D%7D', undefined],
    ['', 'query: {term: {_index: a}}'],
  ])('and may name an index is refused: %s %j', async (query, body) => {
    stack.setStates(routeState({ phase: 'target', indices: [{ source: 'a', target: 'b' }], aliases: [] }));
    const headers = { 'content-type': 'application/yaml' };
    const got = await stack.send('POST', `/a/_search${query}`, body === undefined ? {} : { body, headers });
    expect([got.status, got.headers['x-crossfade-error']]).toEqual([400, 'UNSUPPORTED']);
    const plain = await stack.send('POST', '/a/_search', { body: 'query: {match_all: {}}', headers });
    expect(plain.status).toBe(200);
  });
});
