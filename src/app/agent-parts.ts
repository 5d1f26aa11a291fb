/** The parts of an agent that serve requests, wired to each other; agent.ts says when they start and end. */
import { type Copier, createCopier } from '../agent/copier.ts';
import { eventsIn } from '../agent/leader/events.ts';
import { createTailPassed } from '../agent/leader/tail-passed.ts';
import { LiveWatch } from '../agent/live-watch.ts';
import { createRouteRepair } from '../agent/route-repair.ts';
import { systemRuntime } from '../agent/runtime.ts';
import { type AdmissionControl, createAdmission } from '../coordination/admission.ts';
import { createProcessList, type ProcessList } from '../coordination/process-list.ts';
import type { Heartbeat, MemberRoute } from '../coordination/records.ts';
import { type ComparisonThread, createComparisonThread } from '../proxy/shadow/comparison-thread.ts';
import { type ShadowDeps, ShadowReads } from '../proxy/shadow/runner.ts';
import { totalSkipped } from '../proxy/shadow/tally.ts';
import type { Core } from './core.ts';
import { createDataPlane, type DataPlane } from './data-plane.ts';
import { createDiscrepancyStore, type DiscrepancyStore } from './discrepancies.ts';
import { createEvidence, type Evidence } from './evidence.ts';
import { type FilledWatch, watchFilled } from './filled-watch.ts';
import { routeLine, type ShadowCounts } from './heartbeat-report.ts';
import { observeCopy, observeHeld, observeShadow, observeSweepNeeded } from './observe.ts';
import { transportsOf } from './open-clusters.ts';
import { createReadBrake, type ReadBrake } from './read-brake.ts';
import { createRouteView, type RouteView } from './route-view.ts';
import { createTrafficTally, type TrafficTally } from './traffic-tally.ts';
import { createUnswept, type Unswept } from './unswept.ts';

export type AgentParts = {
  readonly core: Core;
  readonly view: RouteView;
  readonly admission: AdmissionControl;
  readonly copier: Copier;
  readonly processes: ProcessList;
  readonly shadow: ShadowReads;
  readonly comparisons: ComparisonThread;
  readonly discrepancies: DiscrepancyStore;
  readonly evidence: Evidence;
  readonly brake: ReadBrake;
  readonly traffic: TrafficTally;
  readonly liveWatch: LiveWatch;
  readonly filled: FilledWatch;
  readonly unswept: Unswept;
  readonly plane: DataPlane;
};

const createShadow = (
  { metrics, logger, clusters }: Core,
  own: Pick<ShadowDeps, 'stateOf' | 'isFilled' | 'onReport' | 'onUnstable' | 'compareApart'> & {
    onUnasked: (slug: string) => void;
  },
): ShadowReads => {
  const count = observeShadow(metrics);
  return new ShadowReads({
    transports: transportsOf(clusters.shadow),
    random: Math.random,
    now: () => performance.now(),
    logger,
    onEvent: (event) => {
      count(event);
      if (event.kind === 'skipped' && event.reason === 'queue_full') own.onUnasked(event.slug);
    },
    ...own,
  });
};

const createCopies = ({ metrics, controls, transforms }: Core, view: RouteView): Copier =>
  createCopier({
    clusters: controls,
    runtime: systemRuntime,
    transforms,
    stateOf: (slug) => view.state(slug),
    onOutcome: observeCopy(metrics),
    onSweepNeeded: observeSweepNeeded(metrics),
  });

/** `onDrained`: what began before the present phase of a route has ended, and others may be waiting to hear it. */
export const createParts = (core: Core, onDrained: () => void): AgentParts => {
  const { metrics, controls, transforms, sharedSecret, watcher, member, boot } = core;
  const admission = createAdmission({ now: () => performance.now(), onDrained, onHeldEnd: observeHeld(metrics) });
  const view = createRouteView({ watcher, admission, sameCluster: core.clusters.sameCluster });
  const copier = createCopies(core, view);
  const processes = createProcessList({ bucket: core.store.config, member, boot });
  const comparisons = createComparisonThread();
  const discrepancies = createDiscrepancyStore({
    member,
    redact: (task) => comparisons.redact(task),
    secret: sharedSecret,
    state: (slug) => view.state(slug),
    stream: () => core.store.samples,
    logger: core.logger,
  });
  const filled = watchFilled({
    bucket: core.store.config,
    states: () => view.states(),
    onStates: (listener) => view.onChange(listener),
    runtime: systemRuntime,
  });
  const unswept = createUnswept({
    member,
    boot,
    bucket: core.store.config,
    eventsOf: (slug) => eventsIn(copier.report(slug)),
    refresh: (side, index) => controls[side].refresh(index),
    runtime: systemRuntime,
  });
  const evidence = createEvidence({
    member,
    boot,
    state: (slug) => view.state(slug),
    isFilled: (slug) => filled.isFilled(slug),
    now: Date.now,
  });
  const brake = createReadBrake({
    state: (slug) => view.state(slug),
    isFilled: (slug) => filled.isFilled(slug),
    now: () => performance.now(),
    changed: (route, on) => metrics.followerBrakeOn.set({ route }, on ? 1 : 0),
  });
  const traffic = createTrafficTally();
  const liveWatch = new LiveWatch();
  const shadow = createShadow(core, {
    stateOf: (slug) => view.state(slug),
    isFilled: (slug) => filled.isFilled(slug),
    compareApart: (task) => comparisons.compare(task),
    onUnasked: (slug) => evidence.noteUnasked(slug),
    onUnstable: (sample) => evidence.noteUnstable(sample),
    onReport: (report) => {
      traffic.shadow(report);
      evidence.note(report);
      brake.note(report);
      void discrepancies.add(report);
    },
  });
  const repair = createRouteRepair({ clusters: controls, runtime: systemRuntime, transforms });
  const tailPassed = createTailPassed({ clusters: controls, runtime: systemRuntime, bucket: core.store.config });
  const plane = createDataPlane({
    ...core,
    view,
    admission,
    copier,
    repair,
    tailPassed,
    shadow,
    brake,
    filled,
    unswept,
    traffic,
    liveWatch,
  });
  return {
    core,
    view,
    admission,
    copier,
    processes,
    shadow,
    comparisons,
    discrepancies,
    evidence,
    brake,
    traffic,
    liveWatch,
    filled,
    unswept,
    plane,
  };
};

const shadowCounts = ({ shadow, evidence }: AgentParts, slug: string): ShadowCounts => {
  const { compared, mismatched, ...counts } = shadow.counts(slug);
  const { verdict } = evidence.judgement(slug);
  return { compared, mismatched, skipped: totalSkipped({ compared, mismatched, ...counts }), verdict };
};

/**
 * This member's lines of its heartbeat. A route that admission does not know yet is left out, and so is one that this
 * process is not on the list of: nobody may take it for a member there before a later leader could find it.
 */
export const reportRoutes = (parts: AgentParts): Heartbeat['routes'] => {
  const { core, view, admission, copier, processes, filled, brake } = parts;
  const lines: Record<string, MemberRoute> = {};
  for (const [slug, state] of view.states()) {
    const report = admission.report(slug);
    if (report === undefined || !processes.has(slug)) continue;
    const [copies, copyProblems] = [copier.report(slug), copier.problems(slug)];
    const unclear = core.unclear.count(slug);
    const shadow = shadowCounts(parts, slug);
    const serving = { mayServe: filled.mayServe(state), isBraked: !brake.allows(slug) };
    lines[slug] = routeLine({ state, ...serving, admission: report, copies, unclear, shadow, copyProblems });
  }
  return lines;
};
