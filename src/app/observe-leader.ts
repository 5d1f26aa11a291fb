/**
 * Metrics of the migration itself, taken from what the leader of a route publishes. Only the leading member has series of
 * them: when it stops leading they are removed, so that a sum over members counts each route once.
 */
import { severities, verdicts } from '../compare/types.ts';
import { type CutoverReport, cutoverResults, type RouteJobStatus } from '../coordination/job-status.ts';
import { type Metrics, switchKinds } from '../metrics.ts';

/** Gauges with the one label `route`, and their value in a status; undefined = not known, no series. */
const gauges = {
  tailLag: ({ tail }) => tail?.lagSeconds,
  tailCaughtUp: ({ at, tail }) => (tail === undefined ? undefined : Date.parse(at) / 1000 - tail.lagSeconds),
  tailBehind: ({ tail }) => tail?.behind,
  backfillDocs: ({ backfill }) => backfill?.docs,
  backfillRatio: ({ backfill }) => ratio(backfill?.percent),
  backfillRate: ({ backfill }) => backfill?.rate,
  // Workers are scaled by it: an autoscaler keeps those that it has while a series is missing.
  backfillChunks: ({ backfill }) => backfill?.chunksRemaining ?? 0,
  sweepRatio: ({ sweep }) => ratio(sweep?.percent),
  sweepPending: ({ sweep }) =>
    flag(sweep !== undefined && ['needed', 'running', 'paused', 'failed'].includes(sweep.state)),
  ledgerUnaccounted: ({ ledger }) => ledger?.unaccounted,
  proofTime: ({ proof }) => (proof?.equal ? Date.parse(proof.at) / 1000 : undefined),
  quarantined: ({ quarantine }) => quarantine?.total,
  safeToAdvance: ({ safeToAdvance }) => flag(safeToAdvance.ok),
  rollbackReady: ({ phase, safeToRollBack }) => flag(phase === 'target' && safeToRollBack.ok),
  alarms: ({ alarms }) => alarms.length,
  statusTime: ({ at }) => Date.parse(at) / 1000,
} as const satisfies Partial<Record<keyof Metrics, (status: RouteJobStatus) => number | undefined>>;

const flag = (on: boolean): number => (on ? 1 : 0);
const ratio = (percent: number | undefined): number | undefined => (percent === undefined ? undefined : percent / 100);

const setVerdict = (metrics: Metrics, route: string, { verdict }: RouteJobStatus): void => {
  if (verdict === undefined) return;
  for (const name of verdicts) metrics.shadowVerdict.set({ route, verdict: name }, flag(name === verdict.verdict));
  for (const { severity, value, limit } of verdict.eValues) {
    metrics.shadowEValue.set({ route, severity }, value);
    metrics.shadowEValueLimit.set({ route }, limit);
  }
};

/** A verdict that was left standing would alarm for ever. */
const removeVerdict = (metrics: Metrics, route: string): void => {
  for (const verdict of verdicts) metrics.shadowVerdict.remove({ route, verdict });
  for (const severity of severities) metrics.shadowEValue.remove({ route, severity });
  metrics.shadowEValueLimit.remove({ route });
};

/** Counters of switches begin at 0: Prometheus sees no increase in a series that begins with its first event. */
const openCounters = (metrics: Metrics, route: string): void => {
  for (const kind of switchKinds) for (const result of cutoverResults) metrics.cutovers.inc({ route, kind, result }, 0);
};

/** `undefined`: this member does not lead the route any more. */
export const observeJobStatus =
  (metrics: Metrics) =>
  (route: string, status: RouteJobStatus | undefined): void => {
    metrics.leader.set({ route }, flag(status !== undefined));
    for (const [name, read] of Object.entries(gauges) as [
      keyof typeof gauges,
      (status: RouteJobStatus) => number | undefined,
    ][]) {
      const value = status === undefined ? undefined : read(status);
      if (value === undefined) metrics[name].remove({ route });
      else metrics[name].set({ route }, value);
    }
    if (status === undefined) return removeVerdict(metrics, route);
    openCounters(metrics, route);
    setVerdict(metrics, route, status);
  };

export const observeCutover =
  (metrics: Metrics) =>
  (route: string, { kind, result, pauseMs, stepsMs }: CutoverReport): void => {
    metrics.cutovers.inc({ route, kind, result });
    if (pauseMs !== undefined) metrics.cutoverPause.observe({ route, kind }, pauseMs / 1000);
    for (const [step, ms] of Object.entries(stepsMs)) metrics.cutoverStep.observe({ route, step }, ms / 1000);
  };
