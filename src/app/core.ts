/**
 * What agent and worker have in common: logger, metrics, store, clusters for background work, the route watcher. Opened
 * in this order, closed in the opposite one.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Registry } from 'prom-client';
import { type ClusterControl, createClusterControl } from '../agent/cluster.ts';
import { askingPrimaries, createLags } from '../agent/lagging-replicas.ts';
import { systemRuntime } from '../agent/runtime.ts';
import { createTransforms, type Transforms } from '../agent/transform.ts';
import { createUnclearCopies, type UnclearCopies } from '../agent/unclear-copies.ts';
import { createCensor } from '../censor.ts';
import { configNode } from '../config/load.ts';
import { memberName } from '../config/member.ts';
import { redacted } from '../config/redact.ts';
import type { Config } from '../config.ts';
import { openStore, routeCacheFile, routeCacheOrigin } from '../coordination/open-store.ts';
import type { Store } from '../coordination/ports.ts';
import type { Side } from '../coordination/records.ts';
import { type RouteWatcher, startRouteWatcher } from '../coordination/route-watcher.ts';
import { createLogger, type Logger } from '../log.ts';
import { collectProcessMetrics, createMetrics, type Metrics } from '../metrics.ts';
import { timedTransport } from './observe.ts';
import { type ClusterUses, openClusters } from './open-clusters.ts';
import { processSecrets } from './process-secrets.ts';

export type Core = {
  readonly config: Config;
  readonly version: string;
  readonly member: string;
  /** From the downward API of Kubernetes. */
  readonly podIp: string | undefined;
  /** Random per process start. */
  readonly boot: string;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly clusters: ClusterUses;
  readonly controls: Record<Side, ClusterControl>;
  /** Copies through `controls` whose answer never came. */
  readonly unclear: UnclearCopies;
  readonly transforms: Transforms;
  readonly watcher: RouteWatcher;
  /** Known to every replica and to nobody outside the store; empty until the store or its cache was read. */
  sharedSecret(): string;
  close(): Promise<void>;
};

export type CoreInput = { config: Config; version: string; env: Readonly<Record<string, string | undefined>> };

const closeGraceMs = 1000;

const metricsOf = (registry: Registry, version: string): Metrics => {
  collectProcessMetrics(registry);
  const metrics = createMetrics(registry);
  metrics.buildInfo.set({ version, node: process.version }, 1);
  return metrics;
};

const controlsOf = (clusters: ClusterUses, metrics: Metrics, unclear: UnclearCopies): Record<Side, ClusterControl> => {
  const control = (side: Side) => {
    const { transport } = clusters.background[side];
    const watched = unclear.watch(createClusterControl(timedTransport(transport, side, metrics)));
    return askingPrimaries(watched, createLags(systemRuntime));
  };
  return { source: control('source'), target: control('target') };
};

/** @throws CrossfadeError CONFIG_INVALID, STORE_UNAVAILABLE */
export const openCore = async ({ config, version, env }: CoreInput): Promise<Core> => {
  const member = memberName({ member: config.member, env, hostName: hostname() });
  const logger = createLogger({ level: config.log.level, member, censor: createCensor(processSecrets(config)) });
  logger.info({ version, config: redacted(config, configNode) }, 'starting');
  if (config.nats !== undefined && config.routes.length > 0)
    logger.warn('routes of the configuration seed the embedded store only; with NATS, use apply');
  const registry = new Registry();
  const metrics = metricsOf(registry, version);
  const clusters = openClusters(config, logger);
  const unclear = createUnclearCopies();
  const store = await openStore(config, { member, logger });
  const watcher = await startRouteWatcher({
    store,
    cacheFile: routeCacheFile(config),
    cacheOrigin: routeCacheOrigin(config),
    logger,
  });
  return {
    config,
    version,
    member,
    podIp: env['POD_IP'] || undefined,
    boot: randomUUID(),
    logger,
    registry,
    metrics,
    store,
    clusters,
    controls: controlsOf(clusters, metrics, unclear),
    unclear,
    transforms: createTransforms(),
    watcher,
    sharedSecret: () => watcher.status().incarnation ?? store.status().incarnation ?? '',
    close: async () => {
      await watcher.close();
      await store.close();
      await clusters.close(closeGraceMs);
    },
  };
};
