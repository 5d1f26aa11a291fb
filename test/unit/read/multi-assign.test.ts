import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { otherSide } from '../../../src/coordination/records.ts';
import { wrapCursor } from '../../../src/proxy/read/cursor-token.ts';
import { groupRequest } from '../../../src/proxy/read/group-request.ts';
import { type AssignContext, type Assignment, assignItems } from '../../../src/proxy/read/multi-assign.ts';
import { parseMulti } from '../../../src/proxy/read/multi-body.ts';
import { failedItem, mergeItems } from '../../../src/proxy/read/multi-merge.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { groupSample } from '../../../src/proxy/read/ask-group.ts';
import type { Operation } from '../../../src/proxy/types.ts';
import { oneClusterTableOf, routeState, tableOf } from '../../support/routes.ts';

const mac = () => 'MAC';
const a = routeState({ slug: 'a', indices: [{ source: 'a1', target: 'a2' }], aliases: ['a'] });
const b: RouteState = routeState({
  slug: 'b',
  phase: 'target',
  indices: [
    { source: 'b1', target: 'b2' },
    { source: 'c1', target: 'c2' },
  ],
  aliases: ['b'],
});
const table = tableOf(a, b);
const home = ({ phase }: RouteState) => (phase.phase === 'target' ? 'target' : 'source') as 'source' | 'target';
const away = (state: RouteState) => otherSide(home(state));

const context = (over: Partial<AssignContext> = {}): AssignContext => ({
  table,
  now: new Date(0),
  defaultIndex: undefined,
  mac,
  chosen: home,
  isPending: () => false,
  notRefreshed: () => false,
  sameCluster: false,
  ...over,
});
const lines = (...items: [unknown, unknown][]) =>
  Buffer.from(items.map(([head, search]) => `${JSON.stringify(head)}\n${JSON.stringify(search)}\n`).join(''));
const docs = (...items: unknown[]) => Buffer.from(JSON.stringify({ docs: items }));
const shape = ({ groups, failed }: Assignment) => ({
  groups: groups.map(({ side, followerOf, items }) => [side, followerOf?.slug, items.map((item) => item.position)]),
  failed: failed.map(({ position, error }) => [position, error.code]),
});
const assign = (body: ReturnType<typeof parseMulti>, over: Partial<AssignContext> = {}) =>
  shape(assignItems(body, context(over)));

describe('items of a multi request', () => {
  const search = parseMulti(
    'msearch',
    lines([{ index: 'a' }, {}], [{ index: 'x' }, {}], [{ index: 'b1' }, {}], [{ index: 'a1' }, {}]),
  );

  it('go to their authorities, and those without a route to the source', () => {
    expect(assign(search)).toEqual({
      groups: [
        ['source', undefined, [0, 1, 3]],
        ['target', undefined, [2]],
      ],
      failed: [],
    });
  });

  it('go to the follower of their route in a group of their own', () => {
    expect(assign(search, { chosen: away })).toEqual({
      groups: [
        ['target', 'a', [0, 3]],
        ['source', undefined, [1]],
        ['source', 'b', [2]],
      ],
      failed: [],
    });
  });

  it('stay at the authority one by one when something pins them', () => {
    const body = parseMulti(
      'msearch',
      lines(
        [{ index: 'a' }, {}],
        [{ index: 'a' }, { seq_no_primary_term: true }],
        [{ index: 'a' }, { query: { prefix: { _index: 'a' } } }],
      ),
    );
    expect(assign(body, { chosen: away }).groups).toEqual([
      ['target', 'a', [0]],
      ['source', undefined, [1, 2]],
    ]);
  });

  it('with null for an index are of the index of the path', () => {
    const body = parseMulti('mget', docs({ _index: null, _id: '1' }));
    expect(assign(body, { defaultIndex: 'b1' }).groups).toEqual([['target', undefined, [0]]]);
  });

  it.each(['_shards:0', '_only_nodes:a', '_prefer_nodes:a'])(
    'stay at the authority when their header names nodes or shards: %s',
    (preference) => {
      const body = parseMulti('msearch', lines([{ index: 'a' }, {}], [{ index: 'a', preference }, {}]));
      expect(assign(body, { chosen: away }).groups).toEqual([
        ['target', 'a', [0]],
        ['source', undefined, [1]],
      ]);
    },
  );

  it('with copies on their way stay at the authority', () => {
    const body = parseMulti('mget', docs({ _index: 'a', _id: '1' }, { _index: 'a', _id: '2' }));
    const isPending: AssignContext['isPending'] = (_index, { id }) => id === '2';
    expect(assign(body, { chosen: away, isPending }).groups).toEqual([
      ['target', 'a', [0]],
      ['source', undefined, [1]],
    ]);
  });

  it('follow their point in time, whatever the percentage says', () => {
    const pit = wrapCursor('raw', { side: 'target', reign: 2 }, mac);
    const body = parseMulti(
      'msearch',
      lines([{}, { pit: { id: pit } }], [{}, { pit: { id: 'raw' } }], [{}, { pit: { id: 'xf1.t2.BAD.raw' } }]),
    );
    expect(assign(body)).toEqual({
      groups: [
        ['target', undefined, [0]],
        ['source', undefined, [1]],
      ],
      failed: [[2, 'CURSOR_INVALID']],
    });
  });

  it.each<[string, ReturnType<typeof parseMulti>, string]>([
    ['over both sides', parseMulti('msearch', lines([{ index: ['a', 'b'] }, {}])), 'MIXED_ROUTES'],
    ['over everything', parseMulti('msearch', lines([{}, {}])), 'MIXED_ROUTES'],
    [
      'that looks something up on the other side',
      parseMulti('msearch', lines([{ index: 'b' }, { query: { terms: { u: { index: 'x', id: '1', path: 'p' } } } }])),
      'MIXED_ROUTES',
    ],
    [
      'that selects by a pattern on the index',
      parseMulti('msearch', lines([{ index: 'b1' }, { query: { prefix: { _index: 'b' } } }])),
      'UNSUPPORTED',
    ],
    ['by id from an alias of several indices', parseMulti('mget', docs({ _index: 'b', _id: '1' })), 'UNSUPPORTED'],
  ])('that no side can answer rightly fail alone: %s', (_title, body, code) => {
    expect(assign(body)).toEqual({ groups: [], failed: [[0, code]] });
  });

  it('over several routes that have moved are asked by their names on the target', () => {
    const c = routeState({ slug: 'c', phase: 'target', indices: [{ source: 'd1', target: 'd2' }], aliases: ['d'] });
    const body = parseMulti(
      'msearch',
      lines([{ index: 'b1,d' }, {}], [{ index: ['d', 'x'] }, {}], [{ index: 'd' }, {}]),
    );
    const assigned = assignItems(body, context({ table: tableOf(a, b, c) }));
    expect(shape(assigned)).toEqual({ groups: [['target', undefined, [0, 2]]], failed: [[1, 'MIXED_ROUTES']] });
    const operation = { family: 'msearch', params: {}, indexSegment: -1 } as unknown as Operation;
    const head = { path: '/_msearch', query: '' };
    const { items } = assigned.groups[0]!;
    const wire = groupRequest({ operation, head, table: tableOf(a, b, c), body, items, sameCluster: false }, 'target');
    expect(wire.body?.toString()).toBe('{"index":["b2","d2"]}\n{}\n{"index":["d2"]}\n{}\n');
  });

  it('by id name one index, so a list is over both sides at most', () => {
    const c = routeState({ slug: 'c', phase: 'target', indices: [{ source: 'd1', target: 'd2' }], aliases: ['d'] });
    const body = parseMulti('mget', docs({ _index: 'b1,d', _id: '1' }));
    expect(assign(body, { table: tableOf(a, b, c) })).toEqual({ groups: [], failed: [[0, 'MIXED_ROUTES']] });
  });

  it('take the default of the path', () => {
    const body = parseMulti('msearch', lines([{}, {}]));
    expect(assign(body, { defaultIndex: 'b1' }).groups).toEqual([['target', undefined, [0]]]);
  });

  it('are each in one group or have an error, whatever they are', () => {
    const head = fc.constantFrom(
      { index: 'a' },
      { index: 'b1' },
      { index: 'x' },
      { index: ['a', 'x'] },
      { index: ['b', 'x'] },
      {},
    );
    const body = fc.constantFrom(
      {},
      { version: true },
      { pit: { id: 'p' } },
      { query: { terms: { u: { index: 'a', id: 1, path: 'p' } } } },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(head, body), { minLength: 1 }), fc.boolean(), (items, isAway) => {
        const parsed = parseMulti('msearch', lines(...items));
        const { groups, failed } = assignItems(parsed, context({ chosen: isAway ? away : home }));
        const placed = [
          ...groups.flatMap((group) => group.items.map((item) => item.position)),
          ...failed.map((one) => one.position),
        ];
        expect(placed.sort((x, y) => x - y)).toEqual(items.map((_, i) => i));
      }),
    );
  });
});

describe('the request for a group', () => {
  const operation = {
    group: 'msearch',
    family: 'msearch',
    access: 'read',
    namesIn: 'both',
    needsBody: true,
    params: {},
    indexSegment: 1,
  } as const;
  const head = { path: '/a/_msearch', query: 'typed_keys' };
  const body = parseMulti('msearch', lines([{}, { size: 1 }], [{ index: 'a1', preference: 'p' }, {}]));
  const [group] = assignItems(body, context({ defaultIndex: 'a' })).groups;
  const words = { operation, head, table, body, items: group!.items, sameCluster: false };

  it("is the client's own on the source", () => {
    const said = groupRequest(words, 'source');
    expect([said.path, said.body === body.buf]).toEqual(['/a/_msearch', true]);
  });

  it.each([
    ['msearch', lines([{}, { size: 1 }], [{ index: 'x' }, {}]), '{"index":["a1"]}\n{"size":1}\n{"index":"x"}\n{}\n'],
    [
      'mget',
      docs({ _id: '1' }, { _index: 'x', _id: '2' }),
      '{"docs":[{"_index":"a1","_id":"1"},{"_index":"x","_id":"2"}]}',
    ],
  ] as const)("names the source's index there when the path of an %s names the target's", (family, bytes, expected) => {
    const asked = parseMulti(family, bytes);
    const [named] = assignItems(asked, context({ defaultIndex: 'a2', table: oneClusterTableOf(a, b) })).groups;
    const said = groupRequest(
      {
        operation: { ...operation, group: family, family, params: { index: 'a2' } },
        head: { path: `/a2/_${family}`, query: '' },
        table,
        body: asked,
        items: named!.items,
        sameCluster: false,
      },
      'source',
    );
    expect(said.body?.toString()).toBe(expected);
  });

  it('names every index on the target, where the default of the path means nothing', () => {
    const said = groupRequest(words, 'target');
    expect([said.path, said.query, said.body?.toString()]).toEqual([
      '/_msearch',
      'typed_keys',
      '{"index":["a2"]}\n{"size":1}\n{"index":["a2"],"preference":"p"}\n{}\n',
    ]);
  });
});

it('the sample of a group keeps its words, and not the exchange with the client', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const bytes = lines([{ index: 'a' }, {}]);
  const body = parseMulti('msearch', bytes);
  const sampled = (): { request: WeakRef<object>; sample: ReturnType<typeof groupSample> } => {
    const request = { head: { path: '/_msearch', query: '', method: 'POST', headers: {} } } as ClientRequest;
    const operation = { family: 'msearch', group: 'msearch', params: {}, indexSegment: -1 } as unknown as Operation;
    const plan = { kind: 'multi_read', operation, defaultIndex: undefined } as const;
    const reading = {
      request,
      plan,
      table,
      plain: { bytes, json: true, mediaType: 'application/json', headers: {} },
      body,
      sameCluster: false,
    };
    return { request: new WeakRef(request), sample: groupSample(reading, assignItems(body, context()).groups[0]!) };
  };
  const { request, sample } = sampled();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(request.deref()).toBeUndefined();
  expect(sample.requestFor('target')?.path).toBe('/_msearch');
});

describe('the merged answer', () => {
  it('has every item in its place', () => {
    const [x, y] = [Buffer.from('x'), Buffer.from('y')];
    expect(
      mergeItems(2, [
        { position: 1, item: x },
        { position: 0, item: y },
      ]),
    ).toEqual([y, x]);
  });

  it('is refused when a side left an item out', () => {
    expect(() => mergeItems(2, [{ position: 0, item: Buffer.from('x') }])).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_INVALID' }),
    );
  });

  it("reports an item's own error as the cluster would", () => {
    const [failed] = assignItems(parseMulti('mget', docs({ _index: 'b', _id: '1' })), context()).failed;
    expect(JSON.parse(failedItem('mget', failed!).toString())).toMatchObject({
      _index: 'b',
      _id: '1',
      error: { type: 'crossfade_unsupported' },
    });
    expect(JSON.parse(failedItem('msearch', failed!).toString())).toMatchObject({
      status: 400,
      error: { type: 'crossfade_unsupported' },
    });
  });
});
