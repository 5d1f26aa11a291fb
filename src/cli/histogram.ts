/** Pauses of switches as a small histogram: how many were how long, by limits that a client's timeout is compared with. */
import { milliseconds } from './format.ts';

const limitsMs = [50, 100, 250, 500, 1000, 2000, 5000];
const longestBar = 12;

export type Bucket = { label: string; count: number };

/** Buckets that hold something, shortest first. */
const pauseBuckets = (pausesMs: readonly number[]): Bucket[] => {
  const limits = [...limitsMs, Number.POSITIVE_INFINITY];
  const indexOf = (ms: number) => limits.findIndex((limit) => ms <= limit);
  return limits
    .map((limit, i) => ({
      label: limit === Number.POSITIVE_INFINITY ? `> ${milliseconds(limits[i - 1] ?? 0)}` : `≤ ${milliseconds(limit)}`,
      count: pausesMs.filter((ms) => indexOf(ms) === i).length,
    }))
    .filter(({ count }) => count > 0);
};

/** `bars` for terminals; else figures alone. */
export const histogramText = (pausesMs: readonly number[], bars: boolean): string => {
  const buckets = pauseBuckets(pausesMs);
  const most = Math.max(1, ...buckets.map(({ count }) => count));
  const drawn = (count: number) => (bars ? `${'▇'.repeat(Math.ceil((count / most) * longestBar))} ` : '');
  return buckets.map(({ label, count }) => `${label} ${drawn(count)}${count}`).join('  ');
};
