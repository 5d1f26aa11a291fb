/**
 * The connections of one process to both clusters, apart by use: a backfill or a hung shadow read can never take the
 * connections of the application. Without a configured target both sides are the source.
 */
import type { ClusterConfig, Config } from '../config.ts';
import type { Side } from '../coordination/records.ts';
import type { Logger } from '../log.ts';
import { createCluster } from '../upstream/cluster.ts';
import type { ClusterUse } from '../upstream/credentials.ts';
import type { Cluster, Transports } from '../upstream/types.ts';

export type Clusters = Readonly<Record<Side, Cluster>>;
export type ClusterUses = {
  readonly client: Clusters;
  readonly background: Clusters;
  readonly shadow: Clusters;
  readonly sameCluster: boolean;
  close(graceMs: number): Promise<void>;
};

const sameUrls = (a: ClusterConfig, b: ClusterConfig): boolean =>
  a.url.length === b.url.length &&
  a.url.every((url) => b.url.some((other) => new URL(url).href === new URL(other).href));

export const transportsOf = (clusters: Clusters): Transports => ({
  source: clusters.source.transport,
  target: clusters.target.transport,
});

/** @throws CrossfadeError CONFIG_INVALID when a URL, secret or certificate cannot be used */
export const openClusters = (
  { clusters, limits }: Pick<Config, 'clusters' | 'limits'>,
  logger: Logger,
): ClusterUses => {
  const { source, target } = clusters;
  const opened: Cluster[] = [];
  const open = (config: ClusterConfig, side: Side, use: ClusterUse): Cluster => {
    const cluster = createCluster(config, { side, use, logger, maxBodyBytes: limits.maxBodyBytes });
    opened.push(cluster);
    return cluster;
  };
  const openUse = (use: ClusterUse): Clusters => {
    const first = open(source, 'source', use);
    return { source: first, target: target === undefined ? first : open(target, 'target', use) };
  };
  return {
    client: openUse('client'),
    background: openUse('own'),
    shadow: openUse('own'),
    sameCluster: target === undefined || sameUrls(source, target),
    close: async (graceMs) => {
      await Promise.all(opened.map((cluster) => cluster.close(graceMs)));
    },
  };
};
