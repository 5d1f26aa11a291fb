/**
 * How far apart figures may be that are what a cancellation left over: the variance of equal values, a sum of debts and
 * credits, the change between equal buckets. What is left are the lost digits of the figures that cancelled, and these
 * differ with the order of summation. So the floor is a share of those figures, which the answer itself holds.
 */
import { type Json, type JsonObject, member, numberMember, objectMember } from './json-value.ts';
import type { AggregationSpec } from './request.ts';

/** Digits that a sum of doubles may lose, with room for many documents. */
const lost = 1e-12;

const defaultSigma = 2;

/** Sum of the squares, or a bound of it. */
const squaresOf = (stats: JsonObject, count: number): number => {
  const squares = numberMember(stats, 'sum_of_squares');
  if (squares !== undefined) return squares;
  const largest = Math.max(...['min', 'max'].map((name) => Math.abs(numberMember(stats, name) ?? 0)));
  return count * largest ** 2;
};

export type Floors = {
  readonly sum: number;
  readonly avg: number;
  readonly variance: number;
  readonly deviation: number;
};

/** Of `stats` and `extended_stats`; an answer that does not say how many and how large its values are has none. */
export const floorsOf = (stats: JsonObject): Floors => {
  const count = numberMember(stats, 'count') ?? 0;
  if (count <= 0) return { sum: 0, avg: 0, variance: 0, deviation: 0 };
  const squares = squaresOf(stats, count);
  const sum = lost * Math.sqrt(count * squares);
  const variance = (lost * squares) / count;
  return { sum, avg: sum / count, variance, deviation: Math.sqrt(variance) };
};

/** Of the average plus and minus some deviations, which may cancel in turn. `spread` = relative error of the deviation. */
export const boundsFloor = (stats: JsonObject, spec: AggregationSpec | undefined, spread: number): number => {
  const deviation = spread * (numberMember(stats, 'std_deviation') ?? 0) + floorsOf(stats).deviation;
  return (numberMember(spec?.params, 'sigma') ?? defaultSigma) * deviation;
};

/** The aggregations of one bucket of both sides. */
export type Siblings = { readonly authority: JsonObject; readonly other: JsonObject };
type NameOf = (name: string) => string;

const pathsOf = (spec: AggregationSpec | undefined): string[] => {
  const paths = member(spec?.params, 'buckets_path');
  const listed = typeof paths === 'object' && paths !== null ? Object.values(paths) : [paths];
  return listed.filter((path) => typeof path === 'string');
};

const bucketsOf = (aggregation: Json): Json[] => {
  const buckets = member(aggregation, 'buckets');
  return typeof buckets === 'object' && buckets !== null ? Object.values(buckets) : [aggregation];
};

/** A metric's own figures; those of `percentiles` stand one level deeper. */
const figuresOf = (metric: Json): number[] =>
  [metric, objectMember(metric, 'values') ?? {}]
    .flatMap((figures) => Object.entries(figures ?? {}))
    .flatMap(([name, figure]) => (typeof figure === 'number' && name !== 'doc_count' ? [figure] : []));

/** `sum`, `stats.avg`, `percentiles[50]` and, with `>`, aggregations inside of others. */
const figuresAt = (aggregations: Json, [step, ...deeper]: readonly string[], nameOf: NameOf): number[] => {
  if (step === undefined) return figuresOf(aggregations);
  const found = Object.entries(aggregations ?? {}).find(([name]) => isNamed(step, nameOf(name)))?.[1];
  if (found === undefined) return [];
  return deeper.length === 0 ? figuresOf(found) : bucketsOf(found).flatMap((one) => figuresAt(one, deeper, nameOf));
};

const isNamed = (step: string, name: string): boolean =>
  step === name || (step.startsWith(name) && /^[.[]/.test(step.slice(name.length)));

const linearShare = 1e-9;
/** A script may multiply what its sources differ in; it may as well divide them, so their size says nothing. */
const scriptFactor = 10;

/** Of a figure that is computed from other aggregations, named by its `buckets_path`. */
export const derivedFloor = (spec: AggregationSpec | undefined, siblings: Siblings, nameOf: NameOf): number => {
  const figures = (side: JsonObject) => pathsOf(spec).flatMap((path) => figuresAt(side, path.split('>'), nameOf));
  const [a, b] = [figures(siblings.authority), figures(siblings.other)];
  if (spec?.type !== 'bucket_script') return linearShare * largest([...a, ...b]);
  return a.length === b.length ? scriptFactor * largest(a.map((figure, i) => figure - b[i]!)) : 0;
};

const largest = (figures: readonly number[]): number =>
  figures.reduce((most, figure) => Math.max(most, Math.abs(figure)), 0);
