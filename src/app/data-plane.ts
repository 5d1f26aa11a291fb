/**
 * Puts the data plane together: listener, handler, executors of reads and writes, shadow reads. Nothing is decided here;
 * each room gets the ports it asks for and its events go to the metrics.
 */
import type { ClusterControl } from '../agent/cluster.ts';
import type { Copier } from '../agent/copier.ts';
import type { TailPassed } from '../agent/leader/tail-passed.ts';
import type { LiveWatch } from '../agent/live-watch.ts';
import type { Overwrite, RepairOutcome } from '../agent/repair.ts';
import type { RouteRepair } from '../agent/route-repair.ts';
import type { Config } from '../config.ts';
import type { AdmissionControl } from '../coordination/admission.ts';
import type { DocKey, RouteState } from '../coordination/ports.ts';
import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createClassifier, type MappingTypes } from '../proxy/classify.ts';
import type { ClientRequest } from '../proxy/client-request.ts';
import { createHandler } from '../proxy/execute.ts';
import { createByBodyExecutor } from '../proxy/execute-by-body.ts';
import { createFailedRefreshes, type FailedRefreshes } from '../proxy/failed-refreshes.ts';
import type { Executors } from '../proxy/executors.ts';
import { plan } from '../proxy/plan.ts';
import { createRecentConflicts, type RecentConflicts } from '../proxy/recent-conflicts.ts';
import {
  createCursorMac,
  createPassThrough,
  createReadExecutors,
  type PassThrough,
  wrapCursor,
} from '../proxy/read/index.ts';
import { createListener, type Listener } from '../proxy/listener.ts';
import type { ShadowReads } from '../proxy/shadow/runner.ts';
import { createWriteExecutors } from '../proxy/write/index.ts';
import { observeRead, observeRequest, observeWrite } from './observe.ts';
import { type ClusterUses, transportsOf } from './open-clusters.ts';
import type { FilledWatch } from './filled-watch.ts';
import { refreshFollowersFirst } from './follower-refresh.ts';
import type { ReadBrake } from './read-brake.ts';
import type { RouteView } from './route-view.ts';
import type { TrafficTally } from './traffic-tally.ts';
import type { Unswept } from './unswept.ts';

export type DataPlaneOptions = {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  clusters: ClusterUses;
  view: RouteView;
  admission: AdmissionControl;
  copier: Copier;
  controls: Record<Side, Pick<ClusterControl, 'refresh'>>;
  repair: RouteRepair;
  tailPassed: TailPassed;
  shadow: ShadowReads;
  brake: Pick<ReadBrake, 'allows'>;
  filled: Pick<FilledWatch, 'mayServe'>;
  unswept: Pick<Unswept, 'note' | 'has'>;
  liveWatch: Pick<LiveWatch, 'answered'>;
  traffic: Pick<TrafficTally, 'request'>;
  /** Known to every replica and to nobody else; may become known late. */
  sharedSecret: () => string;
};
export type DataPlane = {
  readonly listener: Listener;
  /** @returns the address bound */
  listen(): Promise<{ host: string; port: number }>;
  /** What mapping types in paths mean to the source; before it is said, that is not known. */
  useMappingTypes(types: MappingTypes): void;
};

const maxRepairIds = 1000;
/** The end of a phase waits for those that overwrite, and has to come though a cluster hangs. */
const overwriteWithinMs = 30_000;

/** On the authority. */
const isAbsent = (outcome: RepairOutcome): boolean =>
  outcome.kind === 'deleted' || (outcome.kind === 'kept' && outcome.stamp === undefined);

/**
 * Repairs in slices, so that a delete-by-query of many documents takes no more memory than one page.
 * @throws when a document could not be decided, so that the caller asks for a sweep
 */
const repairIdsOf =
  ({ repair }: DataPlaneOptions) =>
  async (state: RouteState, keys: readonly DocKey[], overwrite?: Overwrite): Promise<number> => {
    let absent = 0;
    const limit = overwrite === undefined ? {} : { signal: AbortSignal.timeout(overwriteWithinMs) };
    for (let at = 0; at < keys.length; at += maxRepairIds) {
      const repaired = await repair.repair(state, keys.slice(at, at + maxRepairIds), { overwrite, ...limit });
      const undecided = repaired.filter(({ outcome }) => outcome.kind === 'failed').length;
      if (undecided > 0) throw new CrossfadeError('UPSTREAM_REFUSED', `${undecided} documents could not be repaired`);
      absent += repaired.filter(({ outcome }) => isAbsent(outcome)).length;
    }
    return absent;
  };

type Noted = { conflicts: RecentConflicts; refreshes: FailedRefreshes };
const writeExecutors = (options: DataPlaneOptions, { conflicts, refreshes }: Noted) => {
  const { config, logger, metrics, clusters, view, admission, copier, sharedSecret } = options;
  const mac = createCursorMac(sharedSecret);
  return createWriteExecutors({
    transports: transportsOf(clusters.client),
    admission,
    copies: copier,
    table: () => view.table(),
    limits: config.limits,
    logger,
    now: () => performance.now(),
    onEvent: observeWrite(metrics),
    onConflict: (key) => conflicts.note(key),
    sameCluster: clusters.sameCluster,
    repairIds: repairIdsOf(options),
    tailPassed: options.tailPassed,
    onUnlistedDeletes: (state) => options.unswept.note(state),
    refreshes,
    wrapTaskId: (task, origin) => wrapCursor(task, origin, mac),
  });
};

const readExecutors = (
  { config, logger, metrics, clusters, view, copier, shadow, brake, filled, unswept, sharedSecret }: DataPlaneOptions,
  { streams, conflicts, refreshes }: Noted & { streams: PassThrough },
) =>
  createReadExecutors({
    transports: transportsOf(clusters.client),
    streams,
    table: () => view.table(),
    copies: { isPending: (key) => copier.isPending(key) || conflicts.has(key) },
    shadow,
    refreshes,
    mayReadFollower: (slug) => brake.allows(slug),
    followerIsFilled: (state) => filled.mayServe(state) && !unswept.has(state),
    limits: config.limits,
    logger,
    random: Math.random,
    now: () => performance.now(),
    onEvent: observeRead(metrics),
    cursorSecret: sharedSecret,
    sideHeader: config.sideHeader,
    sameCluster: clusters.sameCluster,
  });

const executorsOf = (options: DataPlaneOptions, refreshes: FailedRefreshes): Executors => {
  const { clusters, config, view } = options;
  const streams = createPassThrough(clusters.client);
  const conflicts = createRecentConflicts(() => performance.now());
  const reads = readExecutors(options, { streams, conflicts, refreshes });
  return {
    ...writeExecutors(options, { conflicts, refreshes }),
    ...reads,
    by_body: createByBodyExecutor({
      table: () => view.table(),
      now: () => new Date(),
      maxBodyBytes: config.limits.maxBodyBytes,
      sameCluster: clusters.sameCluster,
      pass: (request, side) => streams.pass(request, { side }),
      cursor: reads.cursor,
      admin: reads.admin,
    }),
  };
};

export const createDataPlane = (options: DataPlaneOptions): DataPlane => {
  const { config, logger, metrics, clusters, view, traffic, liveWatch } = options;
  const toMetrics = observeRequest(metrics);
  const refreshes = refreshFollowersFirst({
    onStates: (listener) => view.onChange(listener),
    copies: options.copier,
    refresh: (side, index) => options.controls[side].refresh(index),
    refreshes: createFailedRefreshes(() => performance.now()),
  });
  let listening = config.listen;
  let classify = createClassifier({ mappingTypes: 'fallback' });
  const handle = createHandler({
    clusters: clusters.client,
    table: () => view.table(),
    classify: (method, path) => classify(method, path),
    plan,
    executors: executorsOf(options, refreshes),
    refreshes,
    listening: () => ({ address: listening, defaultPort: config.tls === undefined ? 80 : 443 }),
    maxBodyBytes: config.limits.maxBodyBytes,
    sameCluster: clusters.sameCluster,
  });
  const guarded = (request: ClientRequest): Promise<void> | undefined => {
    const refusal = view.refusal();
    return refusal === undefined ? handle(request) : Promise.reject(refusal);
  };
  const listener = createListener({
    limits: config.limits,
    tls: config.tls,
    logger,
    handle: guarded,
    observe: (event) => {
      toMetrics(event);
      traffic.request(event);
      if (event.outcome === 'ok' && event.upstreamMs > 0) liveWatch.answered(event.upstreamMs, performance.now());
    },
  });
  return {
    listener,
    useMappingTypes: (mappingTypes) => {
      classify = createClassifier({ mappingTypes });
    },
    listen: async () => {
      const bound = await listener.listen(config.listen);
      listening = `${bound.host.includes(':') ? `[${bound.host}]` : bound.host}:${bound.port}`;
      return bound;
    },
  };
};
