import { describe, expect, it } from 'vitest';
import { classify } from '../../../src/proxy/classify.ts';
import { inspectBody } from '../../../src/proxy/read/body-names.ts';
import { bodyFor, bodyTrouble } from '../../../src/proxy/read/body-words.ts';
import { sideRequest } from '../../../src/proxy/read/outgoing.ts';
import { aliasRouting, clientNames } from '../../../src/proxy/read/side-names.ts';
import { oneClusterTableOf, routeState, tableOf } from '../../support/routes.ts';

const indices = [
  { source: 'a_v1', target: 'a_v2' },
  { source: 'b_v1', target: 'b_v2' },
];
const aliases = ['ab', { name: 'a', indices: ['a_v1'] }, { name: 'mine', indices: ['a_v1'], routing: 'u 1' }];
const state = routeState({ indices, aliases });
const table = oneClusterTableOf(state);

const say = (side: 'source' | 'target', target: string, body?: unknown) => {
  const [path = '', query = ''] = target.split('?');
  const operation = classify('GET', path);
  const resolution = table.resolve(operation.params['index'] ?? '', new Date(0));
  if (resolution.kind !== 'route') throw new Error(`${target} is not of the route`);
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const facts = inspectBody(bytes ?? Buffer.alloc(0));
  const said = sideRequest(
    { operation, head: { path, query }, indices: resolution.indices, body: bytes, facts, table, sameCluster: false },
    side,
  );
  return { target: said.query === '' ? said.path : `${said.path}?${said.query}`, body: said.body?.toString() };
};

describe('a request for the target', () => {
  it.each([
    ['/a_v1/_search', '/a_v2/_search'],
    ['/ab/_search?size=1', '/a_v2,b_v2/_search?size=1'],
    ['/a,b_v1/_count', '/a_v2,b_v2/_count'],
    ['/a,ab/_search', '/a_v2,b_v2/_search'],
    ['/a/_doc/x%2Fy', '/a_v2/_doc/x%2Fy'],
    ['/mine/_search', '/a_v2/_search?routing=u%201'],
    ['/mine/_search?routing=own', '/a_v2/_search?routing=own'],
    ['/mine/_doc/1?_source=false', '/a_v2/_doc/1?_source=false&routing=u%201'],
    ['/mine/_mget', '/a_v2/_mget?routing=u%201'],
    ['/mine/_mtermvectors?ids=1,2', '/a_v2/_mtermvectors?ids=1,2&routing=u%201'],
    ['/mine/_mget?routing=own', '/a_v2/_mget?routing=own'],
    ['/mine,a_v1/_search', '/a_v2/_search'],
    ['/mine/_field_caps?fields=*', '/a_v2/_field_caps?fields=*'],
    ['/mine/_validate/query', '/a_v2/_validate/query'],
    ['/a/t/1', '/a_v2/_doc/1'],
    ['/ab/t/_search', '/a_v2,b_v2/_search'],
  ])('%s becomes %s', (asked, said) => {
    expect(say('target', asked).target).toBe(said);
  });

  it("has the target's names in its body", () => {
    const body = { query: { terms: { u: { index: 'a', id: '1', path: 'p' } } } };
    expect(say('target', '/ab/_search', body).body).toBe(JSON.stringify(body).replace('"a"', '"a_v2"'));
  });
});

describe('a request for the source', () => {
  it.each([
    ['/a_v1/_search', '/a_v1/_search'],
    ['/mine/_search', '/mine/_search'],
    ['/%61/_search', '/%61/_search'],
    ['/a_v2/_search', '/a_v1/_search'],
    ['/a_v2,ab/_search', '/a_v1,b_v1/_search'],
  ])('%s becomes %s', (asked, said) => {
    expect(say('source', asked).target).toBe(said);
  });
});

it('a route whose old target name is taken by another index as its source keeps that name', () => {
  const swap = routeState({
    indices: [
      { source: 'x', target: 'y' },
      { source: 'y', target: 'z' },
    ],
    aliases: [],
  });
  const names = tableOf(swap).lookup('y')!;
  const read = { operation: classify('GET', '/y/_search'), head: { path: '/y/_search', query: '' }, indices: names };
  expect(
    sideRequest(
      { ...read, body: undefined, facts: inspectBody(Buffer.alloc(0)), table: tableOf(swap), sameCluster: false },
      'source',
    ).path,
  ).toBe('/y/_search');
});

describe('routing that aliases carry', () => {
  const index = (ordinal: number, routing?: string) => ({ state, ordinal, aliasRouting: routing });
  it.each([
    [[index(0)], { kind: 'none' }],
    [[index(0, 'x')], { kind: 'one', routing: 'x' }],
    [[index(0, 'x'), index(0, 'y')], { kind: 'one', routing: 'x,y' }],
    [[index(0, 'x'), index(0)], { kind: 'none' }],
    [[index(0, 'x'), index(1, 'x')], { kind: 'one', routing: 'x' }],
    [[index(0, 'x'), index(1)], { kind: 'mixed' }],
  ])('is united per index: case %#', (found, expected) => {
    expect(aliasRouting(found)).toEqual(expected);
  });
});

it('client names are those of the source, and only where they differ', () => {
  const same = routeState({
    indices: [
      { source: 's', target: 's' },
      { source: 'o', target: 'n' },
    ],
    aliases: [],
  });
  expect([...clientNames([same])]).toEqual([['n', 'o']]);
});

describe('a lookup in another index', () => {
  const users = (phase: 'dual' | 'target') =>
    routeState({ slug: 'users', phase, indices: [{ source: 'users', target: 'users2' }], aliases: [] });
  const facts = (index: string) =>
    inspectBody(Buffer.from(JSON.stringify({ query: { terms: { u: { index, id: '1', path: 'p' } } } })));
  it.each<[string, string, 'dual' | 'target', 'source' | 'target', boolean, boolean]>([
    ['an index without a route, on the source', 'elsewhere', 'dual', 'source', false, false],
    ['a route that has not moved, on the source', 'users', 'dual', 'source', false, false],
    ['a route that has moved, from the source', 'users', 'target', 'source', false, true],
    ['a route that has moved, from the source, by its new name', 'users2', 'target', 'source', false, true],
    ['a route that has moved, from the same cluster', 'users', 'target', 'source', true, false],
    ['an index without a route, on the target', 'elsewhere', 'target', 'target', false, true],
    ['a route that is not on the target yet', 'users', 'dual', 'target', false, true],
    ['a route that has moved as well', 'users', 'target', 'target', false, false],
    ['anything when both sides are one cluster', 'elsewhere', 'target', 'target', true, false],
  ])('is refused only where it is not current: %s', (_title, name, phase, side, sameCluster, refused) => {
    const table = tableOf(state, users(phase));
    const error = bodyTrouble({ facts: facts(name), table, side, sameCluster, query: '', states: [] });
    expect(error?.code).toBe(refused ? 'MIXED_ROUTES' : undefined);
  });

  it('may have the name of a route that has moved where nothing is looked up', () => {
    const facts = inspectBody(Buffer.from('{"query":{"term":{"_index":"users"}},"indices_boost":{"users":2}}'));
    const words = { table: tableOf(state, users('target')), side: 'source', sameCluster: false } as const;
    expect(bodyTrouble({ ...words, facts, query: '', states: [state] })).toBeUndefined();
  });

  it.each<[string, 'dual' | 'target', string]>([
    ['users', 'dual', 'users'],
    ['users2', 'dual', 'users'],
    ['users', 'target', 'users2'],
    ['users2', 'target', 'users2'],
    ['a', 'target', 'a'],
    ['elsewhere', 'target', 'elsewhere'],
  ])('%s in %s is read as %s in one cluster, whichever side is searched', (name, phase, expected) => {
    const table = oneClusterTableOf(routeState({ indices, aliases }), users(phase));
    for (const side of ['source', 'target'] as const) {
      const body = Buffer.from(JSON.stringify({ query: { terms: { u: { index: name } } } }));
      const said = bodyFor(body, inspectBody(body), { table, side, sameCluster: true });
      expect(said.toString()).toBe(body.toString().replace(`"${name}"`, `"${expected}"`));
    }
  });

  it('names hits by the side that is searched, where one cluster holds both', () => {
    const body = Buffer.from('{"query":{"term":{"_index":"a_v1"}},"indices_boost":{"a_v2":2}}');
    const said = (side: 'source' | 'target') => bodyFor(body, inspectBody(body), { table, side, sameCluster: true });
    expect(said('source').toString()).toBe('{"query":{"term":{"_index":"a_v1"}},"indices_boost":{"a_v1":2}}');
    expect(said('target').toString()).toBe('{"query":{"term":{"_index":"a_v2"}},"indices_boost":{"a_v2":2}}');
  });
});

describe('a body that was not understood', () => {
  const yaml = { facts: undefined, hidesNames: true, query: '', table, sameCluster: false } as const;
  const same = routeState({ indices: [{ source: 's', target: 's' }], aliases: [] });

  it.each<[string, Parameters<typeof bodyTrouble>[0], string | undefined]>([
    ['may name an index on the target', { ...yaml, side: 'target', states: [state] }, 'UNSUPPORTED'],
    ['names none', { ...yaml, hidesNames: false, side: 'target', states: [state] }, undefined],
    ['is for the source', { ...yaml, side: 'source', states: [state] }, undefined],
    ['is for indices that keep their names', { ...yaml, side: 'target', states: [same] }, undefined],
  ])('is refused only where a name in it would be wrong: it %s', (_title, said, code) => {
    expect(bodyTrouble(said)?.code).toBe(code);
  });
});
