/** What real clusters tell the preflight. */
import { afterAll, expect, it } from 'vitest';
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
  return judge(await gatherFacts({ clusters, spec, store, byQuerySeen: 0, nowMs: Date.now() }));
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
