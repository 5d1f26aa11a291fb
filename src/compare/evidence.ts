/**
 * The evidence of a summary, severity by severity, for the route as a whole and for each query shape. Two tests each:
 * is the share beyond its limit (plus the authority's own noise), and does the other side differ more often than the
 * authority differs from itself? Half of alpha is the route's, half is shared by the shapes.
 */
import { overBeginnings, suffixes } from './beginnings.ts';
import {
  logEAbove,
  logEAboveNoise,
  logEBelow,
  logEBelowNoise,
  logEDiscordant,
  type Noise,
  type Trials,
  wilson,
} from './evalue.ts';
import { severityRank } from './findings.ts';
import { judgeLatency, type LatencyJudgement, shapeLatencies } from './latency.ts';
import { addCounters, type Counters, type Summary, totalCounters } from './summary.ts';
import { type Severity, severities } from './types.ts';
import type { VerdictOptions } from './verdict-options.ts';

export type SeverityEvidence = {
  severity: Severity;
  /** Of all comparisons. */
  share: number;
  /** Wilson interval at 99 %, for display. */
  low: number;
  high: number;
  limit: number;
  /** Share of the baseline in which the authority differs from itself; undefined = never measured. */
  noise: number | undefined;
  /** Natural logarithm of the stronger of both e-values; rollback from `logThreshold` on. */
  logE: number;
  logThreshold: number;
  /** Evidence of being within the limit, on the same scale. */
  logEWithin: number;
  isBeyond: boolean;
};
export type ShapeEvidence = {
  shape: string;
  label: string;
  compared: number;
  worst: SeverityEvidence;
  latency: LatencyJudgement;
};

type Test = { severity: Severity; limit: number; rank: number; needsBaseline: boolean };

/** The authority answered well and completely, so a failure of the other side is never noise. */
const withoutNoise = new Set<Severity>(['S0', 'S1', 'S2']);

const testsOf = ({ limits, requireBaseline }: VerdictOptions): Test[] =>
  severities.flatMap((severity) => {
    const limit = limits[severity];
    const needsBaseline = requireBaseline && !withoutNoise.has(severity);
    return limit === null ? [] : [{ severity, limit, rank: severityRank(severity), needsBaseline }];
  });

/** Tests that share the route's half of alpha: two per severity, and two of latency. */
const routeTests = (options: VerdictOptions): number => 2 * (testsOf(options).length + 1);
export const routeThreshold = (options: VerdictOptions): number => Math.log((2 * routeTests(options)) / options.alpha);
/** Members may tell different shapes apart, so that together there are more than each may have. */
const shapeThreshold = (options: VerdictOptions, shapes: number): number =>
  Math.log((2 * routeTests(options) * Math.max(options.maxShapes, shapes)) / options.alpha);

const seenOf = (counters: Counters, { rank }: Test): Trials => ({
  hits: counters.bySeverity[rank]!,
  trials: counters.compared,
});
const baselineOf = (counters: Counters, { rank }: Test): Trials => ({
  hits: counters.baseline[rank]!,
  trials: counters.pairs,
});

const logBeyondLimit = (counters: Counters, test: Test, noise: Noise): number => {
  const seen = seenOf(counters, test);
  if (seen.hits === 0) return 0;
  return test.needsBaseline ? logEAboveNoise(seen, noise, test.limit) : logEAbove(seen, test.limit);
};

/** A real but tiny excess over the noise is no reason to roll back. */
const logBeyondNoise = (counters: Counters, { rank }: Test, minEffect: number): number => {
  const [onlyOther, onlyBaseline] = [counters.onlyOther[rank]!, counters.onlyBaseline[rank]!];
  const isLarge = onlyOther > onlyBaseline && onlyOther - onlyBaseline >= minEffect * counters.pairs;
  return isLarge ? logEDiscordant({ onlyOther, onlyBaseline }) : 0;
};

const logWithinLimit = (counters: Counters, test: Test): number => {
  const seen = seenOf(counters, test);
  return test.needsBaseline
    ? logEBelowNoise(seen, baselineOf(counters, test), test.limit)
    : logEBelow(seen, test.limit);
};

/** `total` = everything of the step; `recent` = its last n windows, for each n, the longest first. */
type Material = { total: Counters; recent: readonly Counters[] };

const logBeyond = ({ total, recent }: Material, test: Test, options: VerdictOptions): number => {
  // Never seen in the whole span, and so in no part of it: what is asked of every shape costs nothing where all is well.
  if (seenOf(total, test).hits === 0 && total.onlyOther[test.rank] === 0) return 0;
  if (test.needsBaseline && total.pairs < options.minPairs) return 0;
  // Noise is a property of the authority: all that is known of it counts, whatever window the samples are from.
  const noise = { baseline: baselineOf(total, test), maxNoise: options.maxNoise };
  const over = (of: (counters: Counters) => number) => overBeginnings(recent.map(of));
  return Math.max(
    over((counters) => logBeyondLimit(counters, test, noise)),
    over((counters) => logBeyondNoise(counters, test, options.minEffect)),
  );
};

type Found = { readonly test: Test; readonly logE: number };

const findBeyond = (material: Material, tests: readonly Test[], options: VerdictOptions): Found[] =>
  tests.map((test) => ({ test, logE: logBeyond(material, test, options) }));

/** Most severities were never seen and share a limit: what is the same for them is worked out once. */
const withinOnce = (total: Counters): ((test: Test) => number) => {
  const known = new Map<string, number>();
  return (test) => {
    const key = [seenOf(total, test).hits, baselineOf(total, test).hits, test.limit, test.needsBaseline].join();
    const logE = known.get(key) ?? logWithinLimit(total, test);
    known.set(key, logE);
    return logE;
  };
};

type Given = { total: Counters; logThreshold: number; within: (test: Test) => number };

const evidenceOf = ({ test, logE }: Found, { total, logThreshold, within }: Given): SeverityEvidence => {
  const seen = seenOf(total, test);
  return {
    severity: test.severity,
    share: seen.trials === 0 ? 0 : seen.hits / seen.trials,
    ...wilson(seen),
    limit: test.limit,
    noise: total.pairs === 0 ? undefined : total.baseline[test.rank]! / total.pairs,
    logE,
    logThreshold,
    logEWithin: within(test),
    isBeyond: logE >= logThreshold,
  };
};

export const routeEvidence = (summary: Summary, options: VerdictOptions): SeverityEvidence[] => {
  const material = { total: totalCounters(summary), recent: suffixes(summary.windows, addCounters) };
  const { total } = material;
  const given = { total, logThreshold: routeThreshold(options), within: withinOnce(total) };
  return findBeyond(material, testsOf(options), options).map((found) => evidenceOf(found, given));
};

/**
 * The most suspicious first, each by its worst severity; of the others nothing is worked out that nobody asks for. A
 * shape's differences are kept over the whole step, without windows; its latencies also for the last minutes.
 */
export const shapeEvidence = (summary: Summary, options: VerdictOptions): ShapeEvidence[] => {
  const tests = testsOf(options);
  const logThreshold = shapeThreshold(options, Object.keys(summary.shapes).length);
  return Object.entries(summary.shapes)
    .flatMap(([shape, seen]) => {
      const { label, counters } = seen;
      const all = findBeyond({ total: counters, recent: [counters] }, tests, options);
      const found = all.toSorted((a, b) => b.logE - a.logE)[0];
      if (found === undefined) return [];
      const worst = evidenceOf(found, { total: counters, logThreshold, within: withinOnce(counters) });
      const latency = judgeLatency(shapeLatencies(seen), { logThreshold, minPairs: options.latency.minPairs });
      return [{ shape, label, compared: counters.compared, worst, latency }];
    })
    .sort((a, b) => b.worst.logE - a.worst.logE);
};
