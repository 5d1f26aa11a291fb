import { expect, it } from 'vitest';
import { type ClusterControl, createClusterControl } from '../../../src/agent/cluster.ts';
import { gatherFacts } from '../../../src/agent/preflight/gather.ts';
import { judge } from '../../../src/agent/preflight/judge.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import type { Side } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { timedOut } from '../../../src/upstream/low-level-errors.ts';
import type { UpstreamRequest } from '../../../src/upstream/types.ts';

const gather = (clusters: Record<Side, ClusterControl>) =>
  gatherFacts({
    clusters,
    spec: RouteSpec.parse({ route: 'products', indices: [{ source: 'p1', target: 'p2' }] }),
    store: { kind: 'nats', connected: true, detail: '', members: 1 },
    copiedBefore: false,
    byQuerySeen: 0,
    nowMs: 0,
  });

it('two clusters that hang are asked side by side, wait for one first answer of seconds, and are told apart', async () => {
  const asked: { side: Side; path: string; timeoutMs: number | undefined }[] = [];
  const both = Promise.withResolvers<void>();
  const hung = (side: Side) =>
    createClusterControl({
      request: async ({ path, timeoutMs }: UpstreamRequest) => {
        if (asked.push({ side, path, timeoutMs }) === 2) both.resolve();
        // Neither fails before both were asked.
        await both.promise;
        throw timedOut(`the ${side} cluster (http://${side}:9200)`);
      },
    });
  const facts = await gather({ source: hung('source'), target: hung('target') });
  expect(asked).toEqual([
    { side: 'source', path: '/', timeoutMs: 5_000 },
    { side: 'target', path: '/', timeoutMs: 5_000 },
  ]);
  expect(judge(facts).filter(({ level }) => level === 'refuse')).toMatchObject([
    { about: 'source', reason: 'cannot be asked: No answer from the source cluster (http://source:9200) in time.' },
    { about: 'target', reason: 'cannot be asked: No answer from the target cluster (http://target:9200) in time.' },
  ]);
});

it('a cluster that hung up is asked once more, and then taken at its word', async () => {
  const reset = new CrossfadeError('UPSTREAM_RESET', 'The connection was closed.');
  const cluster = (...failures: Error[]) =>
    createClusterControl({
      request: () => Promise.reject(failures.length > 1 ? failures.shift() : failures[0]),
    });
  const facts = await gather({ source: cluster(reset, timedOut('the source')), target: cluster(reset) });
  expect([facts.clusters.source.problem, facts.clusters.target.problem]).toEqual([
    'No answer from the source in time.',
    'The connection was closed.',
  ]);
});
