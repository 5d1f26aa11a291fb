/** The preflight of one route over the clusters of this configuration, for `crossfade doctor`. Reads only. */
import { createClusterControl } from '../agent/cluster.ts';
import type { Finding, StoreFacts } from '../agent/preflight/facts.ts';
import { gatherFacts } from '../agent/preflight/gather.ts';
import { judge } from '../agent/preflight/judge.ts';
import { emptyJob, JobState } from '../agent/leader/job-state.ts';
import { originsOf } from '../agent/leader/stay-facts.ts';
import { createTransforms } from '../agent/transform.ts';
import type { CliConfig } from '../config.ts';
import { keys } from '../coordination/keys.ts';
import { parseRecord } from '../coordination/parse-record.ts';
import type { Bucket, RouteState } from '../coordination/ports.ts';
import { CrossfadeError } from '../errors.ts';
import { silentLogger } from '../log.ts';
import { openClusters } from './open-clusters.ts';

type Asked = { state: RouteState; store: StoreFacts; bucket: Pick<Bucket, 'get'> };

const hasCopied = async ({ state: { slug, phase }, bucket }: Asked): Promise<boolean> => {
  if (phase.phase !== 'off' && phase.phase !== 'observe') return true;
  const entry = await bucket.get(keys.job(slug, 'state'));
  return (await originsOf(bucket, slug, parseRecord(JobState, entry?.value) ?? emptyJob)).length > 0;
};

export const preflight = async (config: CliConfig, asked: Asked): Promise<Finding[]> => {
  if (config.clusters === undefined) throw new CrossfadeError('CONFIG_INVALID', 'No cluster is configured.');
  const clusters = openClusters({ clusters: config.clusters, limits: config.limits }, silentLogger());
  const control = (side: 'source' | 'target') => createClusterControl(clusters.background[side].transport);
  try {
    const sides = { source: control('source'), target: control('target') };
    const { state, store } = asked;
    const { spec } = state;
    const problem = await createTransforms().problem(spec.transform);
    const transform = problem === undefined ? undefined : { problem, where: 'here' as const };
    const copiedBefore = await hasCopied(asked);
    const seen = { byQuerySeen: 0, nowMs: Date.now(), transform, copiedBefore };
    return judge(await gatherFacts({ clusters: sides, spec, store, ...seen }));
  } finally {
    await clusters.close(0);
  }
};
