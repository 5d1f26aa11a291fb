import { describe, expect, it } from 'vitest';
import { content, documents, sideOf, useRoute } from './fixture.ts';

const route = useRoute();
const switched = (spec: object = {}) => route.set({ phase: 'target', reign: 2, spec });

describe('after a cutover', () => {
  it.each<[string, string, (r: typeof route) => string]>([
    ['its mapping', 'GET', (r) => `/${r.slug}/_mapping`],
    ['its settings', 'GET', (r) => `/${r.source}/_settings`],
    ['the index', 'GET', (r) => `/${r.source}`],
    ['statistics', 'GET', (r) => `/${r.slug}/_stats/docs`],
    ['segments', 'GET', (r) => `/${r.slug}/_segments`],
    ['the shards of a search', 'GET', (r) => `/${r.slug}/_search_shards`],
    ['a row of the table of indices', 'GET', (r) => `/_cat/indices/${r.source}?h=index,docs.count`],
    ['the same as JSON', 'GET', (r) => `/_cat/indices/${r.source}?format=json`],
    ['an index that is asked for by HEAD', 'HEAD', (r) => `/${r.slug}`],
  ])('the target tells under the name the client uses: %s', async (_title, method, path) => {
    switched();
    const got = await route.send(method, path(route));
    expect([got.status, sideOf(got)]).toEqual([200, 'target']);
    expect(got.text).not.toContain(route.target);
    if (method === 'GET') expect(got.text).toContain(route.source);
  });

  it("the whole route is read from the target in the client's names", async () => {
    switched();
    const got = await route.send('POST', `/${route.slug}/_search`, {
      body: { size: 100, aggs: { sum: { sum: { field: 'n' } } } },
    });
    expect([got.status, sideOf(got), got.json.hits.hits.length]).toEqual([200, 'target', documents]);
    expect(new Set(got.json.hits.hits.map((hit: { _index: string }) => hit._index))).toEqual(new Set([route.source]));
    expect(got.text).toContain(JSON.stringify(content('7')));
  });

  it('an error names what the client named', async () => {
    switched();
    const got = await route.send('POST', `/${route.slug}/_search`, { body: { query: { range: { n: { gte: 'x' } } } } });
    expect(got.status).toBe(400);
    expect(got.text).not.toContain(route.target);
    expect(got.text).toContain(route.source);
  });

  it("a read by the target's own name works too, and after a rollback it is translated back", async () => {
    route.set({});
    expect((await route.send('GET', `/${route.target}/_doc/3`)).status).toBe(404);
    switched();
    expect((await route.send('GET', `/${route.target}/_doc/3`)).json).toMatchObject({
      found: true,
      _index: route.source,
    });
    route.set({ reign: 3 });
    expect((await route.send('GET', `/${route.target}/_doc/3`)).json).toMatchObject({
      found: true,
      _index: route.source,
    });
  });

  it('administration that the route allows reaches the target alone', async () => {
    switched({ adminPolicy: 'authority' });
    const put = await route.send('PUT', `/${route.source}/_settings`, {
      body: { index: { max_result_window: 12_345 } },
    });
    expect(put.json).toEqual({ acknowledged: true });
    const [there, here] = [
      await route.on('target', 'GET', `/${route.target}/_settings`),
      await route.on('source', 'GET', `/${route.source}/_settings`),
    ];
    expect(there.json[route.target].settings.index.max_result_window).toBe('12345');
    expect(here.json[route.source].settings.index.max_result_window).toBeUndefined();
  });

  it('a document read by version or token from the follower is asked of the target', async () => {
    route.set({ phase: 'target', reign: 2, percent: { read: 100 } });
    const got = await route.send('GET', `/${route.slug}/_doc/3`);
    // The source's document was never stamped in this reign, so its tokens cannot be told.
    expect(sideOf(got)).toBe('target');
    expect(got.json._primary_term).toBeGreaterThan(2 ** 32);
    const search = await route.send('POST', `/${route.slug}/_search`, { body: { size: 1 } });
    expect(sideOf(search)).toBe('source');
  });
});

describe('what an application puts each time it starts', () => {
  const mappingOf = async (side: 'source' | 'target') =>
    (await route.on(side, 'GET', `/${route[side]}/_mapping`)).json[route[side]].mappings;

  it.each(['dual', 'target'] as const)('is acknowledged in %s while it is what the index has', async (phase) => {
    route.set({ phase, reign: 2 });
    const mapping = await mappingOf(phase === 'dual' ? 'source' : 'target');
    for (const name of [route.slug, route.source]) {
      const put = await route.send('PUT', `/${name}/_mapping`, { body: mapping });
      expect([put.status, put.json, sideOf(put)]).toEqual([
        200,
        { acknowledged: true },
        phase === 'dual' ? 'source' : 'target',
      ]);
    }
    const settings = await route.send('PUT', `/${route.slug}/_settings`, {
      body: { index: { number_of_replicas: 0 } },
    });
    expect(settings.json).toEqual({ acknowledged: true });
  });

  it.each(['dual', 'target'] as const)(
    'is refused in %s when it would change something, and changes nothing',
    async (phase) => {
      route.set({ phase, reign: 2 });
      const before = [await mappingOf('source'), await mappingOf('target')];
      const put = await route.send('PUT', `/${route.slug}/_mapping`, {
        body: { properties: { more: { type: 'keyword' } } },
      });
      expect([put.status, put.json.error.type]).toEqual([409, 'crossfade_admin_refused']);
      const settings = await route.send('PUT', `/${route.slug}/_settings`, {
        body: { index: { number_of_replicas: 1 } },
      });
      expect(settings.status).toBe(409);
      const alias = await route.send('PUT', `/${route.source}/_alias/${route.slug}-more`);
      expect(alias.status).toBe(409);
      expect([await mappingOf('source'), await mappingOf('target')]).toEqual(before);
    },
  );

  it.each(['dual', 'target'] as const)(
    'may be its alias, which stands on the source until the end, in %s',
    async (phase) => {
      route.set({ phase, reign: 2 });
      const told = (await route.on('source', 'GET', `/${route.source}/_alias/${route.slug}`)).json[route.source]
        .aliases;
      const put = await route.send('PUT', `/${route.source}/_alias/${route.slug}`, { body: told[route.slug] });
      expect([put.status, put.json]).toEqual([200, { acknowledged: true }]);
    },
  );

  it.each(['dual', 'target'] as const)('may be its alias among actions, and no other, in %s', async (phase) => {
    route.set({ phase, reign: 2 });
    const add = (alias: string) =>
      route.send('POST', '/_aliases', { body: { actions: [{ add: { index: route.source, alias } }] } });
    const again = await add(route.slug);
    expect([again.status, again.json]).toEqual([200, { acknowledged: true }]);
    const more = await add(`${route.slug}-more`);
    expect([more.status, more.json.error.type]).toEqual([409, 'crossfade_admin_refused']);
    expect((await route.on('source', 'HEAD', `/_alias/${route.slug}-more`)).status).toBe(404);
  });
});

describe('the aliases of an index', () => {
  it.each(['dual', 'target'] as const)('are those that the application gave it, in %s', async (phase) => {
    route.set({ phase, reign: 2 });
    const own = { [`crossfade-${route.slug}-e9`]: { is_hidden: true }, [`crossfade-${route.slug}-c9-1`]: {} };
    for (const [alias, body] of Object.entries(own))
      for (const side of ['source', 'target'] as const)
        await route.on(side, 'PUT', `/${route[side]}/_alias/${alias}`, body);
    const listed = (await route.on('source', 'GET', `/${route.source}/_alias`)).json[route.source].aliases;
    expect(Object.keys(listed)).toEqual(expect.arrayContaining(Object.keys(own)));
    const aliases = await route.send('GET', `/${route.source}/_alias`);
    expect([aliases.status, aliases.json]).toEqual([200, { [route.source]: { aliases: { [route.slug]: {} } } }]);
    const index = await route.send('GET', `/${route.slug}`);
    expect([index.status, index.text.includes('crossfade-')]).toEqual([200, false]);
  });
});

describe('a refresh', () => {
  const hidden = async (id: string): Promise<void> => {
    await route.on('source', 'PUT', `/${route.source}/_doc/${id}`, { n: 1000 });
    await route.on('target', 'PUT', `/${route.target}/_doc/${id}?version=1&version_type=external`, { n: 1000 });
  };
  const finds = async (id: string) =>
    (await route.send('POST', `/${route.slug}/_search`, { body: { query: { ids: { values: [id] } } } })).json.hits.hits
      .length;

  it('reaches the follower while reads may go there, and the authority answers', async () => {
    await route.on('source', 'PUT', `/${route.source}/_settings`, { index: { refresh_interval: '-1' } });
    await route.on('target', 'PUT', `/${route.target}/_settings`, { index: { refresh_interval: '-1' } });
    route.set({ percent: { read: 100 } });
    await hidden('fresh');
    expect(await finds('fresh')).toBe(0);
    const got = await route.send('POST', `/${route.slug}/_refresh`);
    expect([got.status, sideOf(got), got.json._shards.failed]).toEqual([200, 'source', 0]);
    expect(await finds('fresh')).toBe(1);
  });

  it('leaves the follower alone while it serves nobody', async () => {
    route.set({});
    await hidden('later');
    expect((await route.send('GET', `/${route.slug}/_refresh`)).status).toBe(200);
    expect(await finds('later')).toBe(1);
    route.set({ percent: { read: 100 } });
    expect(await finds('later')).toBe(0);
  });
});
