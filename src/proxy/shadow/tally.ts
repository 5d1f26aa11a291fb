/**
 * Counts what became of each sample of a route. Invariant, checked on each step: sampled = compared + skipped + under way;
 * a sample is settled once, and what is settled twice counts the first time only.
 */
import type { Severity } from '../../compare/types.ts';
import type { ShadowSkip } from './ports.ts';

export type ShadowCounts = {
  readonly sampled: number;
  readonly compared: number;
  /** Compared and not equal, cosmetic differences left out. */
  readonly mismatched: number;
  readonly skipped: Readonly<Partial<Record<ShadowSkip, number>>>;
  readonly underWay: number;
};

export const noCounts: ShadowCounts = { sampled: 0, compared: 0, mismatched: 0, skipped: {}, underWay: 0 };

export const countSampled = (counts: ShadowCounts): ShadowCounts => ({
  ...counts,
  sampled: counts.sampled + 1,
  underWay: counts.underWay + 1,
});

export const countCompared = (counts: ShadowCounts, severity: Severity | 'none'): ShadowCounts => ({
  ...counts,
  compared: counts.compared + 1,
  mismatched: counts.mismatched + (severity === 'none' || severity === 'S9' ? 0 : 1),
  underWay: counts.underWay - 1,
});

export const countSkipped = (counts: ShadowCounts, reason: ShadowSkip): ShadowCounts => ({
  ...counts,
  skipped: { ...counts.skipped, [reason]: (counts.skipped[reason] ?? 0) + 1 },
  underWay: counts.underWay - 1,
});

export const totalSkipped = ({ skipped }: ShadowCounts): number =>
  Object.values(skipped).reduce((sum, count) => sum + count, 0);

export const isBalanced = (counts: ShadowCounts): boolean =>
  counts.underWay >= 0 && counts.sampled === counts.compared + totalSkipped(counts) + counts.underWay;
