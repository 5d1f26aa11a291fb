/**
 * Is the other side slower? Judged on pairs of the same request, so that heavy and light requests do not mix: by the
 * sign (is more than half of the pairs beyond the tolerated ratio?), which no single outlier can sway, and by the
 * requests that only one side answers slowly, which is what a user of the slow tail notices.
 */
import { logEAbove, logEDiscordant } from './evalue.ts';
import { type LatencyCounters, ratioBounds } from './summary.ts';

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

const reasonOf = (latency: LatencyCounters, isSlower: boolean): string => {
  if (!isSlower) return `not slower in ${latency.pairs} pairs`;
  return `slower beyond the tolerated ratio in ${latency.slower} of ${latency.pairs} pairs; slow there only: ${latency.onlyOtherSlow}, slow at the authority only: ${latency.onlyAuthoritySlow}`;
};

export const judgeLatency = (
  latency: LatencyCounters,
  rules: { logThreshold: number; minPairs: number },
): LatencyJudgement => {
  const typical = latency.pairs === 0 ? 0 : logEAbove({ hits: latency.slower, trials: latency.pairs }, 0.5);
  const tail =
    latency.onlyOtherSlow > latency.onlyAuthoritySlow
      ? logEDiscordant({ onlyOther: latency.onlyOtherSlow, onlyBaseline: latency.onlyAuthoritySlow })
      : 0;
  const logE = Math.max(typical, tail);
  const isSlower = latency.pairs >= rules.minPairs && logE >= rules.logThreshold;
  return {
    pairs: latency.pairs,
    medianRatio: medianRatio(latency),
    logE,
    verdict: latency.pairs < rules.minPairs ? 'too_few' : isSlower ? 'slower' : 'not_slower',
    isSlower,
    reason: reasonOf(latency, isSlower),
  };
};
