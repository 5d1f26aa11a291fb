/**
 * Compares single values: sums and averages differ in their last digits by the order of summation (floors.ts), cardinality and
 * percentiles by the error of their sketches; the least and the largest value and counts are those of documents, and exact. A percentile is judged by rank, not by value: the value may lie where the
 * authority's own curve has the neighbouring percentage, since that is what its sketch guarantees.
 */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { boundsFloor, floorsOf } from './floors.ts';
import { isNear, type Json, type JsonObject, member, numberMember, objectMember, sameValue } from './json-value.ts';
import type { AggregationSpec } from './request.ts';
import { diffTree, type Tolerance } from './tree-diff.ts';

type Pair = {
  readonly authority: JsonObject;
  readonly other: JsonObject;
  readonly spec: AggregationSpec | undefined;
  /** How far figures may differ whatever their size. */
  readonly floor?: number | undefined;
};

const formattedSuffix = '_as_string';
/** The formatted twin of a number says nothing more than the number, unless the numbers are the same: then the formats differ. */
const isFormatted = (name: string, a: JsonObject, b: JsonObject): boolean => {
  if (!name.endsWith(formattedSuffix)) return false;
  const number = name.slice(0, -formattedSuffix.length);
  const [first, second] = [member(a, number), member(b, number)];
  return first !== undefined && second !== undefined && !sameValue(first, second);
};
/** Differences of large squares: what is left after cancellation has few good digits. */
const spreadTolerance = 1e-4;

const floorIn = (name: string, stats: JsonObject, spec: AggregationSpec | undefined): number => {
  if (name === 'std_deviation_bounds') return boundsFloor(stats, spec, spreadTolerance);
  const { sum, avg, variance, deviation } = floorsOf(stats);
  if (name === 'sum' || name === 'avg') return name === 'sum' ? sum : avg;
  return name.startsWith('variance') ? variance : deviation;
};

const toleranceIn = (name: string, { authority, spec, floor = 0 }: Pair): Tolerance | undefined => {
  const isSpread = /^(variance|std_)/.test(name);
  if (!isSpread && name !== 'sum' && name !== 'avg') return undefined;
  const absolute = Math.max(floor, floorIn(name, authority, spec));
  return isSpread ? { relative: spreadTolerance, absolute } : { absolute };
};

const ofDocuments: ReadonlySet<string> = new Set(['min', 'max', 'count', 'doc_count', 'value_count']);
/** A scaled number may be multiplied in one place and divided in another; dates and counts are whole numbers. */
const decoding = 1e-12;

/** A figure that some document holds, or a count of documents: no order of summation moves it. */
const isExact = (name: string, { authority, spec }: Pair): boolean =>
  name === 'value' ? ofDocuments.has(spec?.type ?? '') : ofDocuments.has(name) && !isContainer(authority['value']);

/** What a script made of its metric, under whatever names. */
const isContainer = (value: Json | undefined): boolean => typeof value === 'object' && value !== null;

const exactIn = (name: string, pair: Pair): Tolerance | undefined => {
  if (!isExact(name, pair)) return undefined;
  const isWhole = [pair.authority, pair.other].every((figures) => Number.isInteger(numberMember(figures, name)));
  return { relative: isWhole ? 0 : decoding, absolute: 0 };
};

/** Sums without any figure that says how large their parts are. */
const plainSums = new Set(['sum', 'avg', 'weighted_avg']);

const cancelledIn = (name: string, { spec }: Pair, absolute: number): Tolerance | undefined =>
  name === 'value' && (spec === undefined || plainSums.has(spec.type)) ? { absolute } : undefined;

const compareFigures = (
  context: Context,
  path: Path,
  pair: Pair,
  tolerances: (name: string) => Tolerance | undefined,
): void =>
  diffTree(context, path, pair.authority, pair.other, {
    severity: 'S6',
    relative: context.rules.profile.aggregations.relative,
    absolute: pair.floor,
    toleranceIn: tolerances,
    skip: (name, a, b) => name === 'meta' || isFormatted(name, a, b),
  });

export const compareMetric = (context: Context, path: Path, pair: Pair): void => {
  const { absolute } = context.rules.profile.aggregations;
  compareFigures(
    context,
    path,
    pair,
    (name) => exactIn(name, pair) ?? toleranceIn(name, pair) ?? cancelledIn(name, pair, absolute),
  );
};

/** The least of several sums is a sum. */
export const compareDerived = (context: Context, path: Path, pair: Pair): void =>
  compareFigures(context, path, pair, (name) => toleranceIn(name, pair));

const defaultPrecisionThreshold = 3000;

export const compareCardinality = (context: Context, path: Path, { authority, other, spec }: Pair): void => {
  const [a, b] = [numberMember(authority, 'value'), numberMember(other, 'value')];
  if (a === undefined || b === undefined) {
    diffTree(context, path, authority, other, { severity: 'S6' });
    return;
  }
  const { cardinality, cardinalityExact } = context.rules.profile.aggregations;
  const threshold = numberMember(spec?.params, 'precision_threshold') ?? defaultPrecisionThreshold;
  const tolerance = Math.max(a, b) <= threshold ? cardinalityExact : cardinality;
  const severity = isNear(a, b, tolerance) ? 'S9' : 'S6';
  if (a !== b)
    report(context, {
      severity: severity,
      kind: 'metric',
      path: child(path, 'value'),
      authority: a,
      other: b,
    });
};

type Point = { rank: number; value: number };
type Curve = readonly Point[];

const point = (rank: Json | undefined, value: Json | undefined): Point[] =>
  typeof value === 'number' && Number.isFinite(Number(rank)) ? [{ rank: Number(rank), value }] : [];

/** `values` is an object by percentage or, with `keyed: false`, a list of key and value. */
const curveOf = (aggregation: JsonObject): Curve => {
  const values = member(aggregation, 'values');
  const points = Array.isArray(values)
    ? values.flatMap((entry) => point(member(entry, 'key'), member(entry, 'value')))
    : Object.entries(objectMember(aggregation, 'values') ?? {}).flatMap(([key, value]) => point(key, value));
  return points.sort((a, b) => a.rank - b.rank);
};

/** Value of the curve at a rank, by linear interpolation; flat beyond both ends. */
const valueAtRank = (curve: Curve, rank: number): number => {
  const after = curve.findIndex((entry) => entry.rank >= rank);
  if (after <= 0) return curve.at(after)!.value;
  const [low, high] = [curve[after - 1]!, curve[after]!];
  return low.value + ((high.value - low.value) * (rank - low.rank)) / (high.rank - low.rank);
};

const isOnCurve = (curve: Curve, { rank, value }: Point, tolerance: { rank: number; value: number }): boolean => {
  const own = valueAtRank(curve, rank);
  if (isNear(own, value, tolerance.value)) return true;
  const slack = tolerance.value * Math.abs(own);
  const [low, high] = [valueAtRank(curve, rank - tolerance.rank), valueAtRank(curve, rank + tolerance.rank)];
  return value >= low - slack && value <= high + slack;
};

/** One point alone says nothing of how steep the curve is there. */
const loneFactor = 5;

type Curves = { authority: Curve; other: Curve };

const comparePoints = (context: Context, path: Path, curves: Curves, isOfPercents: boolean): void => {
  const { percentileRank, percentileValue } = context.rules.profile.aggregations;
  const value = curves.authority.length > 1 ? percentileValue : loneFactor * percentileValue;
  const tolerance = { rank: percentileRank, value };
  curves.authority.forEach((a, i) => {
    const b = curves.other[i]!;
    if (a.value === b.value) return;
    const near = isOnCurve(curves.authority, b, tolerance) || isOnCurve(curves.other, a, tolerance);
    const at = child(path, isOfPercents ? String(a.rank) : { key: String(a.rank) });
    report(context, {
      severity: near ? 'S9' : 'S6',
      kind: 'metric',
      path: at,
      authority: a.value,
      other: b.value,
    });
  });
};

/** For percentile_ranks the keys are values and the values percentages. */
const compareRanks = (context: Context, path: Path, curves: Curves): void => {
  const { percentileRank } = context.rules.profile.aggregations;
  curves.authority.forEach((a, i) => {
    const b = curves.other[i]!;
    if (a.value === b.value) return;
    const severity = isNear(a.value, b.value, 0, percentileRank) ? 'S9' : 'S6';
    report(context, {
      severity: severity,
      kind: 'metric',
      path: child(path, { key: String(a.rank) }),
      authority: a.value,
      other: b.value,
    });
  });
};

/** The values that ranks are asked of are the client's own, and must not stand in a path as names. */
const compareUnlike = (context: Context, path: Path, { authority, other }: Pair, isOfPercents: boolean): void => {
  const isWhole = (name: string) => name === 'values' && !isOfPercents;
  const skip = (name: string, a: JsonObject, b: JsonObject) => isFormatted(name, a, b) || isWhole(name);
  const relative = context.rules.profile.aggregations.percentileValue;
  diffTree(context, path, authority, other, { severity: 'S6', relative, skip });
  const [a, b] = [member(authority, 'values'), member(other, 'values')];
  if (isOfPercents || a === b || (a !== undefined && b !== undefined && sameValue(a, b))) return;
  report(context, { severity: 'S6', kind: 'value', path: child(path, 'values'), authority: a, other: b });
};

export const comparePercentiles = (context: Context, path: Path, pair: Pair): void => {
  const { authority, other, spec } = pair;
  const curves = { authority: curveOf(authority), other: curveOf(other) };
  const isAlike =
    curves.authority.length === curves.other.length &&
    curves.authority.every(({ rank }, i) => rank === curves.other[i]!.rank);
  const at = child(path, 'values');
  const isOfPercents = spec?.type === 'percentiles';
  if (!isAlike || curves.authority.length === 0) compareUnlike(context, path, pair, isOfPercents);
  else if (spec?.type === 'percentile_ranks') compareRanks(context, at, curves);
  else comparePoints(context, at, curves, isOfPercents);
};
