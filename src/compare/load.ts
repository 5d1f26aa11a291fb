/**
 * Had the other side as much to do as the authority? Samples that find no place in the queue are not asked there: it is
 * spared just when it is slow, and what is compared are its quicker answers. Such evidence may speak against it, but not
 * for it. The whole step counts, and its latest samples too.
 */
import { suffixes } from './beginnings.ts';
import { addCounters, type Counters, type Summary } from './summary.ts';
import type { VerdictOptions } from './verdict-options.ts';

const drawn = ({ compared, unasked }: Counters): number => compared + unasked;
const share = (counters: Counters): number => (drawn(counters) === 0 ? 0 : counters.unasked / drawn(counters));

/** The whole, and the shortest end of it that says something. */
export const spansOf = (
  windows: Summary['windows'],
  minSamples: number,
  sizeOf: (span: Counters) => number,
): Counters[] => {
  const spans = suffixes(windows, addCounters);
  const latest = spans.findLast((span) => sizeOf(span) >= minSamples);
  return [...spans.slice(0, 1), ...(latest === undefined ? [] : [latest])];
};

export const unaskedText = (
  windows: Summary['windows'],
  { minSamples, maxUnasked }: Pick<VerdictOptions, 'minSamples' | 'maxUnasked'>,
): string | undefined => {
  const [most] = spansOf(windows, minSamples, drawn).toSorted((a, b) => share(b) - share(a));
  if (most === undefined || share(most) <= maxUnasked) return undefined;
  return `${(100 * share(most)).toFixed(0)} % of ${drawn(most)} samples were skipped as queue_full, so the other side has less to do than the authority`;
};
