import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { classify } from '../../../src/proxy/classify.ts';
import { type Addressed, type BulkInput, divide, writeGroup } from '../../../src/proxy/write/bulk-groups.ts';
import { parseBulk } from '../../../src/proxy/write/bulk-lines.ts';
import { readDefaults } from '../../../src/proxy/write/bulk-request.ts';
import { isAliasName, resolveWrite } from '../../../src/proxy/write/names.ts';
import { routeState, tableOf } from '../../support/routes.ts';

const now = new Date('2026-02-03T04:05:06Z');

type Request = { body: string; path?: string; query?: string; states?: RouteState[] };

const divided = ({ body: text, path = '/_bulk', query = '', states = [routeState()] }: Request) => {
  const body = Buffer.from(text);
  const parsed = parseBulk(body);
  if (parsed.kind !== 'actions') throw new Error('malformed');
  const operation = classify('POST', path);
  const input: BulkInput = {
    body,
    head: { method: 'POST', path, query, headers: {} },
    operation,
    defaults: readDefaults(query),
  };
  const table = tableOf(...states);
  const defaultName = operation.params['index'];
  const actions: Addressed[] = parsed.actions.map((action, position) => ({
    position,
    action,
    name: action.index ?? defaultName ?? '',
  }));
  const division = divide(input, actions, {
    target: (name) => resolveWrite(table, name, now),
    stateOf: (slug) => states.find((state) => state.slug === slug) as RouteState,
    isAlias: (state, name) => isAliasName(state, name, now),
  });
  const target = defaultName === undefined ? undefined : resolveWrite(table, defaultName, now);
  const requests = division.groups.map((group) => {
    const { path: to, pieces } = writeGroup(input, group, target?.kind === 'routed' ? target.index : undefined);
    return { side: group.side, path: to, body: Buffer.concat(pieces).toString(), pieces };
  });
  const refused = division.refused.map(({ entry, refusal }) => [entry.position, refusal.status, refusal.error.type]);
  return { requests, refused, body };
};

describe('the bulk body for one cluster', () => {
  it('is the client’s own memory when the index stands in the path', () => {
    const text = '{"index":{"_id":"1"}}\n{"a":1.0}\r\n{"delete":{"_id":"2"}}\n';
    const { requests, body } = divided({ body: text, path: '/products/_bulk' });
    expect(requests).toMatchObject([
      { side: 'source', path: '/crossfade-products-e1/_bulk?require_alias=true', body: text },
    ]);
    expect(requests[0]?.pieces).toHaveLength(1);
    expect(requests[0]?.pieces[0]?.buffer).toBe(body.buffer);
  });

  it.each([
    ['{"index":{"_index":"products_v1"}}', '{"index":{"_index":"crossfade-products-e1"}}'],
    [
      '{ "create" : { "_id" : 7, "_index" : "products" } }',
      '{ "create" : { "_id" : 7, "_index" : "crossfade-products-e1" } }',
    ],
    [
      '{"index":{"_index":"products","require_alias":false}}',
      '{"index":{"_index":"crossfade-products-e1","require_alias":true}}',
    ],
    [
      '{"index":{"_index":"products","if_seq_no":1,"if_primary_term":4294967297}}',
      '{"index":{"_index":"crossfade-products-e1","if_seq_no":1,"if_primary_term":4503599627370496}}',
    ],
  ])('replaces the name in %s', (line, expected) => {
    const { requests } = divided({ body: `${line}\n{"x":1}\n` });
    expect(requests).toMatchObject([{ path: '/_bulk?require_alias=true', body: `${expected}\n{"x":1}\n` }]);
  });

  it('translates the conflict token in the source of an update, and refuses one that it cannot read', () => {
    const states = [{ ...routeState(), phase: { ...routeState().phase, reign: 2 } }];
    const line = '{"update":{"_index":"products","_id":"1"}}';
    const { requests, refused } = divided({
      states,
      body: `${line}\n{"doc":{},"if_seq_no":1,"if_primary_term":4294967301}\r\n${line}\n{"doc":{}}\n${line}\n/**/{"doc":{},"if_primary_term":1}\n`,
    });
    expect(requests[0]?.body.split('\n').filter((_, i) => i % 2 === 1)).toEqual([
      '{"doc":{},"if_seq_no":1,"if_primary_term":5}',
      '{"doc":{}}',
    ]);
    expect(refused).toEqual([[2, 400, 'crossfade_unsupported']]);
  });

  it('has no mapping types on the target, which may not know them', () => {
    const states = [routeState({ phase: 'target' })];
    const body =
      '{"index":{"_index":"products","_type":"_doc","_id":"1"}}\n{"x":1}\n{"create":{"_type":"t"}}\n{"x":2}\n{"delete":{"_type":"t","_id":"3"}}\n';
    expect(divided({ states, path: '/products/_bulk', body }).requests).toMatchObject([
      {
        side: 'target',
        body: '{"index":{"_index":"crossfade-products-e1","_id":"1"}}\n{"x":1}\n{"create":{}}\n{"x":2}\n{"delete":{"_id":"3"}}\n',
      },
    ]);
    const onSource = body.replaceAll('"products"', '"crossfade-products-e1"');
    expect(divided({ path: '/products/_bulk', body }).requests).toMatchObject([{ side: 'source', body: onSource }]);
    const alone = '{"index":{"_type":"t"}}\n{}\n';
    const other = [routeState({ phase: 'target', slug: 'x', indices: [{ source: 'x1', target: 'x2' }], aliases: [] })];
    expect(divided({ states: other, body: alone, path: '/x1/_bulk' }).requests[0]?.body).toBe('{"index":{}}\n{}\n');
  });

  it('asks for the document that an update makes, unless the client asks itself', () => {
    const lines = [
      ['{"update":{"_index":"products","_id":"1"}}', '{"doc":{}}'],
      ['{"update":{"_index":"products","_id":"1","_source":false}}', '{"doc":{}}'],
      ['{"update":{"_index":"products","_id":"1"}}', '{"doc":{},"_source":"a"}'],
    ];
    const { requests } = divided({ body: `${lines.flat().join('\n')}\n` });
    expect(requests[0]?.body.split('\n').map((line) => line.includes('"_source":true'))).toEqual([
      true,
      ...Array(6).fill(false),
    ]);
  });

  it.each(['_source=true', '_source_includes=a', 'pretty'])(
    'asks for no document when the request says %s',
    (query) => {
      const { requests } = divided({ body: '{"update":{"_index":"products","_id":"1"}}\n{"doc":{}}\n', query });
      expect(requests[0]?.body).not.toContain('_source');
    },
  );

  it('leaves lines of unrouted indices as they are, and asks for aliases line by line', () => {
    const { requests } = divided({
      body: '{"index":{"_index":"other"}}\n{"x": 1.0}\n{"index":{"_index":"products"}}\n{"y":2}\n{"delete":{"_index":"other"} }\n',
    });
    expect(requests).toMatchObject([
      {
        side: 'source',
        path: '/_bulk',
        body: '{"index":{"_index":"other"}}\n{"x": 1.0}\n{"index":{"require_alias":true,"_index":"crossfade-products-e1"}}\n{"y":2}\n{"delete":{"_index":"other"} }\n',
      },
    ]);
  });

  it('goes to both clusters when authorities differ, each action once and in order', () => {
    const moved = routeState({
      slug: 'moved',
      phase: 'target',
      indices: [{ source: 'm1', target: 'm2' }],
      aliases: [],
    });
    const { requests } = divided({
      states: [routeState(), moved],
      path: '/m1/_bulk',
      body: '{"delete":{"_id":"1"}}\n{"delete":{"_id":"2","_index":"products"}}\n{"delete":{"_id":"3","_index":"m2"}}\n{"delete":{"_id":"4","_index":"x"}}\n',
    });
    expect(requests).toMatchObject([
      {
        side: 'source',
        path: '/m1/_bulk',
        body: '{"delete":{"_id":"2","_index":"crossfade-products-e1"}}\n{"delete":{"_id":"4","_index":"x"}}\n',
      },
      {
        side: 'target',
        path: '/crossfade-moved-e1/_bulk?require_alias=true',
        body: '{"delete":{"_id":"1"}}\n{"delete":{"_id":"3","_index":"crossfade-moved-e1"}}\n',
      },
    ]);
  });

  it('carries the routing of the addressed alias unless the action or the request has one', () => {
    const states = [routeState({ aliases: [{ name: 'eu', routing: 'r' }] })];
    const body = '{"delete":{"_index":"eu","_id":"1"}}\n{"delete":{"_index":"eu","_id":"2","routing":"r"}}\n';
    expect(divided({ states, body }).requests[0]?.body).toBe(
      '{"delete":{"routing":"r","_index":"crossfade-products-e1","_id":"1"}}\n{"delete":{"_index":"crossfade-products-e1","_id":"2","routing":"r"}}\n',
    );
    const empty =
      '{"delete":{"_index":"eu","_id":"1","routing":null}}\n{"delete":{"_index":"eu","_id":"2","routing":""}}\n';
    expect(divided({ states, body: empty }).requests[0]?.body).toBe(
      '{"delete":{"_index":"crossfade-products-e1","_id":"1","routing":"r"}}\n{"delete":{"_index":"crossfade-products-e1","_id":"2","routing":"r"}}\n',
    );
    const clashing = '{"delete":{"_index":"eu","_id":"1","routing":"q"}}\n';
    expect(divided({ states, body: clashing }).refused).toEqual([[0, 400, 'illegal_argument_exception']]);
  });

  it('is asked for no alias in the place of a concrete index when the client required one', () => {
    const body =
      '{"index":{"_index":"products_v1"}}\n{}\n{"index":{"_index":"products"}}\n{}\n{"delete":{"_index":"products_v1","_id":"1"}}\n';
    const { refused, requests } = divided({ body, query: 'require_alias=true' });
    expect(refused).toEqual([[0, 404, 'index_not_found_exception']]);
    expect(requests[0]?.body.split('\n')).toHaveLength(4);
  });

  it('refuses versions that the route does not declare', () => {
    const body = '{"index":{"_index":"products","_id":"1","version":3,"version_type":"external"}}\n{}\n';
    expect(divided({ body }).refused).toEqual([[0, 400, 'crossfade_unsupported']]);
    expect(divided({ body, states: [routeState({ phase: 'observe' })] }).refused).toEqual([]);
  });

  it('refuses an alias of several indices that names no write index', () => {
    const indices = [
      { source: 'a1', target: 'a2' },
      { source: 'b1', target: 'b2' },
    ];
    const body = '{"index":{"_index":"both"}}\n{}\n';
    expect(divided({ body, states: [routeState({ indices, aliases: ['both'] })] }).refused).toEqual([
      [0, 400, 'illegal_argument_exception'],
    ]);
    const declared = [routeState({ indices, aliases: [{ name: 'both', writeIndex: 'b1' }] })];
    expect(divided({ body, states: declared }).requests[0]?.body).toContain('crossfade-products-e1-1');
  });

  it('resolves date math once, as the server would', () => {
    const states = [routeState({ indices: [{ source: 'logs-2026.02.03', target: 'l2' }], aliases: [] })];
    const { requests } = divided({ states, body: '{"index":{"_index":"<logs-{now/d}>"}}\n{}\n' });
    expect(requests[0]?.body).toContain('"_index":"crossfade-products-e1"');
  });

  it('changes nothing of any action but the names and what the copies need', () => {
    const scalar = fc.oneof(fc.string(), fc.integer(), fc.constant(null));
    const meta = fc.record(
      {
        _id: scalar,
        routing: fc.string({ minLength: 1 }),
        version: fc.nat(),
        pipeline: fc.string(),
        _index: fc.constantFrom('products', 'products_v1', 'x'),
      },
      { requiredKeys: ['_index'] },
    );
    const source = fc.jsonValue().map((value) => JSON.stringify({ value }));
    const entry = fc.tuple(
      fc.constantFrom('index', 'create', 'update', 'delete'),
      meta,
      source,
      fc.constantFrom('\n', '\r\n'),
    );
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), (entries) => {
        const lines = entries.map(([op, values, document, end]) => {
          const action = `${JSON.stringify({ [op]: values })}${end}`;
          return op === 'delete' ? action : `${action}${document}${end}`;
        });
        const { requests } = divided({ body: lines.join('') });
        const sent = parseBulk(Buffer.from(requests[0]?.body ?? ''));
        if (sent.kind !== 'actions') throw new Error('malformed');
        const text = (slice: { start: number; end: number }) =>
          requests[0]?.body === undefined ? '' : Buffer.from(requests[0].body).toString('utf8', slice.start, slice.end);
        expect(sent.actions.map(({ op }) => op)).toEqual(entries.map(([op]) => op));
        sent.actions.forEach(({ line, source: document, op }, i) => {
          const [, before, given] = entries[i] as (typeof entries)[number];
          const {
            _source: _,
            require_alias: __,
            ...after
          } = (JSON.parse(text(line)) as Record<string, Record<string, unknown>>)[op] ?? {};
          expect(after).toEqual({ ...before, _index: before._index === 'x' ? 'x' : 'crossfade-products-e1' });
          if (document !== undefined) expect(text(document)).toBe(given);
        });
      }),
    );
  });

  it('takes the answer’s filter for itself', () => {
    const { requests } = divided({
      body: '{"delete":{"_index":"products","_id":"1"}}\n',
      query: 'filter_path=errors&refresh',
    });
    expect(requests[0]?.path).toBe('/_bulk?refresh&require_alias=true');
  });
});
