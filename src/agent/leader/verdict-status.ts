/** The fleet's judgement as it stands in the leader's report. Pure. E-values are cut where JSON could not hold them. */
import type { SeverityEvidence, ShapeEvidence } from '../../compare/evidence.ts';
import type { LatencyJudgement } from '../../compare/latency.ts';
import type { Judgement } from '../../compare/verdict.ts';
import type { VerdictStatus } from '../../coordination/job-status.ts';

const largest = 1e12;
const maxShapes = 10;

const valueOf = (log: number): number => {
  const value = Math.min(largest, Math.exp(log));
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
};
const share = (value: number): number => Number(value.toPrecision(4));

const evidence = (one: SeverityEvidence): VerdictStatus['eValues'][number] => ({
  severity: one.severity,
  value: valueOf(one.logE),
  limit: valueOf(one.logThreshold),
  share: share(one.share),
  low: share(one.low),
  high: share(one.high),
  tolerated: one.limit,
  ...(one.noise === undefined ? {} : { noise: share(one.noise) }),
});

/** Nothing slower than the last bound of the histogram can be told apart; JSON has no infinity. */
const latency = ({ verdict, pairs, medianRatio, reason }: LatencyJudgement): NonNullable<VerdictStatus['latency']> => ({
  verdict,
  pairs,
  reason,
  ...(medianRatio === undefined || !Number.isFinite(medianRatio) ? {} : { medianRatio }),
});

const shape = (one: ShapeEvidence): VerdictStatus['perShape'][number] => ({
  shape: one.shape,
  label: one.label,
  samples: one.compared,
  ...evidence(one.worst),
  latency: latency(one.latency),
});

/** The most suspicious shapes only; the counters of all are in the members' records. */
export const verdictStatus = (judgement: Judgement, members: number): VerdictStatus => ({
  verdict: judgement.verdict,
  reason: judgement.reason,
  samples: judgement.compared,
  pairs: judgement.pairs,
  members,
  eValues: judgement.severities.map(evidence),
  perShape: judgement.shapes.slice(0, maxShapes).map(shape),
  latency: latency(judgement.latency),
});
