/**
 * What follows from the counters: promote, hold, rollback or inconclusive, with the evidence in numbers. Valid at every
 * look, so it may be asked as often as one likes.
 *   rollback      some severity is surely beyond its limit, or surely worse than the authority's own noise
 *   promote       every severity is surely within its limit, on enough comparisons
 *   inconclusive  neither, after more comparisons than it should take
 *   hold          neither yet, or there is no recent data
 */
import { routeEvidence, routeThreshold, type SeverityEvidence, type ShapeEvidence, shapeEvidence } from './evidence.ts';
import { judgeLatency, type LatencyJudgement, routeLatencies } from './latency.ts';
import { unaskedText } from './load.ts';
import { type Summary, totalCounters } from './summary.ts';
import type { Verdict } from './types.ts';
import { unjudgedText } from './unjudged.ts';
import type { VerdictOptions } from './verdict-options.ts';

export type Judgement = {
  verdict: Verdict;
  /** One sentence with the numbers that decided. */
  reason: string;
  compared: number;
  /** Comparisons for which the authority was asked twice. */
  pairs: number;
  /** `logEWithin` that every severity needs before promote. */
  logPromoteThreshold: number;
  severities: readonly SeverityEvidence[];
  /** The most suspicious first. */
  shapes: readonly ShapeEvidence[];
  latency: LatencyJudgement;
  /** Why the other side has had less to do than the authority, so that its latencies say little; undefined: it has not. */
  spared: string | undefined;
  /** Of which samples too few were judged; undefined: of none. */
  unjudged: string | undefined;
};
type Facts = Omit<Judgement, 'verdict' | 'reason'>;

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** What was well for long and has just become bad is beyond its limit lately only. */
const beyondText = ({ severity, share, limit, noise }: SeverityEvidence): string =>
  `${severity} in ${percent(share)} of comparisons${share < limit ? ' and lately in more' : ''}, limit ${percent(limit)}${noise ? `, noise ${percent(noise)}` : ''}`;

const rollbackReason = ({ severities, shapes, latency }: Facts, options: VerdictOptions): string | undefined => {
  const beyond = severities.find(({ isBeyond }) => isBeyond);
  if (beyond) return beyondText(beyond);
  const shape = shapes.find(({ worst }) => worst.isBeyond);
  if (shape) return `${beyondText(shape.worst)}, in queries of the shape ${shape.label}`;
  if (!options.latency.rollback) return undefined;
  return slowest({ shapes, latency });
};

/** Slower as a whole, or in the queries of one shape. */
const slowest = ({ shapes, latency }: Pick<Facts, 'shapes' | 'latency'>): string | undefined => {
  if (latency.isSlower) return latency.reason;
  const slow = shapes.find((shape) => shape.latency.isSlower);
  return slow && `${slow.latency.reason}, in queries of the shape ${slow.label}`;
};

/** What still bars promote: the weakest link. */
const barrier = (facts: Facts, options: VerdictOptions): string | undefined => {
  if (facts.compared < options.minSamples) return `${facts.compared} of ${options.minSamples} comparisons`;
  const open = facts.severities.toSorted((a, b) => a.logEWithin - b.logEWithin)[0];
  if (open && open.logEWithin < facts.logPromoteThreshold)
    return `${open.severity} in ${percent(open.share)} of comparisons is not yet surely within ${percent(open.limit)}`;
  return slowest(facts) ?? facts.spared ?? facts.unjudged;
};

const decide = (facts: Facts, options: VerdictOptions, isStale: boolean): Pick<Judgement, 'verdict' | 'reason'> => {
  const against = rollbackReason(facts, options);
  if (against) return { verdict: 'rollback', reason: against };
  if (isStale) return { verdict: 'hold', reason: 'no recent comparisons' };
  const bar = barrier(facts, options);
  if (bar === undefined) return { verdict: 'promote', reason: `every limit kept over ${facts.compared} comparisons` };
  return { verdict: facts.compared >= options.maxSamples ? 'inconclusive' : 'hold', reason: bar };
};

/** To judge takes milliseconds from clients; with nothing new a judgement only grows old, and holds for so long. */
export const judgeAgainMs = 10_000;

export const judge = (summary: Summary, options: VerdictOptions, nowMs: number): Judgement => {
  const total = totalCounters(summary);
  const facts: Facts = {
    compared: total.compared,
    pairs: total.pairs,
    logPromoteThreshold: Math.log(1 / options.promoteAlpha),
    severities: routeEvidence(summary, options),
    shapes: shapeEvidence(summary, options),
    latency: judgeLatency(routeLatencies(total.latency, summary.windows), {
      logThreshold: routeThreshold(options),
      minPairs: options.latency.minPairs,
    }),
    spared: unaskedText(summary.windows, options),
    unjudged: unjudgedText(summary, options),
  };
  const isStale = summary.lastAtMs === 0 || nowMs - summary.lastAtMs > options.staleMs;
  return { ...facts, ...decide(facts, options, isStale) };
};
