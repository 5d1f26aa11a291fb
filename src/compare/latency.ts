/**
 * Is the other side slower? Judged on pairs of the same request, so that heavy and light requests do not mix: by the
 * sign (is more than half of the pairs beyond the tolerated ratio?), which no single outlier can sway, and by the
 * requests that only one side answers slowly, which is what a user of the slow tail notices. The whole step is judged and
 * its last minutes too, so that a side which turns slow after good hours is called so within minutes.
 */
import { overBeginnings, suffixes } from './beginnings.ts';
import { logEAbove, logEDiscordant } from './evalue.ts';
import { addLatency, type LatencyCounters, ratioBounds, type ShapeSummary, type Summary } from './summary.ts';

/** Of the whole step, and of its last n windows for each n, the longest first. */
export type Latencies = { whole: LatencyCounters; later: readonly LatencyCounters[] };

export const routeLatencies = (whole: LatencyCounters, windows: Summary['windows']): Latencies => {
  const lately = windows.map(({ slot, counters }) => ({ slot, counters: counters.latency }));
  return { whole, later: suffixes(lately, addLatency).slice(1) };
};

export const shapeLatencies = ({ counters, lately }: Omit<ShapeSummary, 'label'>): Latencies => ({
  whole: counters.latency,
  later: suffixes(lately, addLatency).slice(1),
});

export type LatencyJudgement = {
  pairs: number;
  /** Middle ratio of other to authority, as the upper bound of its histogram bucket; undefined without pairs. */
  medianRatio: number | undefined;
  logE: number;
  verdict: 'slower' | 'not_slower' | 'too_few';
  isSlower: boolean;
  reason: string;
};

const medianRatio = ({ pairs, ratios }: LatencyCounters): number | undefined => {
  let seen = 0;
  const bucket = ratios.findIndex((count) => {
    seen += count;
    return 2 * seen >= pairs;
  });
  return pairs === 0 ? undefined : (ratioBounds[bucket] ?? Number.POSITIVE_INFINITY);
};

const logTypical = ({ pairs, slower }: LatencyCounters): number =>
  pairs === 0 ? 0 : logEAbove({ hits: slower, trials: pairs }, 0.5);

const logTail = ({ onlyOtherSlow, onlyAuthoritySlow }: LatencyCounters): number =>
  onlyOtherSlow > onlyAuthoritySlow ? logEDiscordant({ onlyOther: onlyOtherSlow, onlyBaseline: onlyAuthoritySlow }) : 0;

type Found = { logE: number; strongest: number };

const overAll = (spans: readonly LatencyCounters[], of: (span: LatencyCounters) => number): Found => {
  const logEs = spans.map(of);
  return { logE: overBeginnings(logEs), strongest: logEs.indexOf(Math.max(...logEs)) };
};

/** With the figures of the span that shows most. */
const slowerText = (spans: readonly LatencyCounters[], { strongest }: Found): string => {
  const { slower, pairs, onlyOtherSlow, onlyAuthoritySlow } = spans[strongest] as LatencyCounters;
  const when = strongest === 0 ? '' : ' lately';
  return `slower beyond the tolerated ratio in ${slower} of ${pairs} pairs${when}; slow there only: ${onlyOtherSlow}, slow at the authority only: ${onlyAuthoritySlow}`;
};

export const judgeLatency = (
  { whole, later }: Latencies,
  rules: { logThreshold: number; minPairs: number },
): LatencyJudgement => {
  const { pairs } = whole;
  const spans = [whole, ...later];
  const [typical, tail] = [overAll(spans, logTypical), overAll(spans, logTail)];
  const found = tail.logE > typical.logE ? tail : typical;
  const isSlower = pairs >= rules.minPairs && found.logE >= rules.logThreshold;
  return {
    pairs,
    medianRatio: medianRatio(whole),
    logE: found.logE,
    verdict: pairs < rules.minPairs ? 'too_few' : isSlower ? 'slower' : 'not_slower',
    isSlower,
    reason: isSlower ? slowerText(spans, found) : `not slower in ${pairs} pairs`,
  };
};
