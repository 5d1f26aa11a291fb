/**
 * `crossfade agent`: the sidecar. The rooms are wired elsewhere; here is only the order. Start: admin listener, routes,
 * membership, then the application's listener, so that no barrier of a phase move can overlook a member that serves.
 * End: the application first keeps being served, then copies are drained, then the membership is left.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Lifecycle } from '../admin/health.ts';
import type { AdminServer } from '../admin/server.ts';
import type { LeaderEvents } from '../agent/leader/leading.ts';
import { startLeaders } from '../agent/leader/start.ts';
import { liveTraffic } from '../agent/pacer.ts';
import { systemRuntime } from '../agent/runtime.ts';
import type { SampleRecord } from '../compare/sample-record.ts';
import { createMembers, type Members } from '../coordination/members.ts';
import { adminUrl } from './admin-address.ts';
import { createAgentAdmin } from './agent-admin.ts';
import { type AgentParts, createParts, reportRoutes } from './agent-parts.ts';
import { startBackfillWorkers } from './backfill-workers.ts';
import { claimName } from '../coordination/sole-member.ts';
import type { Core } from './core.ts';
import { startDashboardReports } from './dashboard-reports.ts';
import { join } from './join.ts';
import { learnRoutes } from './learn-routes.ts';
import { copyLog, routeLog, storeLog } from './log-changes.ts';
import { tellLostRoutes } from './lost-store.ts';
import { observeCutover, observeJobStatus } from './observe-leader.ts';
import { transportsOf } from './open-clusters.ts';
import { startEvidencePublisher } from './publish-evidence.ts';
import { type ProcessInput, runProcess } from './run-process.ts';
import { firstSignal } from './signals.ts';
import { learnDialect } from './source-dialect.ts';
import { standAlone } from './stand-alone.ts';

/** Copies get at least this long, also when the application used the whole grace. */
const leastDrainMs = 2000;

/** Far less than a route takes from its first phase to a cutover where it is worth a migration. */
const recentCacheMs = 15 * 60_000;

const pause = (ms: number): Promise<void> => delay(ms, undefined, { ref: false });

type Bound = { host: string; port: number };
type Stoppable = { stop(): Promise<void> };

/** The lines of each heartbeat; what they say of copies goes into the log too when it changes. */
const reporting = (parts: AgentParts): (() => ReturnType<typeof reportRoutes>) => {
  const tell = copyLog(parts.core.logger);
  return () => {
    for (const slug of parts.view.states().keys()) tell(slug, parts.copier.problems(slug));
    return reportRoutes(parts);
  };
};

const createMembership = (parts: AgentParts, adminAt: Bound): Members => {
  const { view, processes } = parts;
  const { config, member, boot, version, store, watcher, logger, podIp } = parts.core;
  return createMembers({
    live: store.live,
    member,
    boot,
    version,
    admin: adminUrl(config.admin, adminAt, podIp),
    report: reporting(parts),
    enlist: (again) => processes.enlist(view.states().keys(), again),
    stale: () => watcher.status().stale,
    logger,
  });
};

/** Whole answers are too large to be told to all members; the differences say what matters. */
const withoutAnswers = ({ answers: _, ...sample }: SampleRecord) => sample;

const tellDashboards = ({ core, traffic, view, discrepancies }: AgentParts, members: Members): Stoppable => {
  const { store, member, boot } = core;
  view.onChange((states) => traffic.keepOnly(new Set(states.keys())));
  const reports = startDashboardReports({
    live: store.live,
    member,
    boot,
    traffic: () => traffic.lines(),
    samples: (slug) => discrepancies.list(slug, {}).map(withoutAnswers),
    members: () => members.view().members.size,
  });
  return { stop: async () => reports.stop() };
};

type SwitchWatch = Pick<LeaderEvents, 'onReached'>;

const startLeading = ({ core, view }: AgentParts, members: Members, watch: SwitchWatch): Stoppable =>
  startLeaders({
    ...core,
    ...watch,
    clusters: core.controls,
    members,
    runtime: systemRuntime,
    clock: () => new Date().toISOString(),
    states: () => view.states(),
    onStates: (listener) => view.onChange(listener),
    onCutover: observeCutover(core.metrics),
    onStatus: observeJobStatus(core.metrics),
  });

const startTelling = ({ core, view, evidence }: AgentParts, members: Members): Stoppable =>
  startEvidencePublisher({
    bucket: core.store.config,
    boot: core.boot,
    evidence,
    slugs: () => view.states().keys(),
    members: () => members.view().members.size,
    logger: core.logger,
  });

const drain = async ({ core, plane, copier, view }: AgentParts): Promise<void> => {
  const { graceMs, quietMs } = core.config.shutdown;
  const began = performance.now();
  const gone = await plane.listener.drain({ graceMs, quietMs });
  if (!gone) core.logger.warn({ connections: plane.listener.connections }, 'the application still holds connections');
  await plane.listener.close(0);
  const leftMs = Math.max(leastDrainMs, graceMs - (performance.now() - began));
  const drained = await Promise.all([...view.states().keys()].map((slug) => copier.drain(slug, leftMs)));
  if (drained.includes(false)) core.logger.warn('copies are left to the tail');
};

class Agent {
  readonly #parts: AgentParts;
  readonly #admin: AdminServer;
  readonly #drained = new AbortController();
  readonly #watch: SwitchWatch;
  #lifecycle: Lifecycle = 'starting';
  #members: Members | undefined;
  #background: readonly Stoppable[] = [];

  constructor(core: Core, watch: SwitchWatch) {
    this.#watch = watch;
    this.#parts = createParts(core, () => this.#members?.beat());
    this.#admin = createAgentAdmin({
      parts: this.#parts,
      lifecycle: () => this.#lifecycle,
      members: () => this.#members?.view().members.size ?? 0,
    });
  }

  async start(): Promise<void> {
    const { core, view, plane, liveWatch } = this.#parts;
    const admin = await this.#admin.listen();
    core.store.onStatus(storeLog(core.logger));
    void learnDialect(core.controls.source, { onTypes: plane.useMappingTypes, signal: this.#drained.signal });
    await this.#learnRoutes();
    if (core.watcher.status().knowledge !== 'unknown') void this.#tellLostRoutes();
    const members = createMembership(this.#parts, admin);
    this.#members = members;
    view.onChange(() => members.beat());
    core.store.onStatus(() => members.beat());
    view.onChange(routeLog(core.logger));
    if (!(await this.#join(members))) await this.#standAlone(members);
    const listening = await plane.listen();
    this.#lifecycle = 'serving';
    core.logger.info({ listening, admin }, 'serving');
    this.#background = [
      startLeading(this.#parts, members, this.#watch),
      startBackfillWorkers(core, view, liveTraffic(liveWatch, systemRuntime.now)),
      startTelling(this.#parts, members),
      tellDashboards(this.#parts, members),
    ];
  }

  #learnRoutes(): Promise<void> {
    const { core, view } = this.#parts;
    const { clusters } = core;
    const transports = transportsOf(clusters.background);
    return learnRoutes({ ...core, view, transports, sameCluster: clusters.sameCluster, pause });
  }

  #join(members: Members): Promise<boolean> {
    const { watcher, store, logger } = this.#parts.core;
    const mayWait = watcher.status().knowledge !== 'unknown';
    return join({ members, watcher, isConnected: () => store.status().connected, mayWait, pause, logger });
  }

  #tellLostRoutes(): Promise<void> {
    const { core, view } = this.#parts;
    const { clusters, logger } = core;
    const transports = transportsOf(clusters.background);
    return tellLostRoutes({ transports, sameCluster: clusters.sameCluster, states: view.states(), logger });
  }

  #standAlone(members: Members): Promise<void> {
    const { core, view } = this.#parts;
    return standAlone({
      view,
      heard: () => members.heard(),
      isRecent: (core.watcher.status().cacheAgeMs ?? Number.POSITIVE_INFINITY) < recentCacheMs,
      isOver: () => this.#drained.signal.aborted,
      refresh: () => core.watcher.refresh(),
      transports: transportsOf(core.clusters.background),
      pause,
      logger: core.logger,
    });
  }

  async stop(): Promise<void> {
    const { core, plane, shadow, comparisons, copier } = this.#parts;
    this.#lifecycle = 'draining';
    core.logger.info({ connections: plane.listener.connections }, 'draining');
    await Promise.all([...this.#background.map((part) => part.stop()), drain(this.#parts)]);
    this.#drained.abort();
    this.#parts.filled.stop();
    this.#parts.unswept.stop();
    await shadow.close();
    await comparisons.close();
    copier.close();
    await this.#parts.processes.leave();
    await this.#members?.leave();
    this.#lifecycle = 'stopped';
    await this.#admin.close();
    await core.close();
    core.logger.info('stopped');
  }
}

/** With NATS the heartbeats tell of two under one name: there one may be on its way out while the other comes. */
const takeName = async ({ config, store: { live }, member, boot }: Core): Promise<void> => {
  if (config.nats === undefined) await claimName({ live, member, boot });
};

const serve = async (core: Core, watch: SwitchWatch): Promise<number> => {
  await takeName(core);
  const signalled = firstSignal(core.logger);
  const agent = new Agent(core, watch);
  await agent.start();
  await signalled;
  await agent.stop();
  return 0;
};

/** `onReached`: told of each labelled point of a switch that this process leads. @returns the exit code */
export const runAgent = ({ onReached, ...input }: ProcessInput & SwitchWatch): Promise<number> =>
  runProcess(input, (core) => serve(core, onReached === undefined ? {} : { onReached }));
