import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReadStack, startReadStack } from '../../support/read-stack.ts';
import { documents, sideOf, stateFor, useRoute } from './fixture.ts';

const route = useRoute();
/** A second sidecar of the same route, without anything of the first one's memory. */
let replica: ReadStack;
beforeAll(async () => {
  replica = await startReadStack({ sourceUrl: route.urls.source, targetUrl: route.urls.target });
});
afterAll(() => replica.close());

const set = (change: Parameters<typeof route.set>[0]) => {
  route.set(change);
  replica.setStates(stateFor(route, change));
};
const ids = (got: { json: { hits: { hits: { _id: string; _index: string }[] } } }) =>
  got.json.hits.hits.map((hit) => hit._id);
const sorted = { size: 8, sort: ['n'] };
const expected = Array.from({ length: documents }, (_, i) => String(i + 1));

describe('a scroll', () => {
  it.each(['source', 'target'] as const)(
    'opened on the %s is continued there by any replica, whatever the percentage is by then',
    async (side) => {
      set({ percent: { read: side === 'target' ? 100 : 0 } });
      const first = await route.send('POST', `/${route.slug}/_search?scroll=1m`, { body: sorted });
      expect(sideOf(first)).toBe(side);
      const seen = [...ids(first)];
      let scrollId: string = first.json._scroll_id;
      for (let page = 0; page < 3; page++) {
        set({ percent: { read: page % 2 === 0 ? 0 : 100 } });
        const stack = page % 2 === 0 ? replica : route.stack;
        const next = await stack.send('POST', '/_search/scroll', { body: { scroll: '1m', scroll_id: scrollId } });
        expect([next.status, sideOf(next)]).toEqual([200, side]);
        expect(next.text).not.toContain(route.target);
        seen.push(...ids(next));
        scrollId = next.json._scroll_id;
      }
      expect(seen).toEqual(expected);
      const closed = await replica.send('DELETE', '/_search/scroll', { body: { scroll_id: scrollId } });
      expect(closed.json).toEqual({ succeeded: true, num_freed: 1 });
    },
  );

  it('stays usable over a cutover, and still belongs to the side that opened it', async () => {
    set({ percent: { read: 0 } });
    const fromSource = await route.send('POST', `/${route.slug}/_search?scroll=1m`, { body: sorted });
    set({ phase: 'target', reign: 2 });
    const fromTarget = await route.send('POST', `/${route.slug}/_search?scroll=1m`, { body: sorted });
    expect([sideOf(fromSource), sideOf(fromTarget)]).toEqual(['source', 'target']);
    for (const [first, side] of [
      [fromSource, 'source'],
      [fromTarget, 'target'],
    ] as const) {
      const next = await replica.send('POST', '/_search/scroll', {
        body: { scroll: '1m', scroll_id: first.json._scroll_id },
      });
      expect([sideOf(next), ...ids(next)]).toEqual([side, ...expected.slice(8, 16)]);
    }
    const scroll_id = [fromSource, fromTarget].map((got) => got.json._scroll_id);
    const closed = await replica.send('DELETE', '/_search/scroll', { body: { scroll_id } });
    expect([closed.status, closed.json]).toEqual([200, { succeeded: true, num_freed: 2 }]);
  });

  it('is continued and closed by an id in the path or in the query', async () => {
    set({ percent: { read: 100 } });
    const first = await route.send('GET', `/${route.slug}/_search?scroll=1m&size=8&sort=n`);
    const id = encodeURIComponent(first.json._scroll_id);
    expect(sideOf(first)).toBe('target');
    expect(ids(await replica.send('GET', `/_search/scroll?scroll=1m&scroll_id=${id}`))).toEqual(expected.slice(8, 16));
    expect(ids(await replica.send('GET', `/_search/scroll/${id}?scroll=1m`))).toEqual(expected.slice(16));
    const closed = await replica.send('DELETE', `/_search/scroll/${id}`);
    expect(closed.json).toEqual({ succeeded: true, num_freed: 1 });
  });

  it('that was damaged, or made with another key, is refused and sent nowhere', async () => {
    set({ percent: { read: 100 } });
    const first = await route.send('POST', `/${route.slug}/_search?scroll=1m`, { body: sorted });
    const id: string = first.json._scroll_id;
    const damaged = await replica.send('POST', '/_search/scroll', { body: { scroll_id: `${id}x` } });
    expect([damaged.status, damaged.headers['x-crossfade-error']]).toEqual([400, 'CURSOR_INVALID']);
    await replica.send('DELETE', '/_search/scroll', { body: { scroll_id: [id] } });
  });

  it('of the source keeps the id that the cluster gave it, so that it survives the end of the route', async () => {
    set({ percent: { read: 0 } });
    const first = await route.send('POST', `/${route.slug}/_search?scroll=1m`, { body: sorted });
    const direct = await route.on('source', 'POST', '/_search/scroll', { scroll_id: first.json._scroll_id });
    expect(ids(direct)).toEqual(expected.slice(8, 16));
    await route.on('source', 'DELETE', '/_search/scroll', { scroll_id: [first.json._scroll_id] });
  });
});

describe('a point in time', () => {
  const open = async () =>
    (await route.send('POST', `/${route.slug}/_search/point_in_time?keep_alive=1m`)) as { json: { pit_id: string } };
  const [before, after] = [{ percent: { read: 0 } }, { phase: 'target', reign: 2 }] as const;
  const page = (id: string, last?: number) => ({
    pit: { id, keep_alive: '1m' },
    ...sorted,
    ...(last === undefined ? {} : { search_after: [last] }),
  });

  it.each(['source', 'target'] as const)('opened on the %s is searched there after the sides changed', async (side) => {
    const [here, there] = side === 'source' ? [before, after] : [after, before];
    set(here);
    const id = (await open()).json.pit_id;
    set({ ...here, percent: { read: 100 } });
    const first = await replica.send('POST', '/_search', { body: page(id) });
    expect([first.status, sideOf(first), ...ids(first)]).toEqual([200, side, ...expected.slice(0, 8)]);
    expect(first.text).not.toContain(route.target);
    set(there);
    const second = await replica.send('POST', '/_search', { body: page(first.json.pit_id, 8) });
    expect([sideOf(second), ...ids(second)]).toEqual([side, ...expected.slice(8, 16)]);
    const closed = await replica.send('DELETE', '/_search/point_in_time', { body: { pit_id: [second.json.pit_id] } });
    expect(closed.json).toEqual({ pits: [{ successful: true, pit_id: second.json.pit_id }] });
  });

  it('of each side is closed by one request, and each is named as the client knows it', async () => {
    set(before);
    const a = (await open()).json.pit_id;
    set(after);
    const b = (await open()).json.pit_id;
    const closed = await replica.send('DELETE', '/_search/point_in_time', { body: { pit_id: [b, a] } });
    expect(closed.json.pits).toEqual([
      { successful: true, pit_id: a },
      { successful: true, pit_id: b },
    ]);
  });

  it('is opened at the authority whatever the percentage, so that its tokens fit the next write', async () => {
    set({ percent: { read: 100 } });
    const id = (await open()).json.pit_id;
    const got = await replica.send('POST', '/_search', { body: { ...page(id), seq_no_primary_term: true } });
    expect(sideOf(got)).toBe('source');
    for (const hit of got.json.hits.hits) expect(hit._primary_term).toBe(1);
    await replica.send('DELETE', '/_search/point_in_time', { body: { pit_id: id } });
  });

  it('that is missing makes it a search of all indices, which the source answers as long as it has everything', async () => {
    set({ percent: { read: 100 } });
    const got = await route.send('POST', '/_search', { body: { query: { ids: { values: ['u1'] } } } });
    expect([got.status, sideOf(got)]).toEqual([200, 'source']);
    set({ phase: 'target', reign: 2 });
    const refused = await route.send('POST', '/_search', { body: { query: { match_all: {} } } });
    expect([refused.status, refused.headers['x-crossfade-error']]).toEqual([400, 'MIXED_ROUTES']);
  });
});
