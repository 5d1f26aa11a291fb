/**
 * What follows from the counters: promote, hold, rollback or inconclusive, with the evidence in numbers. Valid at every
 * look, so it may be asked as often as one likes.
 *   rollback      some severity is surely beyond its limit, or surely worse than the authority's own noise
 *   promote       every severity is surely within its limit, on enough comparisons
 *   inconclusive  neither, after more comparisons than it should take
 *   hold          neither yet, or there is no recent data
 * Alpha is shared out: half to the route as a whole, half to the shapes one by one.
 */
import {
  logEAbove,
  logEAboveNoise,
  logEBelow,
  logEBelowNoise,
  logEDiscordant,
  logMeanExp,
  type Trials,
  wilson,
} from './evalue.ts';
import { severityRank } from './findings.ts';
import { judgeLatency, type LatencyJudgement } from './latency.ts';
import { addCounters, type Counters, emptyCounters, type Summary, totalCounters } from './summary.ts';
import { type Severity, severities, type Verdict } from './types.ts';
import type { VerdictOptions } from './verdict-options.ts';

export type SeverityEvidence = {
  severity: Severity;
  /** Of all comparisons. */
  share: number;
  /** Wilson interval at 99 %, for display. */
  low: number;
  high: number;
  limit: number;
  /** Share at which the authority differs from itself; undefined = never measured. */
  noise: number | undefined;
  /** Natural logarithm of the stronger of both e-values; rollback from `logThreshold` on. */
  logE: number;
  logThreshold: number;
  /** Evidence of being within the limit; promote needs `logPromoteThreshold` for every severity. */
  logEWithin: number;
};
export type ShapeEvidence = {
  shape: string;
  label: string;
  compared: number;
  worst: SeverityEvidence;
  rollback: boolean;
};
export type Judgement = {
  verdict: Verdict;
  reason: string;
  compared: number;
  pairs: number;
  logPromoteThreshold: number;
  severities: readonly SeverityEvidence[];
  /** The most suspicious first. */
  shapes: readonly ShapeEvidence[];
  latency: LatencyJudgement;
};

type Tested = { severity: Severity; limit: number; rank: number; needsBaseline: boolean };

/** The authority answered well and completely, so a failure of the other side is never noise. */
const withoutNoise = new Set<Severity>(['S0', 'S1', 'S2']);

const testedSeverities = ({ limits, requireBaseline }: VerdictOptions): Tested[] =>
  severities.flatMap((severity) => {
    const limit = limits[severity];
    const needsBaseline = requireBaseline && !withoutNoise.has(severity);
    return limit === null ? [] : [{ severity, limit, rank: severityRank(severity), needsBaseline }];
  });

const seenOf = (counters: Counters, rank: number): Trials => ({
  hits: counters.bySeverity[rank]!,
  trials: counters.compared,
});
const noiseOf = (counters: Counters, rank: number): Trials => ({
  hits: counters.baseline[rank]!,
  trials: counters.pairs,
});

const logBeyondLimit = (counters: Counters, { rank, limit, needsBaseline }: Tested): number => {
  const seen = seenOf(counters, rank);
  if (seen.hits === 0) return 0;
  return needsBaseline ? logEAboveNoise(seen, noiseOf(counters, rank), limit) : logEAbove(seen, limit);
};

const logWithinLimit = (counters: Counters, { rank, limit, needsBaseline }: Tested): number =>
  needsBaseline
    ? logEBelowNoise(seenOf(counters, rank), noiseOf(counters, rank), limit)
    : logEBelow(seenOf(counters, rank), limit);

/** A real but tiny excess over the noise is no reason to roll back. */
const logBeyondNoise = (counters: Counters, { rank }: Tested, minEffect: number): number => {
  const [onlyOther, onlyBaseline] = [counters.onlyOther[rank]!, counters.onlyBaseline[rank]!];
  const excess = counters.pairs === 0 ? 0 : (onlyOther - onlyBaseline) / counters.pairs;
  return excess < minEffect || excess === 0 ? 0 : logEDiscordant({ onlyOther, onlyBaseline });
};

/** Counters of the last 1, 2, ... n windows. */
const suffixes = (windows: Summary['windows']): Counters[] => {
  let sum = emptyCounters();
  return windows.toReversed().map(({ counters }) => {
    sum = addCounters(sum, counters);
    return sum;
  });
};

/**
 * A fault may have begun in any window. The mean over all possible beginnings, each with its share of the evidence fixed
 * beforehand, is an e-value too; beginnings yet to come count 1.
 */
const overBeginnings = (logEs: readonly number[], planned: number): number => {
  const slots = Math.max(planned, logEs.length);
  return logMeanExp([...logEs, ...new Array<number>(slots - logEs.length).fill(0)]);
};

const plannedWindows = 12;

type Judged = { total: Counters; logEs: (test: (counters: Counters) => number) => number };

const evidenceOf = (
  { total, logEs }: Judged,
  tested: Tested,
  thresholds: { logThreshold: number; minEffect: number },
): SeverityEvidence => {
  const seen = seenOf(total, tested.rank);
  const interval = wilson(seen);
  const beyondLimit = logEs((counters) => logBeyondLimit(counters, tested));
  const beyondNoise = logEs((counters) => logBeyondNoise(counters, tested, thresholds.minEffect));
  return {
    severity: tested.severity,
    share: seen.trials === 0 ? 0 : seen.hits / seen.trials,
    ...interval,
    limit: tested.limit,
    noise: total.pairs === 0 ? undefined : total.baseline[tested.rank]! / total.pairs,
    logE: Math.max(beyondLimit, beyondNoise),
    logThreshold: thresholds.logThreshold,
    logEWithin: logWithinLimit(total, tested),
  };
};

const routeEvidence = (summary: Summary, options: VerdictOptions): SeverityEvidence[] => {
  const tests = testedSeverities(options);
  const sums = suffixes(summary.windows);
  const logEs = (test: (counters: Counters) => number) => overBeginnings(sums.map(test), plannedWindows);
  // Two tests per severity and one of latency share half of alpha.
  const logThreshold = Math.log((2 * (2 * tests.length + 1)) / options.alpha);
  const judged = { total: totalCounters(summary), logEs };
  return tests.map((tested) => evidenceOf(judged, tested, { logThreshold, minEffect: options.minEffect }));
};

const isBeyond = ({ logE, logThreshold }: SeverityEvidence): boolean => logE >= logThreshold;

const shapeEvidence = (summary: Summary, options: VerdictOptions): ShapeEvidence[] => {
  const tests = testedSeverities(options);
  if (tests.length === 0) return [];
  const logThreshold = Math.log((2 * 2 * tests.length * options.maxShapes) / options.alpha);
  return Object.entries(summary.shapes)
    .map(([shape, { label, counters }]) => {
      const judged = { total: counters, logEs: (test: (of: Counters) => number) => test(counters) };
      const all = tests.map((tested) => evidenceOf(judged, tested, { logThreshold, minEffect: options.minEffect }));
      const worst = all.reduce((a, b) => (b.logE > a.logE ? b : a));
      return { shape, label, compared: counters.compared, worst, rollback: isBeyond(worst) };
    })
    .sort((a, b) => b.worst.logE - a.worst.logE);
};

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

const beyondText = ({ severity, share, limit, noise }: SeverityEvidence): string =>
  `${severity} in ${percent(share)} of comparisons, limit ${percent(limit)}${noise ? `, noise ${percent(noise)}` : ''}`;

type Facts = Omit<Judgement, 'verdict' | 'reason'>;

const rollbackReason = ({ severities: all, shapes, latency }: Facts, options: VerdictOptions): string | undefined => {
  const beyond = all.find(isBeyond);
  if (beyond) return beyondText(beyond);
  const shape = shapes.find(({ rollback }) => rollback);
  if (shape) return `${beyondText(shape.worst)}, in queries of the shape ${shape.label}`;
  return options.latency.rollback && latency.isSlower ? latency.reason : undefined;
};

/** The first thing that still bars promote. */
const barrier = (facts: Facts, options: VerdictOptions): string | undefined => {
  if (facts.compared < options.minSamples) return `${facts.compared} of ${options.minSamples} comparisons`;
  const open = facts.severities.find(({ logEWithin }) => logEWithin < facts.logPromoteThreshold);
  if (open)
    return `${open.severity} in ${percent(open.share)} of comparisons is not yet surely within ${percent(open.limit)}`;
  return facts.latency.isSlower ? facts.latency.reason : undefined;
};

const decide = (facts: Facts, options: VerdictOptions, isStale: boolean): Pick<Judgement, 'verdict' | 'reason'> => {
  const against = rollbackReason(facts, options);
  if (against) return { verdict: 'rollback', reason: against };
  if (isStale) return { verdict: 'hold', reason: 'no recent comparisons' };
  const bar = barrier(facts, options);
  if (bar === undefined) return { verdict: 'promote', reason: `every limit kept over ${facts.compared} comparisons` };
  return { verdict: facts.compared >= options.maxSamples ? 'inconclusive' : 'hold', reason: bar };
};

export const judge = (summary: Summary, options: VerdictOptions, nowMs: number): Judgement => {
  const total = totalCounters(summary);
  const tests = 2 * testedSeverities(options).length + 1;
  const facts: Facts = {
    compared: total.compared,
    pairs: total.pairs,
    logPromoteThreshold: Math.log(1 / options.promoteAlpha),
    severities: routeEvidence(summary, options),
    shapes: shapeEvidence(summary, options),
    latency: judgeLatency(total.latency, {
      logThreshold: Math.log((2 * tests) / options.alpha),
      minPairs: options.latency.minPairs,
    }),
  };
  const isStale = summary.lastAtMs === 0 || nowMs - summary.lastAtMs > options.staleMs;
  return { ...facts, ...decide(facts, options, isStale) };
};
