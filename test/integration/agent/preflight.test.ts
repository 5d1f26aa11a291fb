/** What real clusters tell the preflight. */
import { afterAll, describe, expect, it } from 'vitest';
import { indexHealth, lacksPrimary } from '../../../src/agent/index-health.ts';
import { type Finding, worst } from '../../../src/agent/preflight/facts.ts';
import { gatherFacts } from '../../../src/agent/preflight/gather.ts';
import { judge } from '../../../src/agent/preflight/judge.ts';
import { services, uniqueName } from '../../support/services.ts';
import { type RealRoute, realRoute } from './setup.ts';

const { targetUrl } = await services();
const lost = uniqueName('preflight-lost');
afterAll(() => fetch(`${targetUrl}/${lost}`, { method: 'DELETE' }));

const nowhere = { number_of_replicas: 0, 'index.routing.allocation.require._name': 'nowhere' };
const findings = async ({ clusters, state: { spec } }: Pick<RealRoute, 'clusters' | 'state'>): Promise<Finding[]> => {
  const store = { kind: 'nats', connected: true, detail: '', members: 1 } as const;
  return judge(await gatherFacts({ clusters, spec, store, copiedBefore: false, byQuerySeen: 0, nowMs: Date.now() }));
};

it('an index whose primary is nowhere makes its cluster red, and leaves the routes of others alone', async () => {
  const route = await realRoute();
  await route.call('target', 'PUT', `/${lost}?wait_for_active_shards=0`, JSON.stringify({ settings: nowhere }));
  expect(await indexHealth(route.clusters.target, [lost])).toBe('red');
  const found = await findings(route);
  expect(found).toContainEqual(expect.objectContaining({ check: 'cluster', level: 'warn', reason: 'health red' }));
  expect(worst(found), JSON.stringify(found)).toBe('warn');
});

it('an index of the route whose primary is nowhere is refused as red, and no request waits for the primary', async () => {
  const route = await realRoute();
  const limits = { timeoutMs: () => 5_000 };
  const clusters = { source: route.clusters.source.within(limits), target: route.clusters.target.within(limits) };
  for (const [side, name] of [
    ['source', route.names.source],
    ['target', route.names.target],
  ] as const) {
    await route.call(side, 'DELETE', `/${name}`);
    await route.call(side, 'PUT', `/${name}?wait_for_active_shards=0`, JSON.stringify({ settings: nowhere }));
  }
  const refused = (await findings({ ...route, clusters })).filter(({ level }) => level === 'refuse');
  expect(refused.map(({ check, about, reason, todo }) => `${check} ${about}: ${reason}; ${todo}`)).toEqual([
    `source index ${route.names.source}: health red; bring every primary shard back first`,
    `target index ${route.names.target}: health red; bring every primary shard back first`,
  ]);
});

it('an index that is not there is no red one: the right to create it is tried', async () => {
  const route = await realRoute();
  expect(await lacksPrimary(route.clusters.target, uniqueName('missing'))).toBe(false);
  expect(await lacksPrimary(route.clusters.target, route.names.target)).toBe(false);
});

it('a target with documents of somebody else is refused, also before a search shows them, and taken over on demand', async () => {
  const route = await realRoute({ target: { settings: { refresh_interval: '-1' } } });
  await route.call('target', 'PUT', `/${route.names.target}/_doc/theirs`, '{}');
  const ofTarget = async (targetDocuments: 'refuse' | 'replace') => {
    const state = { ...route.state, spec: { ...route.state.spec, targetDocuments } };
    const found = await findings({ ...route, state });
    return found.filter(({ check }) => check === 'target index').map(({ level, reason }) => `${level} ${reason}`);
  };
  expect(await ofTarget('refuse')).toEqual([
    'refuse holds 1 documents that this route did not copy there, and the source has at most half of a sample of them: the sweep would delete the others',
  ]);
  expect(await ofTarget('replace')).toEqual([expect.stringMatching(/^warn holds 1 documents/)]);
  await route.call('source', 'PUT', `/${route.names.source}/_doc/theirs`, '{}');
  expect(await ofTarget('refuse')).toEqual([expect.stringMatching(/^warn holds 1 documents/)]);
  await route.call('source', 'DELETE', `/${route.names.source}/_doc/theirs`);
  await route.call('source', 'PUT', `/${route.names.source}/_doc/ours`, '{}');
  await route.call('target', 'DELETE', `/${route.names.target}/_doc/theirs`);
  await route.tailAll();
  expect(await ofTarget('refuse')).toEqual(['ok 1 shards']);
});

describe('an alias that the route lists', () => {
  type Way = { v0?: object; v1?: object; declared?: object };
  /** Where the cluster puts a write through the alias, and whether the preflight lets a route with it pass. */
  const tried = async ({ v0, v1, declared }: Way) => {
    const name = uniqueName('alias');
    const route = await realRoute({ spec: { aliases: [{ name, ...declared }] } });
    const stranger = `${name}-v0`;
    await route.call('source', 'PUT', `/${stranger}`, JSON.stringify({ settings: { number_of_replicas: 0 } }));
    try {
      const actions = [
        ...(v0 ? [{ add: { index: stranger, alias: name, ...v0 } }] : []),
        ...(v1 ? [{ add: { index: route.names.source, alias: name, ...v1 } }] : []),
      ];
      await route.call('source', 'POST', '/_aliases', JSON.stringify({ actions }));
      const put = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' };
      const answer = await fetch(`${route.urls.source}/${name}/_doc/1`, put);
      const { _index: index } = (await answer.json()) as { _index?: string };
      const writes = index === route.names.source ? 'the route' : index === stranger ? 'the stranger' : answer.status;
      const refused = (await findings(route)).filter(({ level, check }) => level === 'refuse' && check === 'alias');
      return { writes, ok: refused.length === 0 };
    } finally {
      await route.call('source', 'DELETE', `/${stranger}`);
    }
  };

  it.each<[string, Way, Awaited<ReturnType<typeof tried>>]>([
    ['of one index', { v1: {} }, { writes: 'the route', ok: true }],
    ['with its write index', { v1: { is_write_index: true } }, { writes: 'the route', ok: true }],
    ['that takes no writes', { v1: { is_write_index: false } }, { writes: 400, ok: false }],
    ['that writes elsewhere', { v1: {}, v0: { is_write_index: true } }, { writes: 'the stranger', ok: false }],
    ['that is read elsewhere too', { v1: { is_write_index: true }, v0: {} }, { writes: 'the route', ok: false }],
    ['that stands elsewhere only', { v0: {} }, { writes: 'the stranger', ok: false }],
    [
      'with the routing of the route',
      { v1: { routing: '2' }, declared: { routing: '2' } },
      { writes: 'the route', ok: true },
    ],
    [
      'that narrows searches less',
      { v1: { index_routing: '2', search_routing: '1,2' }, declared: { routing: '2' } },
      { writes: 'the route', ok: false },
    ],
    [
      'that narrows searches only',
      { v1: { search_routing: '2' }, declared: { routing: '2' } },
      { writes: 'the route', ok: false },
    ],
    [
      'that routes writes only',
      { v1: { index_routing: '2' }, declared: { routing: '2' } },
      { writes: 'the route', ok: false },
    ],
  ])('is judged by where the cluster leads: one %s', async (_, way, expected) => {
    expect(await tried(way)).toEqual(expected);
  });

  it('is missed where it is not there', async () => {
    const route = await realRoute({ spec: { aliases: [uniqueName('nowhere')] } });
    expect((await findings(route)).filter(({ level }) => level === 'refuse')).toMatchObject([
      { check: 'alias', reason: 'is no alias on the source' },
    ]);
  });
});

describe('pipelines that indices name', () => {
  const pipeline = (value: number) => JSON.stringify({ processors: [{ set: { field: 'x', value } }] });
  const told = async (route: RealRoute): Promise<string[]> =>
    (await findings(route))
      .filter(({ check }) => check === 'pipelines')
      .map(({ level, about, reason }) => `${level} ${about === route.names.source ? 'source' : 'target'}: ${reason}`);

  it('by default are looked for on the target, compared, and missed', async () => {
    const id = uniqueName('pipeline');
    const settings = { 'index.default_pipeline': id };
    const route = await realRoute({ source: { settings }, target: { settings } });
    const readBack = `warn source: index.default_pipeline is ${id}: each write is read back before it is copied`;
    const missing = `refuse target: the default pipeline ${id} does not exist on the target: after the cutover each write would be refused`;
    await route.call('source', 'PUT', `/_ingest/pipeline/${id}`, pipeline(1));
    try {
      expect(await told(route)).toEqual([readBack, missing]);
      await route.call('target', 'PUT', `/${route.names.target}/_doc/1`, '{}', 400);
      await route.call('target', 'PUT', `/_ingest/pipeline/${id}`, pipeline(2));
      expect(await told(route)).toEqual([readBack, `warn target: ${id} on the source and ${id} here differ`]);
      await route.call('target', 'PUT', `/_ingest/pipeline/${id}`, pipeline(1));
      expect(await told(route)).toEqual([readBack, `ok target: ${id} is the same on both sides`]);
      await route.call('target', 'DELETE', `/_ingest/pipeline/${id}`);
      await route.call('target', 'DELETE', `/${route.names.target}`);
      const created = { ...route, state: { ...route.state, spec: { ...route.state.spec, createTarget: true } } };
      expect(await told(created)).toEqual([readBack, missing]);
      created.state.spec.targetSettings = { index: { default_pipeline: null } };
      const sent = `has no default pipeline, the source has ${id}: documents written after the cutover are stored as sent`;
      expect(await told(created)).toEqual([readBack, `warn target: ${sent}`]);
    } finally {
      await fetch(`${route.urls.target}/_ingest/pipeline/${id}`, { method: 'DELETE' });
      await fetch(`${route.urls.source}/${route.names.source}`, { method: 'DELETE' });
      await fetch(`${route.urls.source}/_ingest/pipeline/${id}`, { method: 'DELETE' });
    }
  });

  it('for searches are looked for on the target too', async () => {
    const id = uniqueName('pipeline');
    const settings = { 'index.search.default_pipeline': id };
    const route = await realRoute({ source: { settings }, target: { settings } });
    const filter = JSON.stringify({ request_processors: [{ filter_query: { query: { match_all: {} } } }] });
    await route.call('source', 'PUT', `/_search/pipeline/${id}`, filter);
    try {
      const missing = `refuse target: the default search pipeline ${id} does not exist on the target: after the cutover each search would be refused`;
      expect(await told(route)).toEqual([missing]);
      await route.call('target', 'GET', `/${route.names.target}/_search`, undefined, 400);
      await route.call('target', 'PUT', `/_search/pipeline/${id}`, filter);
      expect(await told(route)).toEqual([`ok target: ${id} is the same on both sides`]);
    } finally {
      for (const side of ['source', 'target'] as const) {
        await fetch(`${route.urls[side]}/${route.names[side]}`, { method: 'DELETE' });
        await fetch(`${route.urls[side]}/_search/pipeline/${id}`, { method: 'DELETE' });
      }
    }
  });

  it('at the end change copies too, so they are refused on either side', async () => {
    const id = uniqueName('pipeline');
    const settings = { 'index.final_pipeline': id };
    const route = await realRoute({ source: { settings }, target: { settings } });
    await route.call('source', 'PUT', `/_ingest/pipeline/${id}`, pipeline(1));
    try {
      const copy = `/${route.names.source}/_doc/1?pipeline=_none&version=7&version_type=external`;
      await route.call('source', 'PUT', copy, '{"n":1}');
      const stored = Object.values(await route.contents('source')).map((text) => JSON.parse(text) as unknown);
      expect(stored).toEqual([{ n: 1, x: 1 }]);
      expect(await told(route)).toEqual([
        `refuse source: has the final pipeline ${id}: after the cutover it would change every copy`,
        `refuse target: has the final pipeline ${id}: it would change every copy`,
      ]);
    } finally {
      await fetch(`${route.urls.source}/${route.names.source}`, { method: 'DELETE' });
      await fetch(`${route.urls.source}/_ingest/pipeline/${id}`, { method: 'DELETE' });
    }
  });
});
