/** The preflight of one route over the clusters of this configuration, for `crossfade doctor`. Reads only. */
import { createClusterControl } from '../agent/cluster.ts';
import type { Finding, StoreFacts } from '../agent/preflight/facts.ts';
import { gatherFacts } from '../agent/preflight/gather.ts';
import { judge } from '../agent/preflight/judge.ts';
import { createTransforms } from '../agent/transform.ts';
import type { CliConfig } from '../config.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import { CrossfadeError } from '../errors.ts';
import { silentLogger } from '../log.ts';
import { openClusters } from './open-clusters.ts';

export const preflight = async (config: CliConfig, spec: RouteSpec, store: StoreFacts): Promise<Finding[]> => {
  if (config.clusters === undefined) throw new CrossfadeError('CONFIG_INVALID', 'No cluster is configured.');
  const clusters = openClusters({ clusters: config.clusters, limits: config.limits }, silentLogger());
  const control = (side: 'source' | 'target') => createClusterControl(clusters.background[side].transport);
  try {
    const sides = { source: control('source'), target: control('target') };
    const problem = await createTransforms().problem(spec.transform);
    const transform = problem === undefined ? undefined : { problem, where: 'here' as const };
    return judge(await gatherFacts({ clusters: sides, spec, store, byQuerySeen: 0, nowMs: Date.now(), transform }));
  } finally {
    await clusters.close(0);
  }
};
