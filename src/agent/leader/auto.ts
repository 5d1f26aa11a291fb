/**
 * What the `auto` block of a route does by itself: raise the share of reads step by step while the evidence is good, and
 * bring all reads home when a limit is passed. Each limit is off unless given; bringing reads home is never blocked by
 * dwell or by missing data. Pure: the leader gathers the evidence, writes the percentage and the audit entry.
 */
import type { AutoSettings } from '../../coordination/records.ts';

export type AutoEvidence = {
  readPercent: number;
  /** Since pct.read was last changed, by anyone. */
  sinceChangeMs: number;
  verdict: 'promote' | 'hold' | 'rollback' | 'inconclusive';
  verdictReason: string;
  /** Failed follower answers among reads that the follower was asked for. */
  errorRatePercent: number | undefined;
  /** How much slower the follower answers than the authority. */
  latencyWorsePercent: number | undefined;
  /** Worst severity whose evidence passed its limit. */
  severity: `S${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}` | undefined;
  lagSeconds: number | undefined;
  quarantined: number;
};
export type AutoDecision =
  { kind: 'none'; reason: string } | { kind: 'raise'; to: number; reason: string } | { kind: 'home'; reason: string };

const over = (value: number | undefined, limit: number | undefined): boolean =>
  value !== undefined && limit !== undefined && value > limit;

/** The first limit that is passed, in the order of gravity. */
const trigger = (limits: NonNullable<AutoSettings['rollback']>, seen: AutoEvidence): string | undefined => {
  if (over(seen.errorRatePercent, limits.errorRatePercent))
    return `error rate ${seen.errorRatePercent} % is above ${limits.errorRatePercent} %`;
  if (limits.severity !== undefined && seen.severity !== undefined && seen.severity <= limits.severity)
    return `mismatches of severity ${seen.severity}`;
  if (over(seen.latencyWorsePercent, limits.latencyWorsePercent))
    return `answers are ${seen.latencyWorsePercent} % slower`;
  if (over(seen.lagSeconds, limits.lagSeconds)) return `the follower lags ${seen.lagSeconds} s behind`;
  if (over(seen.quarantined, limits.quarantined)) return `${seen.quarantined} copies are in quarantine`;
  return undefined;
};

export const decideAuto = (auto: AutoSettings, seen: AutoEvidence): AutoDecision => {
  const reason = auto.rollback && trigger(auto.rollback, seen);
  if (reason !== undefined) return seen.readPercent > 0 ? { kind: 'home', reason } : { kind: 'none', reason };
  if (auto.ramp === undefined) return { kind: 'none', reason: 'no ramp' };
  const next = auto.ramp.steps.find((step) => step > seen.readPercent);
  if (next === undefined) return { kind: 'none', reason: 'the last step is reached' };
  if (seen.verdict !== 'promote') return { kind: 'none', reason: `verdict ${seen.verdict}: ${seen.verdictReason}` };
  if (seen.sinceChangeMs < auto.ramp.dwellSeconds * 1000) return { kind: 'none', reason: 'dwelling' };
  return {
    kind: 'raise',
    to: next,
    reason: `verdict promote after ${Math.round(seen.sinceChangeMs / 1000)} s: ${seen.verdictReason}`,
  };
};
