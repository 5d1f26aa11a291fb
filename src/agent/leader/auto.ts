/**
 * What the `auto` block of a route does by itself: raise the share of reads step by step while the fleet's verdict is
 * promote, and bring all reads home when a limit is passed. Each limit is off unless given; bringing reads home is never
 * blocked by dwell or by missing data. Shares that are measured on samples count only once they are surely beyond their
 * limit, at the verdict's alpha. After reads came home the ramp waits twice as long each time. Pure: the leader gathers
 * the evidence, writes the percentage and the audit entry.
 */
import { overBeginnings, suffixes } from '../../compare/beginnings.ts';
import { logEAbove, type Trials } from '../../compare/evalue.ts';
import { severityRank } from '../../compare/findings.ts';
import {
  addLatency,
  type Counters,
  defaultTallyOptions,
  type LatencyCounters,
  ratioBounds,
  type ShapeSummary,
} from '../../compare/summary.ts';
import type { Severity, Verdict } from '../../compare/types.ts';
import type { AutoSettings } from '../../coordination/route-spec.ts';

export type AutoEvidence = {
  readPercent: number;
  /** Since pct.read was last changed, by anyone, or the evidence began anew. */
  sinceChangeMs: number;
  /** How often reads were brought home by this file, since somebody else changed the share. */
  homes: number;
  verdict: Verdict;
  verdictReason: string;
  /** Counters of the last n windows, the longest first: a long good past must not hide a new fault. */
  recent: readonly Counters[];
  shapes: readonly ShapeSummary[];
  /** Worst severity whose evidence passed its limit. */
  severity: Severity | undefined;
  lagSeconds: number | undefined;
  quarantined: number;
  /** Why no more reads may leave for now, whatever the verdict; bringing them home asks for no leave. */
  barrier: string | undefined;
  /** Chance of acting on a share that keeps its limit. */
  alpha: number;
};
export type AutoDecision =
  { kind: 'none'; reason: string } | { kind: 'raise'; to: number; reason: string } | { kind: 'home'; reason: string };

type Limits = NonNullable<AutoSettings['rollback']>;

const percentText = ({ hits, trials }: Trials): string => ((100 * hits) / trials).toFixed(2);

/** The span that shows most, when the evidence over all spans is enough. A limit of nothing is passed by the first one. */
const surelyAbove = (spans: readonly Trials[], share: number, alpha: number): Trials | undefined => {
  const logEs = spans.map((seen) =>
    seen.hits === 0 ? 0 : share <= 0 ? Number.POSITIVE_INFINITY : logEAbove(seen, share),
  );
  if (overBeginnings(logEs) < Math.log(1 / alpha)) return undefined;
  return spans[logEs.indexOf(Math.max(...logEs))];
};

/** Comparisons in which the follower failed or answered with another status. */
const failures = ({ compared, bySeverity }: Counters): Trials => ({
  hits: bySeverity[severityRank('S0')]! + bySeverity[severityRank('S1')]!,
  trials: compared,
});

const errorRate = ({ errorRatePercent }: Limits, { recent, alpha }: AutoEvidence): string | undefined => {
  if (errorRatePercent === undefined) return undefined;
  const seen = surelyAbove(recent.map(failures), errorRatePercent / 100, alpha);
  return (
    seen &&
    `the follower failed in ${percentText(seen)} % of ${seen.trials} comparisons, more than ${errorRatePercent} %`
  );
};

/** Pairs surely beyond a ratio: the histogram's buckets that begin at or above it. */
const slowerThan =
  (ratio: number) =>
  ({ pairs, ratios }: LatencyCounters): Trials => ({
    hits: ratios.reduce((sum, count, i) => sum + ((ratioBounds[i - 1] ?? 0) >= ratio ? count : 0), 0),
    trials: pairs,
  });

/** Each member tells so many apart, and they are planned for; members may tell different ones. */
const { maxShapes } = defaultTallyOptions;

/** `spans`: the whole step, and its last n windows for each n, the longest first. */
type SlowShape = { readonly label: string; readonly spans: readonly Trials[] };

const hitsOf = ({ spans }: SlowShape): number => spans[0]?.hits ?? 0;

/** With most slow pairs first. */
const shapesBySlowness = ({ shapes }: AutoEvidence, slower: (latency: LatencyCounters) => Trials): SlowShape[] =>
  shapes
    .map(({ label, counters, lately }) => ({
      label,
      spans: [counters.latency, ...suffixes(lately, addLatency).slice(1)].map(slower),
    }))
    .filter((shape) => hitsOf(shape) > 0)
    .sort((a, b) => hitsOf(b) - hitsOf(a));

const shapeText = (label: string | undefined, isOneOfMany: boolean): string =>
  label === undefined ? '' : `${isOneOfMany ? ', most of all' : ''} in queries of the shape ${label}`;

/** The first shape that is surely slower, and the span that shows it. */
const slowShape = (shapes: readonly SlowShape[], alpha: number): { label: string; seen: Trials } | undefined => {
  for (const { label, spans } of shapes) {
    const seen = surelyAbove(spans, 0.5, alpha);
    if (seen !== undefined) return { label, seen };
  }
  return undefined;
};

/**
 * Slower in more than half of the pairs, so that no single slow answer decides; in all queries together or in those of one
 * shape. Half of alpha is for each, and the shapes share theirs.
 */
const latencyWorse = ({ latencyWorsePercent }: Limits, evidence: AutoEvidence): string | undefined => {
  if (latencyWorsePercent === undefined) return undefined;
  const { recent, shapes, alpha } = evidence;
  const slower = slowerThan(1 + latencyWorsePercent / 100);
  const bySlowness = shapesBySlowness(evidence, slower);
  const whole = surelyAbove(
    recent.map(({ latency }) => slower(latency)),
    0.5,
    alpha / 2,
  );
  const slow = slowShape(bySlowness, alpha / 2 / Math.max(maxShapes, shapes.length));
  const seen = whole ?? slow?.seen;
  return (
    seen &&
    `latency: answers are more than ${latencyWorsePercent} % slower in ${percentText(seen)} % of ${seen.trials} pairs${shapeText(slow?.label ?? bySlowness[0]?.label, whole !== undefined)}`
  );
};

const over = (value: number | undefined, limit: number | undefined): boolean =>
  value !== undefined && limit !== undefined && value > limit;

/** The first limit that is passed, in the order of gravity. */
const trigger = (limits: Limits, seen: AutoEvidence): string | undefined => {
  const failing = errorRate(limits, seen);
  if (failing !== undefined) return failing;
  if (limits.severity !== undefined && seen.severity !== undefined && seen.severity <= limits.severity)
    return `mismatches of severity ${seen.severity}: ${seen.verdictReason}`;
  const slow = latencyWorse(limits, seen);
  if (slow !== undefined) return slow;
  if (over(seen.lagSeconds, limits.lagSeconds)) return `the follower lags ${seen.lagSeconds?.toFixed(1)} s behind`;
  if (over(seen.quarantined, limits.quarantined)) return `${seen.quarantined} copies are in quarantine`;
  return undefined;
};

/** The lowest step above the present share, in whatever order they stand; a percentage has three decimals. */
const nextStep = ({ steps }: NonNullable<AutoSettings['ramp']>, readPercent: number): number | undefined =>
  steps
    .map((step) => Math.round(step * 1000) / 1000)
    .filter((step) => step > readPercent)
    .sort((a, b) => a - b)[0];

const maxDoublings = 6;

const dwellMs = ({ dwellSeconds }: NonNullable<AutoSettings['ramp']>, homes: number): number =>
  dwellSeconds * 1000 * 2 ** Math.min(homes, maxDoublings);

export const decideAuto = (auto: AutoSettings, seen: AutoEvidence): AutoDecision => {
  const reason = auto.rollback && trigger(auto.rollback, seen);
  if (reason !== undefined) return seen.readPercent > 0 ? { kind: 'home', reason } : { kind: 'none', reason };
  if (auto.ramp === undefined) return { kind: 'none', reason: 'no ramp' };
  const next = nextStep(auto.ramp, seen.readPercent);
  if (next === undefined) return { kind: 'none', reason: 'the last step is reached' };
  if (seen.barrier !== undefined) return { kind: 'none', reason: seen.barrier };
  if (seen.verdict !== 'promote') return { kind: 'none', reason: `verdict ${seen.verdict}: ${seen.verdictReason}` };
  if (seen.sinceChangeMs < dwellMs(auto.ramp, seen.homes)) return { kind: 'none', reason: 'dwelling' };
  return {
    kind: 'raise',
    to: next,
    reason: `verdict promote after ${Math.round(seen.sinceChangeMs / 1000)} s: ${seen.verdictReason}`,
  };
};
