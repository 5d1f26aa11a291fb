/**
 * How each type of aggregation is to be compared. What the storage computes exactly must be equal; what it approximates
 * (per shard, or with a sketch) only as far as its own error bound says.
 */
import { isObject, type JsonObject } from './json-value.ts';
import type { AggregationSpec, AggregationSpecs } from './request.ts';

export type AggregationPair = {
  readonly authority: JsonObject;
  readonly other: JsonObject;
  readonly spec: AggregationSpec | undefined;
  /** Of a derived one: how far it may differ whatever its size. */
  readonly floor?: number;
};

/** True = equal only within error bounds. */
export type IsApproximate = boolean;

export type AggregationKind =
  /** Buckets that every shard computes in full. */
  | 'buckets'
  /** The top buckets of each shard, merged: counts and tail are approximate. */
  | 'top_buckets'
  /** Chosen by statistics of each shard: only roughly repeatable. */
  | 'significant'
  /** Depends on the division into shards by design. */
  | 'unrepeatable'
  | 'single'
  | 'metric'
  | 'cardinality'
  | 'percentiles'
  | 'top_hits'
  /** Computed from other aggregations of the answer, and as approximate as they are. */
  | 'derived';

const kinds: Readonly<Record<AggregationKind, readonly string[]>> = {
  buckets: [
    'histogram',
    'date_histogram',
    'auto_date_histogram',
    'range',
    'date_range',
    'ip_range',
    'ip_prefix',
    'geo_distance',
    'filters',
    'adjacency_matrix',
    'composite',
  ],
  top_buckets: ['terms', 'multi_terms', 'geohash_grid', 'geotile_grid', 'geohex_grid', 'rare_terms'],
  significant: ['significant_terms', 'significant_text'],
  unrepeatable: ['sampler', 'diversified_sampler', 'variable_width_histogram'],
  single: ['filter', 'global', 'missing', 'nested', 'reverse_nested', 'children', 'parent'],
  metric: [
    'avg',
    'sum',
    'min',
    'max',
    'value_count',
    'weighted_avg',
    'stats',
    'extended_stats',
    'matrix_stats',
    'geo_bounds',
    'geo_centroid',
    'scripted_metric',
  ],
  cardinality: ['cardinality'],
  percentiles: ['percentiles', 'percentile_ranks', 'median_absolute_deviation', 'boxplot'],
  top_hits: ['top_hits', 'top_metrics'],
  derived: [
    'derivative',
    'serial_diff',
    'cumulative_sum',
    'moving_avg',
    'moving_fn',
    'bucket_script',
    'avg_bucket',
    'sum_bucket',
    'min_bucket',
    'max_bucket',
    'stats_bucket',
    'extended_stats_bucket',
    'percentiles_bucket',
  ],
};

export const kindByType: ReadonlyMap<string, AggregationKind> = new Map<string, AggregationKind>(
  Object.entries(kinds).flatMap(([kind, types]) => types.map((type) => [type, kind as AggregationKind] as const)),
);

/** `matrix_stats` counts documents as a bucket does, and lists its figures by field. */
const isMatrix = (answer: JsonObject): boolean => Array.isArray(answer['fields']);

/** Without the request (templates), the answer's own form tells. */
const kindByForm = (answer: JsonObject): AggregationKind => {
  const buckets = answer['buckets'];
  if (buckets !== undefined)
    return 'doc_count_error_upper_bound' in answer ? 'top_buckets' : 'bg_count' in answer ? 'significant' : 'buckets';
  if (isObject(answer['hits'])) return 'top_hits';
  if (answer['values'] !== undefined) return 'percentiles';
  const isBucket = typeof answer['doc_count'] === 'number' && !('value' in answer) && !isMatrix(answer);
  return isBucket ? 'single' : 'metric';
};

export const kindOf = (spec: AggregationSpec | undefined, answer: JsonObject): AggregationKind =>
  (spec && kindByType.get(spec.type)) ?? kindByForm(answer);

/** What a bucket, or an aggregation of one bucket, says of itself in an object; any other object is an aggregation inside it. */
const ownObjects = new Set(['key', 'after_key', 'meta', 'buckets']);

/** Aggregations inside a bucket (or single-bucket aggregation), by name; `specs` are those that were asked for, if known. */
export const aggregationsIn = (bucket: JsonObject, specs: AggregationSpecs | undefined): JsonObject =>
  Object.fromEntries(
    Object.entries(bucket).filter(([name, value]) => isObject(value) && (!ownObjects.has(name) || specs?.has(name))),
  );
