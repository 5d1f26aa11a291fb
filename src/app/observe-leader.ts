/**
 * Metrics of the migration itself, taken from what the leader of a route publishes. Only the leading member has series of
 * them: when it stops leading they are removed, so that a sum over members counts each route once.
 */
import type { CutoverReport, RouteJobStatus } from '../coordination/job-status.ts';
import type { Metrics } from '../metrics.ts';

/** Gauges with the one label `route`, and their value in a status; undefined = not known, no series. */
const gauges = {
  tailLag: ({ tail }) => tail?.lagSeconds,
  tailBehind: ({ tail }) => tail?.behind,
  backfillDocs: ({ backfill }) => backfill?.docs,
  backfillRatio: ({ backfill }) => ratio(backfill?.percent),
  backfillRate: ({ backfill }) => backfill?.rate,
  sweepRatio: ({ sweep }) => ratio(sweep?.percent),
  sweepPending: ({ sweep }) =>
    flag(sweep !== undefined && ['needed', 'running', 'paused', 'failed'].includes(sweep.state)),
  ledgerUnaccounted: ({ ledger }) => ledger?.unaccounted,
  proofTime: ({ proof }) => (proof?.equal ? Date.parse(proof.at) / 1000 : undefined),
  quarantined: ({ quarantine }) => quarantine?.total,
  safeToAdvance: ({ safeToAdvance }) => flag(safeToAdvance.ok),
  rollbackReady: ({ phase, safeToRollBack }) => flag(phase === 'target' && safeToRollBack.ok),
  alarms: ({ alarms }) => alarms.length,
} as const satisfies Partial<Record<keyof Metrics, (status: RouteJobStatus) => number | undefined>>;

const flag = (on: boolean): number => (on ? 1 : 0);
const ratio = (percent: number | undefined): number | undefined => (percent === undefined ? undefined : percent / 100);

const setVerdict = (metrics: Metrics, route: string, { verdict }: RouteJobStatus): void => {
  if (verdict === undefined) return;
  for (const name of ['promote', 'hold', 'rollback', 'inconclusive'])
    metrics.shadowVerdict.set({ route, verdict: name }, flag(name === verdict.verdict));
  for (const { severity, value, limit } of verdict.eValues) {
    metrics.shadowEValue.set({ route, severity }, value);
    metrics.shadowEValueLimit.set({ route }, limit);
  }
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
    if (status !== undefined) setVerdict(metrics, route, status);
  };

export const observeCutover =
  (metrics: Metrics) =>
  (route: string, { kind, result, pauseMs, stepsMs }: CutoverReport): void => {
    metrics.cutovers.inc({ route, kind, result });
    if (pauseMs !== undefined) metrics.cutoverPause.observe({ route, kind }, pauseMs / 1000);
    for (const [step, ms] of Object.entries(stepsMs)) metrics.cutoverStep.observe({ route, step }, ms / 1000);
  };
