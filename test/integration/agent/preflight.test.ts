/** What real clusters tell the preflight. */
import { afterAll, expect, it } from 'vitest';
import { indexHealth } from '../../../src/agent/index-health.ts';
import { type Finding, worst } from '../../../src/agent/preflight/facts.ts';
import { gatherFacts } from '../../../src/agent/preflight/gather.ts';
import { judge } from '../../../src/agent/preflight/judge.ts';
import { services, uniqueName } from '../../support/services.ts';
import { type RealRoute, realRoute } from './setup.ts';

const { targetUrl } = await services();
const lost = uniqueName('preflight-lost');
afterAll(() => fetch(`${targetUrl}/${lost}`, { method: 'DELETE' }));

const findings = async ({ clusters, state: { spec } }: RealRoute): Promise<Finding[]> => {
  const store = { kind: 'nats', connected: true, detail: '', members: 1 } as const;
  return judge(await gatherFacts({ clusters, spec, store, byQuerySeen: 0, nowMs: Date.now() }));
};

it('an index whose primary is nowhere makes its cluster red, and leaves the routes of others alone', async () => {
  const route = await realRoute();
  const nowhere = { number_of_replicas: 0, 'index.routing.allocation.require._name': 'nowhere' };
  await route.call('target', 'PUT', `/${lost}?wait_for_active_shards=0`, JSON.stringify({ settings: nowhere }));
  expect(await indexHealth(route.clusters.target, [lost])).toBe('red');
  const found = await findings(route);
  expect(found).toContainEqual(expect.objectContaining({ check: 'cluster', level: 'warn', reason: 'health red' }));
  expect(worst(found), JSON.stringify(found)).toBe('warn');
});
