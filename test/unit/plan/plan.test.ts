import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Phase } from '../../../src/coordination/records.ts';
import { classify } from '../../../src/proxy/classify.ts';
import { operations } from '../../../src/proxy/operations.generated.ts';
import { type PlanInput, plan, planBody, planWithoutPit } from '../../../src/proxy/plan.ts';
import type { Plan, RoutedIndex, RouteTable } from '../../../src/proxy/types.ts';
import { routeState, tableOf } from '../../support/routes.ts';

const now = new Date('2026-03-31T12:00:00Z');

const inputOf = (table: RouteTable, request: string): PlanInput => {
  const [method = '', target = ''] = request.split(' ');
  const [path = '', query = ''] = target.split(/\?(.*)/);
  return { operation: classify(method, path), head: { method, path, query, headers: {} }, table, now };
};
const planOf = (table: RouteTable, request: string): Plan => plan(inputOf(table, request));

const names = (indices: readonly RoutedIndex[]) =>
  indices.map(({ state, ordinal }) => `${state.slug}/${ordinal}`).join(' ');

/** A plan in one line, for tables. */
const shown = (decided: Plan): string => {
  switch (decided.kind) {
    case 'pass': {
      const extra = decided.refreshAlso?.map((state) => state.slug).join(' ');
      const also = extra === undefined ? '' : ` also ${extra}`;
      return `pass ${decided.side} ${decided.reason}${decided.rewriteNodes ? ' rewritten' : ''}${also}`;
    }
    case 'reject':
      return decided.error.code;
    case 'write':
      return `write ${names([decided.index])}`;
    case 'bulk':
    case 'multi_read':
      return `${decided.kind} ${decided.defaultIndex ?? '-'}`;
    case 'read':
    case 'by_query':
    case 'refresh':
      return `${decided.kind} ${names(decided.indices)}`;
    case 'mixed_read':
      return `mixed_read ${decided.side} ${decided.states.map(({ slug }) => slug).join(' ')}${decided.unrouted ? ' and more' : ''}${decided.said === undefined ? '' : ` as ${decided.said.names.join()}`}`;
    case 'index_info':
      return `${decided.kind} ${names(decided.indices)}${decided.side === undefined ? '' : ` on ${decided.side}`}`;
    case 'admin':
      return `${decided.kind} ${names(decided.indices)}${decided.refusal === undefined ? '' : ' if unchanged'}`;
    case 'reindex':
    case 'cursor':
    case 'pit_search':
    case 'by_body':
      return decided.kind;
    default:
      return decided satisfies never;
  }
};

const inPhase = (phase: Phase) => tableOf(routeState({ phase }));
const noRoutes = tableOf();
const dual = inPhase('dual');
const target = inPhase('target');

describe('one route in each phase', () => {
  const sourcePhases = ['observe', 'dual'] as const;
  const targetPhases = ['target', 'final'] as const;

  /** request, plan while the source holds the authority, plan while the target does (default: the same) */
  const matrix: readonly (readonly [request: string, onSource: string, onTarget?: string])[] = [
    ['PUT /products/_doc/1', 'write products/0'],
    ['POST /products/_doc', 'write products/0'],
    ['PUT /products_v1/_create/1', 'write products/0'],
    ['PUT /products/_doc/1?op_type=create', 'write products/0'],
    ['POST /products/_update/1', 'write products/0'],
    ['DELETE /products_v2/_doc/1', 'pass source unrouted', 'write products/0'],
    ['PUT /%3Cproducts%3E/_doc/1', 'write products/0'],
    ['PUT /products/item/1', 'write products/0'],
    ['POST /products/item/1/_update', 'write products/0'],
    ['PUT /other/_doc/1', 'pass source unrouted'],
    ['PUT /prod*/_doc/1', 'pass source unrouted'],
    ['PUT /products,other/_doc/1', 'pass source unrouted'],
    ['POST /_bulk', 'bulk -'],
    ['POST /products/_bulk', 'bulk products'],
    ['PUT /other/_bulk', 'bulk other'],
    ['POST /_bulk?index=products', 'bulk products'],
    ['POST /%3Cproducts%3E/_bulk', 'bulk <products>'],
    ['POST /_bulk/stream', 'UNSUPPORTED'],
    ['POST /other/_bulk/stream', 'UNSUPPORTED'],
    ['POST /products/_update_by_query', 'by_query products/0'],
    ['POST /products/_delete_by_query', 'by_query products/0'],
    ['POST /other/_delete_by_query', 'pass source unrouted'],
    ['POST /prod*/_delete_by_query', 'UNSUPPORTED'],
    ['POST /_all/_update_by_query', 'UNSUPPORTED'],
    ['POST /products,other/_delete_by_query', 'MIXED_ROUTES'],
    ['POST /products/_delete_by_query?source=%7B%7D', 'UNSUPPORTED'],
    ['POST /_reindex', 'reindex'],
    ['POST /_reindex/n:1/_rethrottle', 'cursor'],

    ['GET /products/_doc/1', 'read products/0'],
    ['HEAD /products/_doc/1', 'read products/0'],
    ['GET /products_v1/_source/1', 'read products/0'],
    ['GET /products/_explain/1', 'read products/0'],
    ['GET /products/_termvectors/1', 'read products/0'],
    ['GET /products/item/1', 'read products/0'],
    ['GET /other/_doc/1', 'pass source unrouted'],
    ['GET /prod*/_doc/1', 'pass source unrouted'],
    ['POST /products/_search', 'read products/0'],
    ['GET /products/_search?source=%7B%7D', 'read products/0'],
    ['GET /products/item/_search', 'read products/0'],
    ['GET /products/_search/template', 'read products/0'],
    ['GET /products/_count', 'read products/0'],
    ['GET /products/_field_caps', 'read products/0'],
    ['GET /products/_validate/query', 'read products/0'],
    ['GET /products/_rank_eval', 'read products/0'],
    ['POST /products/_search/point_in_time', 'read products/0'],
    ['POST /other/_search', 'pass source unrouted'],
    ['POST /other*/_search', 'pass source unrouted'],
    ['POST /prod*/_search', 'pass source pinned', 'MIXED_ROUTES'],
    ['POST /products,other/_search', 'pass source pinned', 'MIXED_ROUTES'],
    ['POST /_all/_search', 'pass source pinned', 'MIXED_ROUTES'],
    ['GET /_count', 'pass source pinned', 'MIXED_ROUTES'],
    ['GET /_count?index=products', 'pass source pinned', 'UNSUPPORTED'],
    ['GET /_count?index=other', 'pass source unrouted'],
    ['GET /_search', 'pit_search'],
    ['POST /_search?source=%7B%7D', 'pass source pinned', 'MIXED_ROUTES'],
    ['POST /_search?source=%7B%22pit%22%3A%7B%22id%22%3A%22x%22%7D%7D', 'UNSUPPORTED'],
    ['POST /_search?source=pit%3A%20x', 'UNSUPPORTED'],
    ['POST /_search?source=%7B%22%5Cu0070it%22%3A%7B%7D%7D', 'UNSUPPORTED'],
    ['POST /_search?source=null', 'pass source pinned', 'MIXED_ROUTES'],
    [
      'GET /_search?source=%7B%22query%22%3A%7B%22match%22%3A%7B%22type%22%3A%22hospital%22%7D%7D%7D',
      'pass source pinned',
      'MIXED_ROUTES',
    ],
    ['GET /views/v/_search', 'pass source pinned', 'UNSUPPORTED'],
    ['POST /_msearch', 'multi_read -'],
    ['POST /other/_msearch', 'multi_read other'],
    ['GET /products/_mget', 'multi_read products'],
    ['POST /_mtermvectors', 'multi_read -'],
    ['POST /_msearch/template', 'multi_read -'],
    ['GET /_mget?index=products', 'pass source pinned', 'UNSUPPORTED'],
    ['GET /_mget?source=%7B%7D', 'pass source pinned', 'UNSUPPORTED'],
    ['GET /other/_mget?source=%7B%22ids%22%3A%5B%5D%7D', 'pass source unrouted'],
    ['GET /other/_mget?source=%7B%22_index%22%3A%22products%22%7D', 'pass source pinned', 'UNSUPPORTED'],
    ['POST /_plugins/_sql', 'by_body'],
    ['POST /_plugins/_ppl', 'pass source pinned', 'by_body'],
    ['POST /_opendistro/_sql', 'by_body'],
    ['POST /_plugins/_sql?source=%7B%22cursor%22%3A%22c%22%7D', 'pass source pinned', 'cursor'],
    ['POST /_plugins/_asynchronous_search?index=products', 'pass source pinned', 'UNSUPPORTED'],
    ['POST /_plugins/_asynchronous_search?index=other', 'pass source unrouted'],
    ['POST /_plugins/_asynchronous_search', 'pass source pinned', 'UNSUPPORTED'],

    ['POST /_search/scroll', 'cursor'],
    ['GET /_search/scroll/abc', 'cursor'],
    ['DELETE /_search/scroll', 'cursor'],
    ['DELETE /_search/point_in_time', 'cursor'],
    ['DELETE /_search/point_in_time/_all', 'cursor'],
    ['POST /_search/scroll?source=%7B%7D', 'UNSUPPORTED'],
    ['GET /_plugins/_asynchronous_search/abc', 'cursor'],
    ['POST /_plugins/_sql/close', 'cursor'],
    ['GET /_tasks/n:1', 'cursor'],
    ['POST /_tasks/n:1/_cancel', 'cursor'],
    ['GET /_tasks', 'pass source cluster', 'pass target cluster'],
    ['GET /_search/point_in_time/_all', 'pass source cluster', 'pass target cluster'],

    ['POST /products/_refresh', 'refresh products/0'],
    ['GET /products/_refresh', 'refresh products/0'],
    ['POST /products/_flush', 'refresh products/0'],
    ['POST /other/_refresh', 'pass source unrouted'],
    ['POST /_refresh', 'pass source pinned', 'pass source pinned also products'],
    ['POST /_refresh?index=products', 'pass source pinned', 'pass source pinned also products'],
    ['POST /_flush', 'pass source pinned'],
    ['POST /products/_forcemerge', 'index_info products/0'],
    ['POST /_cache/clear', 'pass source pinned'],

    ['GET /products', 'index_info products/0'],
    ['HEAD /products', 'index_info products/0'],
    ['GET /products/_mapping', 'index_info products/0'],
    ['GET /products/_stats/docs', 'index_info products/0'],
    ['GET /products/_search_shards', 'index_info products/0'],
    ['POST /products/_analyze', 'index_info products/0'],
    ['GET /other/_mapping', 'pass source unrouted'],
    ['GET /_mapping', 'pass source cluster', 'pass target cluster'],
    ['GET /_mapping?index=products', 'pass source pinned', 'UNSUPPORTED'],
    ['GET /prod*/_mapping', 'pass source pinned', 'MIXED_ROUTES'],
    ['GET /_alias', 'pass source cluster', 'pass target cluster'],
    ['HEAD /_alias/other', 'pass source unrouted'],
    ['GET /products_v2/_alias', 'pass source unrouted', 'index_info products/0'],
    ['GET /_resolve/index/*', 'pass source cluster', 'pass target cluster'],
    ['GET /_data_stream/other', 'pass source unrouted'],

    ['DELETE /products_v1', 'ADMIN_REFUSED'],
    ['PUT /products', 'admin products/0'],
    ['PUT /products_v2', 'by_body', 'admin products/0'],
    ['POST /products/_close', 'ADMIN_REFUSED'],
    ['POST /products/_rollover', 'ADMIN_REFUSED'],
    ['POST /products/_rollover?index=other', 'ADMIN_REFUSED'],
    ['DELETE /products_v1?alias=other', 'ADMIN_REFUSED'],
    ['POST /other/_rollover/products_v1', 'ADMIN_REFUSED'],
    ['PUT /other/_clone/products_v1', 'ADMIN_REFUSED'],
    ['PUT /products/_mapping', 'admin products/0 if unchanged'],
    ['PUT /products/_settings', 'admin products/0 if unchanged'],
    ['PUT /_settings', 'ADMIN_REFUSED'],
    ['DELETE /*', 'ADMIN_REFUSED'],
    ['DELETE /_all', 'ADMIN_REFUSED'],
    ['DELETE /_a%6Cl', 'ADMIN_REFUSED'],
    ['DELETE /_all%2C', 'ADMIN_REFUSED'],
    ['DELETE /%3C_all%3E', 'ADMIN_REFUSED'],
    ['DELETE /_none,products', 'ADMIN_REFUSED'],
    ['PUT /_a%6Cl/_settings', 'ADMIN_REFUSED'],
    ['POST /_a%6Cl/_delete_by_query', 'UNSUPPORTED'],
    ['PUT /products/_do%63/1', 'write products/0'],
    ['DELETE /?index=products', 'ADMIN_REFUSED'],
    ['DELETE /', 'ADMIN_REFUSED'],
    ['POST /_close', 'ADMIN_REFUSED'],
    ['PUT /_data_stream/products', 'ADMIN_REFUSED'],
    ['POST /_plugins/_ism/add/products', 'ADMIN_REFUSED'],
    ['PUT /products/_alias/x', 'admin products/0 if unchanged'],
    ['PUT /products,other/_mapping', 'ADMIN_REFUSED'],
    ['PUT /other/_alias/products', 'ADMIN_REFUSED'],
    ['DELETE /products_v1/_alias/products', 'ADMIN_REFUSED'],
    ['DELETE /other', 'pass source unrouted'],
    ['DELETE /other/_alias/products', 'pass source unrouted'],
    ['PUT /other/_mapping', 'pass source unrouted'],
    ['PUT /other', 'by_body'],
    ['PUT /other/_clone/more', 'by_body'],
    ['POST /_aliases', 'by_body'],
    ['PUT /_alias', 'by_body'],
    ['PUT /other/_alias/x', 'by_body'],

    ['GET /', 'pass source cluster', 'pass target cluster'],
    ['HEAD /', 'pass source cluster', 'pass target cluster'],
    ['GET /_cluster/health', 'pass source cluster', 'pass target cluster'],
    ['GET /_cluster/health/products', 'pass source pinned', 'index_info products/0'],
    ['GET /_cluster/health/other', 'pass source unrouted'],
    ['GET /_cat/indices', 'pass source cluster', 'pass target cluster'],
    ['GET /_cat/indices/products', 'pass source pinned', 'index_info products/0'],
    ['GET /_cat/indices/other', 'pass source unrouted'],
    ['GET /_cat/aliases', 'pass source cluster', 'pass target cluster'],
    ['GET /_cat/aliases/prod*', 'pass source cluster', 'pass target cluster'],
    ['GET /_cat/aliases/other', 'pass source unrouted'],
    ['GET /_cat/indices?index=products', 'pass source pinned', 'UNSUPPORTED'],
    ['GET /_nodes', 'pass source cluster rewritten', 'pass target cluster rewritten'],
    ['GET /_nodes/http', 'pass source cluster rewritten', 'pass target cluster rewritten'],
    ['GET /_nodes/stats', 'pass source cluster', 'pass target cluster'],
    ['PUT /_ingest/pipeline/p', 'pass source cluster', 'pass target cluster'],
    ['PUT /_index_template/t', 'pass source cluster', 'pass target cluster'],
    ['PUT /_scripts/s', 'pass source cluster', 'pass target cluster'],
    ['POST /_ingest/pipeline/_simulate', 'pass source cluster', 'pass target cluster'],
    ['PUT /_snapshot/r/s', 'pass source cluster', 'pass target cluster'],
    ['GET /_snapshot/r/s/products/_status', 'pass source cluster', 'pass target cluster'],
    ['GET /_plugins/_security/api/roles', 'pass source cluster', 'pass target cluster'],

    ['POST /products/_newapi', 'pass source unclassified', 'pass target unclassified'],
    ['POST /other/_newapi', 'pass source unclassified'],
    ['GET /_newapi/products', 'pass source unclassified', 'pass target unclassified'],
    ['POST /prod*/_newapi', 'pass source unclassified', 'pass target unclassified'],
    ['GET /products/_search?q=%zz', 'pass source unclassified'],
    ['GET /products/_doc/%zz', 'pass source unclassified', 'pass target unclassified'],
  ];

  const rows = matrix.flatMap(([request, onSource, onTarget = onSource]) => [
    ...sourcePhases.map((phase) => ({ phase, request, expected: onSource })),
    ...targetPhases.map((phase) => ({ phase, request, expected: onTarget })),
  ]);

  it.each(rows)('$phase: $request is $expected', ({ phase, request, expected }) => {
    expect(shown(planOf(inPhase(phase), request))).toBe(expected);
  });

  it.each(matrix.map(([request]) => request))('off: %s passes to the source', (request) => {
    const decided = planOf(inPhase('off'), request);
    expect(decided).toMatchObject({ kind: 'pass', side: 'source' });
    expect(decided).toEqual(planOf(noRoutes, request));
  });
});

describe('every operation of the specification', () => {
  const requests = operations.flatMap(([methods, path]) =>
    methods.split(' ').map((method) => `${method} ${path.replaceAll(/\{(\w+)\}/g, 'other-$1')}`),
  );

  it('passes to the source while no route is active', () => {
    for (const request of requests) expect(shown(planOf(noRoutes, request))).toMatch(/^pass source/);
  });

  it('never plans a change of a route that it does not name', () => {
    const harmless = /^(pass|bulk|reindex|multi_read|pit_search|cursor|by_body|MIXED_ROUTES|UNSUPPORTED|ADMIN_REFUSED)/;
    for (const request of requests)
      for (const table of [dual, target]) expect(shown(planOf(table, request))).toMatch(harmless);
  });

  it('never passes a write or an administration of a named route', () => {
    const named = operations.flatMap(([methods, path]) =>
      path.includes('{index}')
        ? methods
            .split(' ')
            .map((method) => `${method} ${path.replace('{index}', 'products').replaceAll(/\{\w+\}/g, 'x')}`)
        : [],
    );
    const writes = named.filter((request) => {
      const { family } = inputOf(dual, request).operation;
      return /^(index|create|update|delete|bulk.*|.*_by_query|index_admin)$/.test(family);
    });
    expect(writes.length).toBeGreaterThan(40);
    for (const request of writes)
      for (const table of [dual, target]) expect(shown(planOf(table, request))).not.toMatch(/^pass/);
  });
});

describe('several routes', () => {
  const moved = routeState({ slug: 'moved', phase: 'target', indices: [{ source: 'm', target: 'm2' }], aliases: [] });
  const same = routeState({ slug: 'same', phase: 'target', indices: [{ source: 's', target: 's' }], aliases: [] });
  const alike = routeState({ slug: 'alike', phase: 'final', indices: [{ source: 't', target: 't' }], aliases: [] });
  const alias = routeState({
    slug: 'alias',
    phase: 'target',
    indices: [
      { source: 'n1', target: 'n2' },
      { source: 'q1', target: 'q2' },
    ],
    aliases: [
      { name: 'n', indices: ['n1'] },
      { name: 'q', indices: ['q1'] },
      { name: 'bound', indices: ['n1'], routing: 'r' },
    ],
  });
  const staying = routeState();
  const table = tableOf(moved, same, alike, alias, staying);

  it.each([
    ['GET /', 'pass source cluster'],
    ['GET /_cat/indices', 'pass source cluster'],
    ['POST /s,t/_search', 'mixed_read target same alike'],
    ['POST /s,t/_search/point_in_time', 'mixed_read target same alike'],
    ['POST /s,t/_search/template', 'mixed_read target same alike'],
    ['POST /s,t/_count', 'mixed_read target same alike'],
    ['GET /s,t/_mapping', 'pass target pinned'],
    ['POST /s,m/_search', 'mixed_read target same moved as s,m2'],
    ['POST /m,n/_search?scroll=1m', 'mixed_read target moved alias as m2,n2'],
    ['POST /m2,n/_count', 'mixed_read target moved alias as m2,n2'],
    ['GET /_field_caps?index=m,n&fields=*', 'mixed_read target moved alias as m2,n2'],
    ['POST /n,q,m/_search/point_in_time', 'mixed_read target alias moved as n2,q2,m2'],
    // Only the alias on the source says this routing.
    ['POST /m,bound/_search', 'MIXED_ROUTES'],
    ['POST /m,n,other/_search', 'MIXED_ROUTES'],
    ['POST /m,n*/_search', 'MIXED_ROUTES'],
    ['POST /m,products/_search', 'MIXED_ROUTES'],
    ['GET /m,n/_mapping', 'MIXED_ROUTES'],
    ['POST /s,other/_search', 'MIXED_ROUTES'],
    ['POST /s,products/_search', 'MIXED_ROUTES'],
    ['POST /s,t/_delete_by_query', 'MIXED_ROUTES'],
    ['POST /products*/_search', 'mixed_read source products and more'],
    ['POST /products*/_count', 'mixed_read source products and more'],
    ['GET /products*/_mapping', 'pass source pinned'],
    ['POST /products/_search', 'read products/0'],
    ['POST /m/_search', 'read moved/0'],
    ['POST /_refresh', 'pass source pinned also moved same alike alias'],
    ['DELETE /s,t', 'ADMIN_REFUSED'],
  ])('%s is %s', (request, expected) => {
    expect(shown(planOf(table, request))).toBe(expected);
  });

  it.each([
    ['POST /products*/_search', 'mixed_read source products and more'],
    ['POST /products,other/_search?scroll=1m', 'mixed_read source products and more'],
    ['POST /products,other/_count', 'pass source pinned'],
  ])('back on the source after a rollback, %s is %s', (request, expected) => {
    const state = routeState();
    expect(shown(planOf(tableOf({ ...state, phase: { ...state.phase, reign: 3 } }), request))).toBe(expected);
  });

  it('names routes and indices when it refuses to mix them', () => {
    const decided = planOf(table, 'POST /s,products,other/_search');
    const message = decided.kind === 'reject' ? decided.error.message : '';
    for (const word of ['s,products,other', 'same', 'products', 'without a route']) expect(message).toContain(word);
  });

  it('asks one side about the cluster once all routes have moved', () => {
    expect(shown(planOf(tableOf(moved, same), 'GET /'))).toBe('pass target cluster');
  });
});

describe('aliases', () => {
  const indices = [
    { source: 'a1', target: 'b1' },
    { source: 'a2', target: 'b2' },
  ];
  const aliases = [
    'both',
    { name: 'first', indices: ['a1'], routing: 'r' },
    { name: 'writable', writeIndex: 'a2' },
    { name: 'second', indices: ['a2'] },
  ];
  const inDual = tableOf(routeState({ slug: 'r', indices, aliases }));
  const inTarget = tableOf(routeState({ slug: 'r', phase: 'target', indices, aliases }));

  it.each([
    ['PUT /both/_doc/1', 'UNSUPPORTED', 'UNSUPPORTED'],
    ['PUT /writable/_doc/1', 'write r/1', 'write r/1'],
    ['PUT /first/_doc/1', 'write r/0', 'write r/0'],
    ['GET /both/_doc/1', 'pass source pinned', 'UNSUPPORTED'],
    ['GET /both/_search', 'read r/0 r/1', 'read r/0 r/1'],
    ['GET /first/_search', 'read r/0', 'read r/0'],
    ['GET /first,second/_search', 'read r/0 r/1', 'UNSUPPORTED'],
    ['POST /first,second/_delete_by_query', 'UNSUPPORTED', 'UNSUPPORTED'],
    ['POST /both/_delete_by_query', 'by_query r/0 r/1', 'by_query r/0 r/1'],
  ])('%s is %s, and %s on the target', (request, onSource, onTarget) => {
    expect(shown(planOf(inDual, request))).toBe(onSource);
    expect(shown(planOf(inTarget, request))).toBe(onTarget);
  });

  it('carry their routing into the plan', () => {
    expect(planOf(inDual, 'PUT /first/_doc/1')).toMatchObject({ index: { aliasRouting: 'r' } });
    expect(planOf(inDual, 'GET /first/_search')).toMatchObject({ indices: [{ aliasRouting: 'r' }] });
  });
});

describe('aliases of the application, which stand on the source until the operator makes them on the target', () => {
  const requests = [
    'HEAD /_alias/products',
    'GET /products_v1/_alias/products',
    'GET /_resolve/index/products',
    'GET /_cat/aliases/products',
  ];

  it.each<[Parameters<typeof routeState>[0], string[]]>([
    [{}, ['pass source pinned', 'index_info products/0', 'pass source pinned', 'pass source pinned']],
    [
      { phase: 'target' },
      ['pass source pinned', 'index_info products/0 on source', 'pass source pinned', 'pass source pinned'],
    ],
    [{ phase: 'final' }, ['pass target pinned', 'index_info products/0', 'pass target pinned', 'pass target pinned']],
    [
      { phase: 'target', adminPolicy: 'authority' },
      ['pass target pinned', 'index_info products/0', 'pass target pinned', 'pass target pinned'],
    ],
  ])('are looked for where they are with %j', (route, expected) => {
    expect(requests.map((request) => shown(planOf(tableOf(routeState(route)), request)))).toEqual(expected);
  });
});

describe('index administration where the route allows it', () => {
  const table = tableOf(
    routeState({ adminPolicy: 'authority' }),
    routeState({ slug: 'strict', indices: [{ source: 'x', target: 'y' }], aliases: [] }),
  );

  it.each([
    ['PUT /products/_mapping', 'admin products/0'],
    ['PUT /products_v1/_alias/products', 'admin products/0'],
    ['PUT /products/_alias/new', 'admin products/0'],
    ['DELETE /products_v1', 'admin products/0'],
    ['PUT /products,x/_settings', 'ADMIN_REFUSED'],
    ['PUT /products,other/_settings', 'MIXED_ROUTES'],
    ['PUT /prod*/_settings', 'MIXED_ROUTES'],
    ['DELETE /?index=products', 'MIXED_ROUTES'],
    ['PUT /_settings', 'ADMIN_REFUSED'],
    ['PUT /products/_clone/x', 'ADMIN_REFUSED'],
  ])('%s is %s', (request, expected) => {
    expect(shown(planOf(table, request))).toBe(expected);
  });
});

describe('refresh of everything', () => {
  it('includes a follower only while it may serve reads', () => {
    const reading = tableOf(routeState({ percent: { read: 0.001 } }));
    const stopped = tableOf(routeState({ percent: { read: 50 }, stop: true }));
    expect(shown(planOf(reading, 'POST /_refresh'))).toBe('pass source pinned also products');
    expect(shown(planOf(reading, 'POST /_flush'))).toBe('pass source pinned');
    expect(shown(planOf(stopped, 'POST /_refresh'))).toBe('pass source pinned');
  });
});

describe('a search that turned out to name no point in time', () => {
  it('is a search of all indices', () => {
    expect(shown(planWithoutPit(inputOf(dual, 'POST /_search')))).toBe('pass source pinned');
    expect(shown(planWithoutPit(inputOf(target, 'POST /_search')))).toBe('MIXED_ROUTES');
  });
});

describe('names in bodies', () => {
  const bodyPlan = (table: RouteTable, request: string, body: unknown): string => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const { operation } = inputOf(table, request);
    return shown(planBody({ operation, table, now, body: Buffer.from(text) }));
  };

  it.each<[string, unknown, string]>([
    ['POST /_aliases', { actions: [{ add: { index: 'other', alias: 'x' } }] }, 'pass source unrouted'],
    ['POST /_aliases', { actions: [{ add: { index: 'products_v1', alias: 'x' } }] }, 'admin products/0 if unchanged'],
    ['POST /_aliases', { actions: [{ add: { index: 'products', alias: 'x' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ add: { index: 'products_v*', alias: 'x' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ add: { indices: ['other', 'products_v1'], alias: 'x' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ add: { index: 'other', alias: 'products' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ add: { index: 'other', aliases: ['x', 'products'] } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ remove: { index: 'other', alias: 'products' } }] }, 'pass source unrouted'],
    ['POST /_aliases', { actions: [{ remove: { index: '*', alias: 'x' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ remove_index: { index: 'prod*' } }] }, 'ADMIN_REFUSED'],
    ['POST /_aliases', { actions: [{ add: { alias: 'x' } }] }, 'pass source unrouted'],
    ['POST /_aliases', {}, 'pass source unrouted'],
    ['POST /_aliases', '', 'pass source unrouted'],
    ['POST /_aliases', 'actions: [add: {index: products}]', 'BAD_BODY'],
    ['POST /_aliases', 'actions: [add: {index: other}]', 'pass source unrouted'],
    ['POST /_aliases', '{"actions":[{"add":{"index":"\\u0070roducts","alias":"x"}}]}', 'ADMIN_REFUSED'],
    ['PUT /_alias/x', { index: 'products' }, 'ADMIN_REFUSED'],
    ['PUT /_alias/x', { index: 'other' }, 'pass source unrouted'],
    ['PUT /other/_alias', { alias: 'products' }, 'ADMIN_REFUSED'],
    ['PUT /other/_alias', { alias: 'x' }, 'pass source unrouted'],
    ['PUT /other', { aliases: { products: {} } }, 'ADMIN_REFUSED'],
    ['PUT /other', { aliases: { x: {} }, mappings: { properties: { products: {} } } }, 'pass source unrouted'],
    ['PUT /other', '', 'pass source unrouted'],
    ['PUT /other/_clone/more', { aliases: { products_v1: {} } }, 'ADMIN_REFUSED'],
    [
      'POST /_data_stream/_modify',
      { actions: [{ add_backing_index: { data_stream: 'd', index: 'products_v1' } }] },
      'ADMIN_REFUSED',
    ],
  ])('%s with %j is %s', (request, body, expected) => {
    expect(bodyPlan(dual, request, body)).toBe(expected);
  });

  it('may be administered where the route allows it and the source still holds the authority', () => {
    const body = { actions: [{ add: { index: 'products_v1', alias: 'x' } }] };
    const allowing = (phase: Phase) => tableOf(routeState({ phase, adminPolicy: 'authority' }));
    expect(bodyPlan(allowing('dual'), 'POST /_aliases', body)).toBe('pass source pinned');
    expect(bodyPlan(allowing('target'), 'POST /_aliases', body)).toBe('UNSUPPORTED');
  });

  it('are read from the source parameter where that holds the body', () => {
    const source = encodeURIComponent('{"actions":[{"remove_index":{"index":"products"}}]}');
    expect(shown(planOf(dual, `POST /_aliases?source=${source}`))).toBe('ADMIN_REFUSED');
  });

  it.each([
    ['SELECT * FROM other WHERE a < 3', 'pass source unrouted'],
    ['SELECT count(*) FROM other', 'pass source unrouted'],
    ['SELECT price*2 FROM other', 'pass source unrouted'],
    ['SELECT * FROM products', 'UNSUPPORTED'],
    ['SELECT * FROM `products_v2` p', 'UNSUPPORTED'],
    ['SELECT * FROM prod*', 'UNSUPPORTED'],
    ['SELECT * FROM *', 'UNSUPPORTED'],
    ['source=other | head', 'pass source unrouted'],
    ['source = * | head', 'UNSUPPORTED'],
    ['source=_all', 'UNSUPPORTED'],
  ])('the statement %j is %s after a route has moved', (query, expected) => {
    expect(bodyPlan(target, 'POST /_plugins/_sql', { query })).toBe(expected);
    expect(bodyPlan(target, 'POST /_plugins/_ppl', { query })).toBe(expected);
  });

  const moved = routeState({ slug: 'moved', phase: 'target', indices: [{ source: 'm1', target: 'm2' }], aliases: [] });

  it.each([
    ['SELECT * FROM products', 'pass source pinned'],
    ['SELECT * FROM other', 'pass source unrouted'],
    ['SELECT * FROM m1', 'UNSUPPORTED'],
    ['SELECT * FROM m*', 'UNSUPPORTED'],
    ['SELECT * FROM prod*', 'pass source pinned'],
    ['source=_all', 'UNSUPPORTED'],
  ])('the statement %j is %s where another route has moved', (query, expected) => {
    expect(bodyPlan(tableOf(routeState(), moved), 'POST /_plugins/_sql', { query })).toBe(expected);
  });

  it('show only the routes that have moved when a statement is refused', () => {
    const { operation } = inputOf(dual, 'POST /_plugins/_sql');
    const body = Buffer.from(JSON.stringify({ query: 'SELECT * FROM m1' }));
    const decided = planBody({ operation, table: tableOf(routeState(), moved), now, body });
    expect(decided).toMatchObject({ kind: 'reject', error: { message: expect.stringMatching(/\(moved\)/) } });
  });

  it.each<[string, unknown, string]>([
    ['SELECT', { query: 'SELECT deleted FROM products' }, 'pass source pinned'],
    ['a deletion', { query: 'DELETE FROM products WHERE a = 1' }, 'UNSUPPORTED'],
    ['one behind comments', { query: ' /* a */ -- b\n (delete from products_v1)' }, 'UNSUPPORTED'],
    ['one behind a comment of a comment', { query: '/*!*/ */ delete from products_v1' }, 'UNSUPPORTED'],
    ['one behind a line that is no comment', { query: '- delete from products_v1' }, 'pass source pinned'],
    ['one by a wildcard', { query: 'DELETE FROM prod*' }, 'UNSUPPORTED'],
    ['one from another index', { query: 'DELETE FROM other' }, 'pass source unrouted'],
    ['one in a body that cannot be read', "{'query': 'DELETE FROM products'}", 'UNSUPPORTED'],
    ['a later page', { cursor: 'd:abc' }, 'pass source pinned'],
  ])('are looked at while nothing has moved: %s', (_title, body, expected) => {
    for (const phase of ['observe', 'dual'] as const)
      expect(bodyPlan(inPhase(phase), 'POST /_plugins/_sql', body)).toBe(expected);
  });

  it.each([
    ['comments at its beginning', `${'/**/'.repeat(30)} SELECT * FROM other`],
    ['blanks behind a word', `SELECT * FROM${' '.repeat(50_000)}other`],
    ['one long word', `SELECT * FROM other WHERE a = ${'x'.repeat(50_000)}`],
  ])('a statement is not made slow by %s', (_title, query) => {
    const begunMs = performance.now();
    expect(bodyPlan(dual, 'POST /_plugins/_sql', { query })).toBe('pass source unrouted');
    expect(performance.now() - begunMs).toBeLessThan(1_000);
  });

  it('must not reach both indices of one cluster by a wildcard in a statement', () => {
    const shownFor = (query: string) => {
      const { operation } = inputOf(dual, 'POST /_plugins/_ppl');
      const body = Buffer.from(JSON.stringify({ query }));
      return shown(planBody({ operation, table: dual, now, body, sameCluster: true }));
    };
    expect(shown(plan({ ...inputOf(dual, 'POST /_plugins/_ppl'), sameCluster: true }))).toBe('by_body');
    expect(shownFor('source=products*')).toBe('UNSUPPORTED');
    expect(shownFor('source=_all')).toBe('UNSUPPORTED');
    expect(shownFor('source=products | stats count(*)')).toBe('pass source pinned');
  });

  it('leave a later page of a statement to its cursor', () => {
    expect(bodyPlan(target, 'POST /_plugins/_sql', { cursor: 'd:abc' })).toBe('cursor');
  });

  it('never make a second look necessary', () => {
    const requests = [
      'POST /_aliases',
      'PUT /other',
      'PUT /_alias',
      'POST /_plugins/_sql',
      'POST /_data_stream/_modify',
    ];
    fc.assert(
      fc.property(fc.constantFrom(...requests), fc.oneof(fc.string(), fc.json()), (request, body) => {
        expect(bodyPlan(target, request, body)).not.toBe('by_body');
      }),
    );
  });
});

describe('the operation in the plan', () => {
  it('is the refined one', () => {
    expect(planOf(dual, 'PUT /products/_doc/1?op_type=create')).toMatchObject({ operation: { family: 'create' } });
    expect(planOf(dual, 'POST /products/_doc?id=7')).toMatchObject({
      operation: { params: { index: 'products', id: '7' } },
    });
  });
});
