/** Source and target of the route are indices of one cluster, so wildcards would reach every document twice. */
import { describe, expect, it } from 'vitest';
import type { Phase } from '../../../src/coordination/records.ts';
import { documents, useRoute } from './fixture.ts';

const route = useRoute({ oneCluster: true });
/** The route's documents and the one of the index without a route. */
const all = documents + 1;
const phases: [Phase, number][] = [
  ['observe', 1],
  ['dual', 1],
  ['target', 2],
  ['final', 2],
];
const hitsOf = ({ json }: { json: { hits: { hits: { _index: string }[] } } }) => [
  ...new Set(json.hits.hits.map((hit) => hit._index)),
];

describe.each(phases)('in %s', (phase, reign) => {
  const send = (...[method, path, options]: Parameters<typeof route.send>) => {
    route.set({ phase, reign });
    return route.send(method, path, options);
  };

  it.each([
    ['-*', all],
    ['-v*', documents],
    ['-v1*', documents],
    ['-v2*', documents],
    [`*,-%s-other`, documents],
    [`*,-%s-v1`, 1],
    ['', documents],
    ['-v1', documents],
    ['-v2', documents],
  ])('a count of the slug and %j finds each document once', async (suffix, count) => {
    const got = await send('GET', `/${route.slug}${suffix.replace('%s', route.slug)}/_count`);
    expect([got.status, got.json.count]).toEqual([200, count]);
  });

  it('searches, scrolls and points in time show the names of the source alone', async () => {
    const body = { size: 100, sort: ['_doc'], seq_no_primary_term: true };
    const expected = [route.source, route.unrouted].sort();
    const found = await send('POST', `/${route.slug}*/_search?scroll=1m`, { body });
    expect([hitsOf(found).sort(), found.json.hits.total.value]).toEqual([expected, all]);
    const pit = await send('POST', `/${route.slug}*/_search/point_in_time?keep_alive=1m`);
    const inPit = await send('POST', '/_search', { body: { ...body, pit: { id: pit.json.pit_id } } });
    expect([hitsOf(inPit).sort(), inPit.json.hits.total.value]).toEqual([expected, all]);
    await send('DELETE', '/_search/point_in_time', { body: { pit_id: [pit.json.pit_id] } });
    await send('DELETE', '/_search/scroll', { body: { scroll_id: found.json._scroll_id } });
  });

  it('searches of all indices show each document once', async () => {
    const body = { size: 100, query: { match_phrase_prefix: { text: 'document' } } };
    for (const path of ['/_search', '/_all/_search', '/*/_search', '/_search?index=*']) {
      const found = await send('POST', path, { body });
      const own = found.json.hits.hits.filter((hit: { _index: string }) => hit._index.startsWith(route.slug));
      expect([path, own.length, hitsOf({ json: { hits: { hits: own } } })]).toEqual([path, documents, [route.source]]);
    }
  });

  it('items of an msearch, too', async () => {
    const search = { size: 0, track_total_hits: true };
    const own = { size: 100, query: { term: { _index: route.source } } };
    const lines = [
      { index: `${route.slug}*` },
      search,
      { index: [`${route.slug}-v*`, route.unrouted] },
      search,
      {},
      own,
    ];
    const got = await send('POST', '/_all/_msearch', { body: lines });
    const totals = got.json.responses.map((one: { hits: { total: { value: number } } }) => one.hits.total.value);
    expect(totals).toEqual([all, all, documents]);
  });
});

it('a follower that does not exist yet is no error', async () => {
  route.set({ phase: 'observe' });
  await route.on('source', 'DELETE', `/${route.target}`);
  const got = await route.send('GET', `/${route.slug}*/_count`);
  const [item] = (await route.send('POST', '/_msearch', { body: [{ index: `${route.slug}*` }, { size: 0 }] })).json
    .responses;
  expect([got.json.count, item.hits.total.value]).toEqual([all, all]);
});
