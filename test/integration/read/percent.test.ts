import { gzipSync } from 'node:zlib';
import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { sideOf, useRoute } from './fixture.ts';

const route = useRoute();
const asUser = (user: string) => ({ authorization: `Basic ${Buffer.from(`${user}:x`).toString('base64')}` });
const search = (user: string) =>
  route.send('POST', `/${route.slug}/_search`, { body: { size: 3 }, headers: asUser(user) });

const sidesOf = async (users: readonly string[]): Promise<Map<string, string | undefined>> => {
  const sides = new Map<string, string | undefined>();
  for (const user of users) sides.set(user, sideOf(await search(user)));
  return sides;
};
const users = Array.from({ length: 60 }, (_, i) => `user-${i}`);
const onTarget = (sides: Map<string, string | undefined>) => users.filter((user) => sides.get(user) === 'target');

describe('the percentage of reads', () => {
  it('keeps a user on one side, and raising it only moves users over', async () => {
    const seen: string[][] = [];
    for (const read of [0, 10, 50, 100]) {
      route.set({ percent: { read } });
      const sides = await sidesOf(users);
      expect(await sidesOf(users)).toEqual(sides);
      seen.push(onTarget(sides));
    }
    const [none, few, half, all] = seen as [string[], string[], string[], string[]];
    expect(none).toEqual([]);
    expect(all).toEqual(users);
    for (const [less, more] of [
      [few, half],
      [half, all],
    ] as const)
      expect(more).toEqual(expect.arrayContaining(less));
    expect(few.length).toBeGreaterThan(0);
    expect(half.length).toBeGreaterThan(15);
    expect(half.length).toBeLessThan(45);
  });

  it('brings every read home when it is reset or stopped', async () => {
    route.set({ percent: { read: 100 }, stop: true });
    expect(onTarget(await sidesOf(users.slice(0, 5)))).toEqual([]);
    route.set({ percent: {}, spec: { reads: { allow: ['user-1'] } } });
    expect(sideOf(await search('user-1'))).toBe('source');
  });

  it('obeys the canary lists, and denial beats permission', async () => {
    route.set({ percent: { read: 0.001 }, spec: { reads: { allow: ['alice', 'bob'], deny: ['bob'] } } });
    expect([sideOf(await search('alice')), sideOf(await search('bob'))]).toEqual(['target', 'source']);
  });

  it('takes its key from a header when the route says so, and stays home without one', async () => {
    route.set({ percent: { read: 50 }, spec: { reads: { key: ['header:x-tenant'] } } });
    const ask = async (tenant?: string) =>
      sideOf(
        await route.send(
          'GET',
          `/${route.slug}/_search`,
          tenant === undefined ? {} : { headers: { 'x-tenant': tenant } },
        ),
      );
    const tenants = Array.from({ length: 30 }, (_, i) => `t${i}`);
    const first = await Promise.all(tenants.map(ask));
    expect(await Promise.all(tenants.map(ask))).toEqual(first);
    expect(new Set(first)).toEqual(new Set(['source', 'target']));
    expect(await ask()).toBe('source');
  });

  it('keeps a client connection on one side when nothing else names the client', async () => {
    route.set({ percent: { read: 50 } });
    for (let i = 0; i < 4; i++) {
      const dispatcher = new Agent({ connections: 1 });
      const sides = new Set<unknown>();
      for (let n = 0; n < 4; n++) {
        const answer = await request(`${route.stack.url}/${route.slug}/_search`, { dispatcher });
        await answer.body.dump();
        sides.add(answer.headers['x-crossfade-side']);
      }
      expect(sides.size).toBe(1);
      await dispatcher.close();
    }
  });
});

describe('an answer of the target', () => {
  it('is the answer of the source to the byte, names and tokens included', async () => {
    route.set({ percent: { read: 100 } });
    const viaTarget = await route.send('GET', `/${route.slug}/_doc/7`);
    const direct = await route.on('source', 'GET', `/${route.slug}/_doc/7`);
    expect(sideOf(viaTarget)).toBe('target');
    const { _version, ...rest } = direct.json;
    expect(viaTarget.json).toMatchObject(rest);
    expect(viaTarget.text.slice(viaTarget.text.indexOf('"_source"'))).toBe(
      direct.text.slice(direct.text.indexOf('"_source"')),
    );
  });

  it.each([
    [
      'a search by alias',
      'POST',
      (r: typeof route) => `/${r.slug}/_search`,
      { query: { match: { text: 'document' } } },
    ],
    ['a search by index', 'GET', (r: typeof route) => `/${r.source}/_search?size=2`, undefined],
    ['a count', 'GET', (r: typeof route) => `/${r.slug}/_count`, undefined],
    ['field capabilities', 'GET', (r: typeof route) => `/${r.slug}/_field_caps?fields=n`, undefined],
    ['an explanation', 'POST', (r: typeof route) => `/${r.slug}/_explain/3`, { query: { match_all: {} } }],
    ['term vectors', 'GET', (r: typeof route) => `/${r.slug}/_termvectors/3?fields=text`, undefined],
    ['a document that is not there', 'GET', (r: typeof route) => `/${r.slug}/_doc/nope`, undefined],
    ['the source of a document', 'GET', (r: typeof route) => `/${r.slug}/_source/3`, undefined],
    [
      'a validation',
      'POST',
      (r: typeof route) => `/${r.slug}/_validate/query?explain=true`,
      { query: { match_all: {} } },
    ],
  ])('never names the target: %s', async (_title, method, path, body) => {
    route.set({ percent: { read: 100 } });
    const got = await route.send(method, path(route), { body });
    expect(sideOf(got)).toBe('target');
    expect(got.text).not.toContain(route.target);
    const direct = await route.on('source', method, path(route), body);
    expect(got.status).toBe(direct.status);
    expect(Object.keys(got.json)).toEqual(Object.keys(direct.json));
  });

  it('to HEAD has the length of the same GET', async () => {
    route.set({ percent: { read: 100 } });
    const got = await route.send('HEAD', `/${route.slug}/_doc/7`);
    expect([got.status, sideOf(got)]).toEqual([200, 'target']);
    expect(Number(got.headers['content-length'])).toBeGreaterThan(0);
  });

  it('does not name its side when the route has that switched off', async () => {
    route.set({ percent: { read: 100 }, spec: { reads: { sideHeader: false } } });
    expect(sideOf(await route.send('GET', `/${route.slug}/_count`))).toBeUndefined();
  });
});

it('a compressed search goes to the target readable', async () => {
  route.set({ percent: { read: 100 } });
  const answer = await request(`${route.stack.url}/${route.slug}/_search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', 'accept-encoding': 'gzip' },
    body: gzipSync('{"size":2}'),
  });
  expect([answer.statusCode, answer.headers['x-crossfade-side']]).toEqual([200, 'target']);
  expect(((await answer.body.json()) as { hits: { hits: unknown[] } }).hits.hits).toHaveLength(2);
});

describe('reads that only the authority can answer stay there at 100 %', () => {
  it.each<[string, string, string, unknown]>([
    ['concurrency tokens in the body', 'POST', '_search', { seq_no_primary_term: true }],
    ['concurrency tokens as a parameter', 'GET', '_search?seq_no_primary_term=true', undefined],
    ['versions', 'POST', '_search', { version: true }],
    ['a comparison of versions', 'GET', '_doc/7?version=1', undefined],
    ['a pattern on index names', 'POST', '_search', { query: { wildcard: { _index: 'a*' } } }],
    ['an answer in YAML', 'GET', '_search?format=yaml', undefined],
    ['a preference for shards', 'GET', '_search?preference=_shards:0', undefined],
  ])('%s', async (_title, method, api, body) => {
    route.set({ percent: { read: 100 } });
    expect(sideOf(await route.send(method, `/${route.slug}/${api}`, { body }))).toBe('source');
  });

  it('a document whose copy is on its way, and only that one', async () => {
    route.set({ percent: { read: 100 } });
    route.stack.pending.add(`${route.slug}/0/5/`);
    expect(sideOf(await route.send('GET', `/${route.slug}/_doc/5`))).toBe('source');
    expect(sideOf(await route.send('GET', `/${route.slug}/_doc/6`))).toBe('target');
    route.stack.pending.clear();
  });

  it('a document that was never stamped, because its tokens cannot be told', async () => {
    route.set({ percent: { read: 100 } });
    await route.on('source', 'PUT', `/${route.source}/_doc/bare`, { n: 1 });
    await route.on('target', 'PUT', `/${route.target}/_doc/bare`, { n: 1 });
    expect(sideOf(await route.send('GET', `/${route.slug}/_doc/bare`))).toBe('source');
  });

  it('a wrong query, so that the client reads the authority about it', async () => {
    route.set({ percent: { read: 100 } });
    const got = await route.send('POST', `/${route.slug}/_search`, { body: { query: { nonsense: {} } } });
    const direct = await route.on('source', 'POST', `/${route.slug}/_search`, { query: { nonsense: {} } });
    expect([got.status, sideOf(got), got.json]).toEqual([400, 'source', direct.json]);
  });
});

it('tokens read through the follower are those of the authority, so a write with them succeeds', async () => {
  route.set({ percent: { read: 100 } });
  const read = await route.send('GET', `/${route.slug}/_doc/9`);
  expect(sideOf(read)).toBe('target');
  const { _seq_no, _primary_term } = read.json;
  const written = await route.on(
    'source',
    'PUT',
    `/${route.source}/_doc/9?if_seq_no=${_seq_no}&if_primary_term=${_primary_term}`,
    { n: 9, text: 'document 9', exact: 1.5 },
  );
  expect(written.status).toBe(200);
});
