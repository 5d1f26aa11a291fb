/**
 * Compares lists of buckets by key; by position only those of anonymous filters, which have none. Buckets that every shard computes in full must be equal. Top
 * buckets are merged from each shard's own top list: a count may be short by up to the reported error bound, and a bucket
 * may be missing from one side when its count lies below what that side's list is cut at.
 */
import type { AggregationPair, IsApproximate } from './aggregation-kinds.ts';
import { type Context, report, softened } from './context.ts';
import { child, type Path } from './findings.ts';
import { canonicalText, isObject, type Json, type JsonObject, member, numberMember, sameValue } from './json-value.ts';
import { diffOptional, diffTree } from './tree-diff.ts';
import type { PathSegment } from './types.ts';

type Inside = (context: Context, path: Path, pair: AggregationPair) => IsApproximate;
type Bucket = {
  readonly key: string;
  readonly segment: PathSegment;
  readonly value: JsonObject;
  readonly count: number;
};

/** An aggregation inside the bucket may have the name of an edge. */
const edgeOf = (bucket: JsonObject, name: 'from' | 'to'): Json | undefined => {
  const edge = member(bucket, name);
  return isObject(edge) ? undefined : edge;
};

/** Undefined for anonymous filters: only their position tells them apart. */
const keyOf = (bucket: JsonObject): string | undefined => {
  const [key, from, to] = [member(bucket, 'key'), edgeOf(bucket, 'from'), edgeOf(bucket, 'to')];
  if (key !== undefined) return canonicalText(key);
  return from === undefined && to === undefined ? undefined : canonicalText([from ?? null, to ?? null]);
};

const bucketOf = (value: JsonObject, key: string, segment: PathSegment): Bucket => ({
  key,
  segment,
  value,
  count: numberMember(value, 'doc_count') ?? 0,
});

const listed = (value: JsonObject, position: number): Bucket => {
  const key = keyOf(value);
  if (key === undefined) return bucketOf(value, `at ${position}`, position);
  const label = member(value, 'key_as_string') ?? member(value, 'key');
  return bucketOf(value, key, { key: typeof label === 'string' ? label : key });
};

/** A list, or with `keyed` an object by key. */
const bucketsOf = (aggregation: JsonObject): Bucket[] => {
  const buckets = member(aggregation, 'buckets');
  if (Array.isArray(buckets)) return buckets.filter(isObject).map(listed);
  return isObject(buckets)
    ? Object.entries(buckets).flatMap(([key, bucket]) => (isObject(bucket) ? [bucketOf(bucket, key, { key })] : []))
    : [];
};

type Twins = { key: string; authority: Bucket; other: Bucket };
type Lists = { authority: Bucket[]; other: Bucket[]; common: Twins[]; missing: Bucket[]; extra: Bucket[] };

const matchBuckets = (authority: Bucket[], other: Bucket[]): Lists => {
  const left = new Map(other.map((bucket) => [bucket.key, bucket]));
  const common: Twins[] = [];
  const missing: Bucket[] = [];
  for (const bucket of authority) {
    const twin = left.get(bucket.key);
    if (twin) common.push({ key: bucket.key, authority: bucket, other: twin });
    else missing.push(bucket);
    left.delete(bucket.key);
  }
  return { authority, other, common, missing, extra: [...left.values()] };
};

const bucketPath = (path: Path, bucket: Bucket): Path => child(child(path, 'buckets'), bucket.segment);

/** An empty one may be left out, and what deleted documents held stays listed until segments are merged. */
const reportLone = (context: Context, path: Path, bucket: Bucket, side: 'missing_bucket' | 'extra_bucket'): void =>
  report(bucket.count === 0 ? softened(context) : context, {
    severity: 'S6',
    kind: side,
    path: bucketPath(path, bucket),
    [side === 'missing_bucket' ? 'authority' : 'other']: bucket.value,
  });

const reportCount = (context: Context, path: Path, { authority, other }: Twins): void =>
  report(context, {
    severity: 'S6',
    kind: 'bucket_count',
    path: child(bucketPath(path, authority), 'doc_count'),
    authority: authority.count,
    other: other.count,
  });

const textMembers = ['key_as_string', 'from_as_string', 'to_as_string'] as const;

const compareTexts = (context: Context, path: Path, { authority, other }: Twins): void => {
  for (const name of textMembers)
    diffOptional(
      context,
      child(path, name),
      { authority: authority.value[name], other: other.value[name] },
      { severity: 'S6' },
    );
};

/** Buckets that all shards compute in full. */
export const compareBuckets = (context: Context, path: Path, pair: AggregationPair, inside: Inside): IsApproximate => {
  const lists = matchBuckets(bucketsOf(pair.authority), bucketsOf(pair.other));
  for (const bucket of lists.missing) reportLone(context, path, bucket, 'missing_bucket');
  for (const bucket of lists.extra) reportLone(context, path, bucket, 'extra_bucket');
  for (const name of ['after_key', 'interval'])
    diffOptional(
      context,
      child(path, name),
      { authority: pair.authority[name], other: pair.other[name] },
      { severity: 'S6' },
    );
  let approximate = false;
  for (const twins of lists.common)
    approximate = compareTwins(context, path, twins, { spec: pair.spec, slack: 0, inside }) || approximate;
  return approximate;
};

type TwinRules = { spec: AggregationPair['spec']; slack: number; inside: Inside };

const compareTwins = (
  context: Context,
  path: Path,
  twins: Twins,
  { spec, slack, inside }: TwinRules,
): IsApproximate => {
  const { authority, other } = twins;
  if (sameValue(authority.value, other.value)) return false;
  const at = bucketPath(path, authority);
  compareTexts(context, at, twins);
  const isWithin = Math.abs(authority.count - other.count) <= slack;
  if (!isWithin) reportCount(context, path, twins);
  // Within the bound the two buckets may hold different documents, and so may everything computed from them.
  const approximate = isWithin && slack > 0;
  const deeper = inside(approximate ? softened(context) : context, at, {
    authority: authority.value,
    other: other.value,
    spec,
  });
  return approximate || deeper;
};

/** Error bound of a whole list; infinite when the storage does not know it (order other than by count). */
const errorBound = (aggregation: JsonObject): number => {
  const bound = numberMember(aggregation, 'doc_count_error_upper_bound');
  return bound === undefined || bound < 0 ? Number.POSITIVE_INFINITY : bound;
};

/** Every shard returned all it had, so nothing was approximated. */
const isComplete = (aggregation: JsonObject, buckets: readonly Bucket[], size: number | undefined): boolean => {
  const rest = numberMember(aggregation, 'sum_other_doc_count');
  return rest === undefined ? size !== undefined && buckets.length < size : rest === 0;
};

const defaultSizes: Readonly<Record<string, number>> = {
  geohash_grid: 10_000,
  geotile_grid: 10_000,
  geohex_grid: 10_000,
  rare_terms: 10_000,
};

const requestedSize = (spec: AggregationPair['spec']): number | undefined =>
  spec === undefined ? undefined : (numberMember(spec.params, 'size') ?? defaultSizes[spec.type] ?? 10);

const smallest = (buckets: readonly Bucket[]): number =>
  buckets.reduce((least, { count }) => Math.min(least, count), Number.POSITIVE_INFINITY);

/** Ordered by anything but descending count, the cut of the list says nothing of counts. */
const isByCount = (spec: AggregationPair['spec']): boolean => {
  const order = member(spec?.params, 'order');
  const first = Array.isArray(order) ? order[0] : order;
  return first === undefined || member(first, '_count') === 'desc';
};
const isByKey = (spec: AggregationPair['spec']): boolean => {
  const order = member(spec?.params, 'order');
  const first = Array.isArray(order) ? order[0] : order;
  return member(first, '_key') !== undefined || member(first, '_term') !== undefined;
};

/** May this bucket be absent from a list cut at `cut`, whose own error is `bound`? */
const compareTail = (
  context: Context,
  path: Path,
  bucket: Bucket,
  tail: { cut: number; side: 'missing_bucket' | 'extra_bucket' },
): void => reportLone(bucket.count <= tail.cut ? softened(context) : context, path, bucket, tail.side);

const cutOf = (
  list: Bucket[],
  aggregation: JsonObject,
  { complete, spec }: { complete: boolean; spec: AggregationPair['spec'] },
): number => {
  if (complete) return -1;
  if (isByKey(spec)) return -1;
  return isByCount(spec) ? smallest(list) + errorBound(aggregation) : Number.POSITIVE_INFINITY;
};

/** Counted terms and the rest add up to the same on both sides, however the top lists were merged. */
const compareSum = (context: Context, path: Path, pair: AggregationPair, lists: Lists): void => {
  const sum = (aggregation: JsonObject, buckets: readonly Bucket[]): number | undefined => {
    const rest = numberMember(aggregation, 'sum_other_doc_count');
    return rest === undefined ? undefined : buckets.reduce((total, { count }) => total + count, rest);
  };
  const [authority, other] = [sum(pair.authority, lists.authority), sum(pair.other, lists.other)];
  if (authority === undefined || other === undefined || authority === other) return;
  const exact = (numberMember(pair.spec?.params, 'min_doc_count') ?? 1) <= 1;
  report(exact ? context : softened(context), {
    severity: 'S6',
    kind: 'metric',
    path: child(path, 'sum_other_doc_count'),
    authority,
    other,
  });
};

export const compareTopBuckets = (
  context: Context,
  path: Path,
  pair: AggregationPair,
  inside: Inside,
): IsApproximate => {
  const { spec } = pair;
  const lists = matchBuckets(bucketsOf(pair.authority), bucketsOf(pair.other));
  const size = requestedSize(spec);
  const complete = isComplete(pair.authority, lists.authority, size) && isComplete(pair.other, lists.other, size);
  const cut = (list: Bucket[], aggregation: JsonObject) => cutOf(list, aggregation, { complete, spec });
  for (const bucket of lists.missing)
    compareTail(context, path, bucket, { cut: cut(lists.other, pair.other), side: 'missing_bucket' });
  for (const bucket of lists.extra)
    compareTail(context, path, bucket, { cut: cut(lists.authority, pair.authority), side: 'extra_bucket' });
  const slack = complete || isByKey(spec) ? 0 : errorBound(pair.authority) + errorBound(pair.other);
  for (const twins of lists.common) compareTwins(context, path, twins, { spec, slack, inside });
  compareSum(context, path, pair, lists);
  return !complete;
};

/** Chosen by each shard's own statistics: only whether both sides find mostly the same terms. */
export const compareSignificant = (context: Context, path: Path, pair: AggregationPair): IsApproximate => {
  diffOptional(
    context,
    child(path, 'doc_count'),
    { authority: pair.authority['doc_count'], other: pair.other['doc_count'] },
    { severity: 'S6' },
  );
  const lists = matchBuckets(bucketsOf(pair.authority), bucketsOf(pair.other));
  const size = Math.max(lists.authority.length, lists.other.length);
  if (size === 0) return true;
  const overlap = lists.common.length / size;
  const isAlike = overlap >= context.rules.profile.aggregations.significantOverlap || size < 5;
  if (overlap < 1)
    report(context, {
      severity: isAlike ? 'S9' : 'S6',
      kind: 'recall',
      path: child(path, 'buckets'),
      authority: 1,
      other: overlap,
    });
  for (const { authority, other } of lists.common)
    diffTree(softened(context), bucketPath(path, authority), authority.value, other.value, { severity: 'S9' });
  return true;
};
