/**
 * `crossfade agent`: the sidecar. Wires the rooms together and decides only the order. Start: admin listener, routes,
 * membership, then the application's listener, so that no barrier of a phase move can overlook a member that serves.
 * End: the application first keeps being served, then copies are drained, then the membership is left.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lifecycle } from '../admin/health.ts';
import { type AdminServer, createAdminServer } from '../admin/server.ts';
import { type Copier, createCopier } from '../agent/copier.ts';
import { startLeaders } from '../agent/leader/start.ts';
import { createRouteRepair } from '../agent/route-repair.ts';
import { systemRuntime } from '../agent/runtime.ts';
import { type AdmissionControl, createAdmission } from '../coordination/admission.ts';
import { createMembers, type Members } from '../coordination/members.ts';
import type { Heartbeat } from '../coordination/records.ts';
import { ShadowReads } from '../proxy/shadow/runner.ts';
import { totalSkipped } from '../proxy/shadow/tally.ts';
import { secretFrom } from '../upstream/secret.ts';
import { adminUrl } from './admin-address.ts';
import { startBackfillWorkers } from './backfill-workers.ts';
import type { Core } from './core.ts';
import { createDataPlane, type DataPlane } from './data-plane.ts';
import { createDiscrepancyStore, type DiscrepancyStore } from './discrepancies.ts';
import { noShadow, routeLine } from './heartbeat-report.ts';
import { observeCopy, observeHeld, observeShadow, observeSweepNeeded, scrapeOf } from './observe.ts';
import { observeCutover, observeJobStatus } from './observe-leader.ts';
import { transportsOf } from './open-clusters.ts';
import { readAliases } from './read-aliases.ts';
import { readFleet } from './read-fleet.ts';
import { createRouteView, type RouteView } from './route-view.ts';
import { type ProcessInput, runProcess } from './run-process.ts';
import { firstSignal } from './signals.ts';

/** How long a start waits for the store before it serves from cache or aliases. */
const storeWaitMs = 3000;
const aliasRetryMs = 2000;
/** Copies get at least this long, also when the application used the whole grace. */
const leastDrainMs = 2000;

type Agent = {
  core: Core;
  view: RouteView;
  admission: AdmissionControl;
  copier: Copier;
  shadow: ShadowReads;
  discrepancies: DiscrepancyStore;
  plane: DataPlane;
  lifecycle: Lifecycle;
};

const shadowCounts = (shadow: ShadowReads, slug: string) => {
  const counts = shadow.counts(slug);
  return { ...noShadow, compared: counts.compared, mismatched: counts.mismatched, skipped: totalSkipped(counts) };
};

const reportRoutes = ({ view, admission, copier, shadow }: Agent): Heartbeat['routes'] =>
  Object.fromEntries(
    [...view.states()].flatMap(([slug, state]) => {
      const report = admission.report(slug);
      if (report === undefined) return [];
      const copies = copier.report(slug);
      const line = {
        state,
        admission: report,
        copies,
        shadow: shadowCounts(shadow, slug),
        copyProblems: copier.problems(slug),
      };
      return [[slug, routeLine(line)]];
    }),
  );

const createParts = (core: Core, beat: () => void): Agent => {
  const { metrics, logger, clusters, controls, transforms, watcher, sharedSecret } = core;
  const admission = createAdmission({ now: () => performance.now(), onDrained: beat, onHeldEnd: observeHeld(metrics) });
  const view = createRouteView({ watcher, admission });
  const copier = createCopier({
    clusters: controls,
    runtime: systemRuntime,
    transforms,
    stateOf: (slug) => view.state(slug),
    onOutcome: observeCopy(metrics),
    onSweepNeeded: observeSweepNeeded(metrics),
  });
  const discrepancies = createDiscrepancyStore(sharedSecret);
  const shadow = new ShadowReads({
    transports: transportsOf(clusters.shadow),
    random: Math.random,
    now: () => performance.now(),
    logger,
    onEvent: observeShadow(metrics),
    onReport: (report) => discrepancies.add(report),
  });
  const repair = createRouteRepair({ clusters: controls, runtime: systemRuntime, transforms });
  const plane = createDataPlane({ ...core, view, admission, copier, repair, shadow });
  return { core, view, admission, copier, shadow, discrepancies, plane, lifecycle: 'starting' };
};

const createAdmin = (agent: Agent, members: () => Members | undefined): AdminServer => {
  const { core, view, admission, copier, discrepancies, plane } = agent;
  const { config, logger, store, registry, metrics } = core;
  const { token, tokenFile } = config.admin;
  return createAdminServer({
    config: config.admin,
    token: secretFrom(token, tokenFile, { logger }),
    registry: scrapeOf(registry, metrics, {
      states: () => view.states(),
      admission,
      copier,
      store: () => store.status(),
      members: () => members()?.view().members.size ?? 0,
      connections: () => plane.listener.connections,
    }),
    health: () => ({ lifecycle: agent.lifecycle, unknownAuthority: view.unknownAuthority() }),
    logger,
    api: {
      store,
      fleet: () => readFleet(store),
      discrepancies,
      self: () => ({ member: core.member, version: core.version, store: store.status(), routes: reportRoutes(agent) }),
      changed: (change) => logger.info(change, 'changed by the admin API'),
      now: Date.now,
      sleep: (ms) => delay(ms),
      newId: randomUUID,
    },
  });
};

/** Waits for the store or its cache; failing both, for the aliases. Returns when something is known, or the wait is over. */
const learnRoutes = async ({ core, view }: Agent): Promise<void> => {
  const { watcher, logger } = core;
  const known = () => watcher.status().knowledge !== 'unknown';
  for (let waitedMs = 0; waitedMs < storeWaitMs && !known(); waitedMs += 50) {
    // Sooner than the watcher's next look: the application waits for this start.
    if (core.store.status().connected) await watcher.refresh().catch(() => undefined);
    else await delay(50);
  }
  if (known()) return;
  logger.warn({ store: core.store.status() }, 'neither the store nor cached routes can be read, asking the clusters');
  await learnFromClusters(core, view);
  if (!known()) void keepLearning(core, view);
};

const learnFromClusters = async ({ clusters }: Core, view: RouteView): Promise<void> => {
  const answers = await readAliases(transportsOf(clusters.background), clusters.sameCluster);
  if (answers !== undefined) view.learnFromAliases(answers);
};

/** Until the store has answered, a switch elsewhere shows in the aliases only. */
const keepLearning = async (core: Core, view: RouteView): Promise<void> => {
  while (core.watcher.status().knowledge === 'unknown') {
    await delay(aliasRetryMs, undefined, { ref: false });
    await learnFromClusters(core, view);
  }
};

const join = async ({ core }: Agent, members: Members): Promise<void> => {
  const { logger, watcher } = core;
  const joined = members.join().then(() => watcher.refresh());
  joined.catch((err: unknown) => logger.warn({ err }, 'the membership cannot be joined yet, trying on'));
  await Promise.race([joined.catch(() => undefined), delay(storeWaitMs, undefined, { ref: false })]);
};

const drain = async (agent: Agent, graceMs: number): Promise<void> => {
  const { core, plane, copier, view } = agent;
  const began = performance.now();
  const gone = await plane.listener.drain({ graceMs });
  if (!gone) core.logger.warn({ connections: plane.listener.connections }, 'the application still holds connections');
  await plane.listener.close(0);
  const leftMs = Math.max(leastDrainMs, graceMs - (performance.now() - began));
  const drained = await Promise.all([...view.states().keys()].map((slug) => copier.drain(slug, leftMs)));
  if (drained.includes(false)) core.logger.warn('copies are left to the tail');
};

const serve = async (core: Core): Promise<number> => {
  const { config, logger, metrics, store } = core;
  const signalled = firstSignal(logger);
  let members: Members | undefined;
  const agent = createParts(core, () => members?.beat());
  const admin = createAdmin(agent, () => members);
  const adminAt = await admin.listen();
  logger.info({ admin: adminAt }, 'admin listener open');
  await learnRoutes(agent);
  const joining = createMembers({
    live: store.live,
    member: core.member,
    boot: core.boot,
    version: core.version,
    admin: adminUrl(config.admin, adminAt, process.env['POD_IP']),
    report: () => reportRoutes(agent),
    stale: () => core.watcher.status().stale,
    logger,
  });
  members = joining;
  agent.view.onChange(() => joining.beat());
  await join(agent, joining);
  const listening = await agent.plane.listen();
  agent.lifecycle = 'serving';
  logger.info({ listening, admin: adminAt }, 'serving');
  const leaders = startLeaders({
    ...core,
    clusters: core.controls,
    members: joining,
    runtime: systemRuntime,
    clock: () => new Date().toISOString(),
    states: () => agent.view.states(),
    onStates: (listener) => agent.view.onChange(listener),
    onCutover: observeCutover(metrics),
    onStatus: observeJobStatus(metrics),
  });
  const workers = startBackfillWorkers(core, agent.view);

  const signal = await signalled;
  agent.lifecycle = 'draining';
  logger.info({ signal, connections: agent.plane.listener.connections }, 'draining');
  await Promise.all([leaders.stop(), workers.stop(), drain(agent, config.shutdown.graceMs)]);
  await agent.shadow.close();
  agent.copier.close();
  await joining.leave();
  agent.lifecycle = 'stopped';
  await admin.close();
  await core.close();
  logger.info('stopped');
  return 0;
};

/** @returns the exit code */
export const runAgent = (input: ProcessInput): Promise<number> => runProcess(input, serve);
