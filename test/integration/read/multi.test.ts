import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uniqueName } from '../../support/services.ts';
import { content, copyLines, documents, sideOf, stateFor, useRoute } from './fixture.ts';

const route = useRoute();
/** A second route with percentages of its own. */
const second = { slug: uniqueName('rd2'), source: '', target: '' };
second.source = `${second.slug}-v1`;
second.target = `${second.slug}-v2`;
beforeAll(async () => {
  await route.on('source', 'PUT', `/${second.source}`, { aliases: { [second.slug]: {} } });
  await route.on('target', 'PUT', `/${second.target}`, {});
  const { json } = await route.on('source', 'PUT', `/${second.source}/_doc/99?refresh=true`, content('99'));
  await route.on('target', 'POST', `/${second.target}/_bulk?refresh=true`, copyLines(json));
});
afterAll(async () => {
  await route.on('source', 'DELETE', `/${second.source}`);
  await route.on('target', 'DELETE', `/${second.target}`);
});

type Item = { status: number; hits?: { hits: unknown[] }; error?: { type: string } };
type Doc = Record<string, unknown>;
type Change = Parameters<typeof route.set>[0];
const set = (first: Change, other: Change) => route.stack.setStates(stateFor(route, first), stateFor(second, other));
const byId = (id: string) => ({ query: { ids: { values: [id] } } });

/** Four searches: the first route, an index without a route, the second route, an index that does not exist. */
const searches = () => [
  { index: route.slug },
  byId('3'),
  { index: route.unrouted },
  byId('u1'),
  { index: [second.slug] },
  { query: { match_all: {} } },
  { index: `${route.slug}-missing` },
  { size: 1 },
];

describe('msearch over two routes and an index without one', () => {
  it.each<[string, Change, Change]>([
    ['all on the source', {}, {}],
    ['one route read from the target', { percent: { read: 100 } }, {}],
    ['both routes read from the target', { percent: { read: 100 } }, { percent: { read: 100 } }],
    ['one route switched over', { phase: 'target', reign: 2 }, {}],
    [
      'one switched over and read from its follower, the other read from the target',
      { phase: 'target', reign: 2, percent: { read: 100 } },
      { percent: { read: 100 } },
    ],
  ])('answers each item in its place: %s', async (_title, first, other) => {
    set(first, other);
    const got = await route.send('POST', '/_msearch', {
      body: searches(),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const direct = await route.on('source', 'POST', '/_msearch', searches());
    expect(got.status).toBe(200);
    expect(got.text).not.toMatch(new RegExp(`${route.target}|${second.target}`));
    expect(got.json.took).toBeTypeOf('number');
    const facts = ({ json }: typeof got) =>
      json.responses.map((one: Item) => ({ status: one.status, hits: one.hits?.hits, error: one.error?.type }));
    expect(facts(got)).toEqual(facts(direct));
  });

  const moved = { phase: 'target', reign: 2 } as const;
  const sorted = { size: 50, sort: [{ _id: 'desc' }], query: { match_all: {} } };

  it('finds the documents of both once both are switched over, alone, in pages and as an item', async () => {
    const names = `${route.slug},${second.slug}`;
    const { json: direct } = await route.on('source', 'POST', `/${names}/_search`, sorted);
    expect(direct.hits.hits).toHaveLength(documents + 1);
    set(moved, moved);
    const alone = await route.send('POST', `/${names}/_search`, { body: sorted });
    expect([alone.json.hits, sideOf(alone)]).toEqual([direct.hits, 'target']);
    const { json } = await route.send('POST', '/_msearch', { body: [{ index: [route.slug, second.slug] }, sorted] });
    expect(json.responses[0].hits).toEqual(direct.hits);
    const page = await route.send('POST', `/${names}/_search?scroll=1m`, { body: { ...sorted, size: 15 } });
    const next = await route.send('POST', '/_search/scroll', { body: { scroll_id: page.json._scroll_id } });
    expect([...page.json.hits.hits, ...next.json.hits.hits]).toEqual(direct.hits.hits);
    await route.send('DELETE', '/_search/scroll', { body: { scroll_id: next.json._scroll_id } });
    const count = await route.send('GET', `/${names}/_count`);
    expect(count.json.count).toBe(documents + 1);
  });

  it('names both sides when both answered', async () => {
    set({ percent: { read: 100 } }, {});
    const got = await route.send('POST', '/_msearch', { body: searches() });
    expect(sideOf(got)).toBe('source, target');
    const pretty = await route.send('POST', '/_msearch?pretty', { body: searches() });
    expect([sideOf(pretty), pretty.text.slice(0, 11)]).toEqual(['source, target', '{\n  "took" ']);
  });

  it('streams what is on the source as it came, header lines without an index included', async () => {
    set({}, {});
    const text = `{}\n{"size":1, "query":{"match_all":{}}}\n\n{"size":0}\n`;
    const got = await route.send('POST', `/${route.slug}/_msearch`, { body: text });
    expect([got.status, sideOf(got), got.json.responses.length]).toEqual([200, 'source', 2]);
  });

  it('keeps items together at the authority when a filter would make positions meaningless', async () => {
    set({ percent: { read: 100 } }, {});
    const got = await route.send('POST', '/_msearch?filter_path=responses.hits.total', {
      body: searches().slice(0, 4),
    });
    expect([sideOf(got), got.json.responses.length]).toEqual(['source', 2]);
    set({ phase: 'target', reign: 2 }, {});
    const refused = await route.send('POST', '/_msearch?filter_path=responses.hits.total', {
      body: searches().slice(0, 4),
    });
    expect([refused.status, refused.headers['x-crossfade-error']]).toEqual([400, 'UNSUPPORTED']);
  });

  it('gives an item that lives on both sides an error of its own and answers the others', async () => {
    set({ phase: 'target', reign: 2 }, {});
    const body = [{ index: `${route.slug},${route.unrouted}` }, {}, { index: route.slug }, byId('3')];
    const got = await route.send('POST', '/_msearch', { body });
    expect(got.json.responses.map((one: Item) => one.status)).toEqual([400, 200]);
    expect(got.json.responses[0].error.type).toBe('crossfade_mixed_routes');
  });

  it('leaves a broken body to the source', async () => {
    set({ percent: { read: 100 } }, {});
    const got = await route.send('POST', '/_msearch', { body: `{"index":"${route.slug}"}\n{"size":1}` });
    const direct = await route.on('source', 'POST', '/_msearch', `{"index":"${route.slug}"}\n{"size":1}`);
    expect([got.status, got.json]).toEqual([direct.status, direct.json]);
  });

  it.each(['', '\n', '{}\n{}'])(
    'leaves a body without searches to the source after a switch, too: %j',
    async (body) => {
      set({ phase: 'target', reign: 2 }, {});
      const got = await route.send('POST', '/_msearch', { body });
      expect(got.json).toEqual((await route.on('source', 'POST', '/_msearch', body)).json);
    },
  );
});

describe('mget', () => {
  const docs = () => [
    { _index: route.slug, _id: '3' },
    { _index: route.unrouted, _id: 'u1' },
    { _index: second.slug, _id: '99', _source: ['n'] },
    { _index: route.slug, _id: 'nope' },
    { _index: `${route.slug}-missing`, _id: '1' },
    { _index: route.source, _id: '4', _source: false },
  ];

  it.each<[string, Change, Change]>([
    ['all on the source', {}, {}],
    ['one route read from the target', { percent: { read: 100 } }, {}],
    ['both routes read from the target', { percent: { read: 100 } }, { percent: { read: 100 } }],
  ])('answers each document in its place: %s', async (_title, first, other) => {
    set(first, other);
    const got = await route.send('POST', '/_mget', { body: { docs: docs() } });
    const direct = await route.on('source', 'POST', '/_mget', { docs: docs() });
    const facts = ({ json }: typeof got) => json.docs.map(({ _version, ...doc }: Doc) => doc);
    expect(facts(got)).toEqual(facts(direct));
  });

  it('reads a document whose copy is on its way from the authority, the others from the follower', async () => {
    set({ percent: { read: 100 } }, {});
    await route.on('source', 'PUT', `/${route.source}/_doc/5`, { fresh: true });
    route.stack.pending.add(`${route.slug}/0/5/`);
    const body = { docs: [{ _id: '4' }, { _id: '5' }, { _id: '6' }] };
    const got = await route.send('POST', `/${route.slug}/_mget`, { body });
    expect(sideOf(got)).toBe('source, target');
    expect(got.json.docs.map((doc: Doc) => doc._source)).toEqual([
      expect.objectContaining({ n: 4 }),
      { fresh: true },
      expect.objectContaining({ n: 6 }),
    ]);
    const ids = await route.send('GET', `/${route.slug}/_mget`, { body: { ids: ['4', '5'] } });
    expect([sideOf(ids), ids.json.docs[1]._source]).toEqual(['source', { fresh: true }]);
    route.stack.pending.clear();
  });

  it('of plain ids goes to the follower whole, with the tokens of the authority', async () => {
    set({ percent: { read: 100 } }, {});
    const got = await route.send('POST', `/${route.slug}/_mget`, { body: { ids: ['7', '8', 'nope'] } });
    const direct = await route.on('source', 'POST', `/${route.slug}/_mget`, { ids: ['7', '8', 'nope'] });
    expect(sideOf(got)).toBe('target');
    const facts = ({ json }: typeof got) => json.docs.map(({ _version, ...doc }: Doc) => doc);
    expect(facts(got)).toEqual(facts(direct));
  });
});

it('mtermvectors answer documents of both sides in their order', async () => {
  set({ percent: { read: 100 } }, {});
  const body = {
    docs: [
      { _index: route.slug, _id: '3', fields: ['text'] },
      { _index: route.unrouted, _id: 'u1', fields: ['text'] },
    ],
  };
  const got = await route.send('POST', '/_mtermvectors', { body });
  expect(got.json.docs.map((doc: Doc) => [doc._index, doc._id, doc.found])).toEqual([
    [route.source, '3', true],
    [route.unrouted, 'u1', true],
  ]);
  const plain = await route.send('GET', `/${route.slug}/_mtermvectors?ids=3,4&fields=text`);
  expect([sideOf(plain), plain.json.docs.length]).toEqual(['target', 2]);
});

describe('an alias with routing', () => {
  const indices = () => ({ source: `${route.slug}-routed`, target: `${route.slug}-routed-v2` });
  const alias = () => `${route.slug}-mine`;
  afterAll(async () => {
    for (const side of ['source', 'target'] as const) await route.on(side, 'DELETE', `/${indices()[side]}`);
  });

  it('finds plain ids on the target too, in the shard that the routing names', async () => {
    const { source, target } = indices();
    const settings = { number_of_shards: 5, number_of_replicas: 0 };
    await route.on('source', 'PUT', `/${source}`, { settings, aliases: { [alias()]: { routing: 'u1' } } });
    await route.on('target', 'PUT', `/${target}`, { settings });
    const ids = ['1', '2', '3', '4', '5', '6'];
    for (const id of ids) {
      const { json } = await route.on('source', 'PUT', `/${alias()}/_doc/${id}?refresh=true`, content(id));
      const [{ index }, copy] = copyLines(json) as [{ index: { version: number } }, object];
      const how = `routing=u1&refresh=true&version_type=external&version=${index.version}`;
      await route.on('target', 'PUT', `/${target}/_doc/${id}?${how}`, copy);
    }
    const aliases = [{ name: alias(), indices: [source], routing: 'u1' }];
    route.set({ percent: { read: 100 }, spec: { indices: [indices()], aliases } });
    const got = await route.send('POST', `/${alias()}/_mget`, { body: { ids } });
    const terms = await route.send('POST', `/${alias()}/_mtermvectors?fields=text`, { body: { ids } });
    for (const { json, ...answer } of [got, terms])
      expect([sideOf({ json, ...answer }), json.docs.map(({ found }: Doc) => found)]).toEqual([
        'target',
        ids.map(() => true),
      ]);
  });
});
