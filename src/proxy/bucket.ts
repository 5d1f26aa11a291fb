/**
 * Chance in the data plane: the sticky buckets that all rooms share, and the draw for requests that have no key.
 */
import { bucketCount, bucketOf, isInShare } from '../coordination/bucket.ts';

export { bucketCount as buckets, bucketOf, isInShare as isSelected };

/** Draws for one request. `random` gives numbers in [0, 1). */
export const sampled = (random: () => number, percent: number): boolean =>
  percent > 0 && isInShare(Math.floor(random() * bucketCount), percent);
