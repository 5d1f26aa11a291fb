/**
 * Was every kind of query judged? A mismatch that only documents under way explain says nothing (`unstable`), and may hide a
 * fault behind it: where many samples of the route, or of a frequent shape, end so, the rest cannot speak for them.
 */
import { spansOf } from './load.ts';
import type { Counters, Summary } from './summary.ts';
import type { VerdictOptions } from './verdict-options.ts';

const seen = ({ compared, unstable }: Counters): number => compared + unstable;
const share = (counters: Counters): number => (seen(counters) === 0 ? 0 : counters.unstable / seen(counters));

/** Of as many samples as a verdict needs, a tenth is a kind of query that clients would miss. */
const frequentShare = 0.1;

type Part = { readonly counters: Counters; readonly of: string };

const partsOf = ({ windows, shapes }: Summary, minSamples: number): Part[] => [
  ...spansOf(windows, minSamples, seen).map((counters) => ({ counters, of: 'samples' })),
  ...Object.values(shapes)
    .filter(({ counters }) => seen(counters) >= frequentShare * minSamples)
    .map(({ label, counters }) => ({ counters, of: `samples of the shape ${label}` })),
];

export const unjudgedText = (
  summary: Summary,
  { minSamples, maxUnstable }: Pick<VerdictOptions, 'minSamples' | 'maxUnstable'>,
): string | undefined => {
  const [most] = partsOf(summary, minSamples).toSorted((a, b) => share(b.counters) - share(a.counters));
  if (most === undefined || share(most.counters) <= maxUnstable) return undefined;
  return `${(100 * share(most.counters)).toFixed(0)} % of ${seen(most.counters)} ${most.of} were skipped as unstable, so what they ask was not judged`;
};
