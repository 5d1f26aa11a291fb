import { expect, it } from 'vitest';
import { namesakesOf } from '../../../src/agent/namesakes.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';

const spec = RouteSpec.parse({
  route: 'r',
  indices: [
    { source: 'a', target: 'b' },
    { source: 'same', target: 'same' },
  ],
});
const cluster = (status: number, ...ids: string[]) => ({
  json: async () => ({
    status,
    body: Object.fromEntries(ids.map((uuid, i) => [`i${i}`, { settings: { index: { uuid } } }])),
  }),
});

it.each<[string, ReturnType<typeof cluster>, ReturnType<typeof cluster>, string[]]>([
  ['another index', cluster(200, 'own'), cluster(200, 'target'), ['b']],
  ['an index, while the target is yet to be created', cluster(200, 'own'), cluster(404), ['b']],
  ['an alias of several', cluster(200, 'target', 'own'), cluster(200, 'target'), ['b']],
  ['the target itself, in one cluster', cluster(200, 'target'), cluster(200, 'target'), []],
  ['nothing', cluster(404), cluster(200, 'target'), []],
  ['what this user may not see', cluster(403), cluster(200, 'target'), []],
  ['something, where the target may not be seen', cluster(200, 'own'), cluster(403), []],
])('a target has a namesake on the source where there is %s', async (_title, source, target, found) => {
  expect(await namesakesOf({ source, target }, spec)).toEqual(found);
});

it('the alias of the route itself is no namesake of a target that takes its name, but another index behind it is', async () => {
  const named = RouteSpec.parse({ route: 'r', indices: [{ source: 'a', target: 'b' }], aliases: ['b'] });
  const source = (...behind: string[]) => ({
    json: async (_method: string, path: string) => ({
      status: 200,
      body: Object.fromEntries(
        (path.startsWith('/b/') ? behind : ['of-a']).map((uuid) => [uuid, { settings: { index: { uuid } } }]),
      ),
    }),
  });
  expect(await namesakesOf({ source: source('of-a'), target: cluster(404) }, named)).toEqual([]);
  expect(await namesakesOf({ source: source('of-a', 'other'), target: cluster(404) }, named)).toEqual(['b']);
  expect(await namesakesOf({ source: source('of-a'), target: cluster(404) }, spec)).toEqual(['b']);
});
