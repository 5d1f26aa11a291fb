/**
 * Query shapes: requests that differ only in their literals share one. The shape is the API, the index pattern and the
 * skeleton of the body (clause types, fields, sort keys, kinds of aggregations, the order of magnitude of the page).
 * Labels hold no literal. The registry bounds how many shapes are told apart, so that they can be metric labels.
 */
import { fingerprint } from './hash.ts';
import { isObject, type Json, type JsonObject, textOf } from './json-value.ts';
import { bodyOf, msearchItems, parseQuery, type Query } from './request.ts';
import type { ComparableApi, ComparedRequest, QueryShape } from './types.ts';

/** Members whose text is structure (a field, an order, a unit), not a literal of the user. */
const structural = new Set([
  'field',
  'fields',
  'path',
  'type',
  'order',
  'mode',
  'operator',
  'default_operator',
  'sort',
  '_source',
  'docvalue_fields',
  'stored_fields',
  'calendar_interval',
  'fixed_interval',
  'score_mode',
  'boost_mode',
  'buckets_path',
  'unit',
  'search_type',
  'default_field',
  'score_type',
  'execution_hint',
  'collect_mode',
  'modifier',
  'relation',
  'interval',
  'analyzer',
  'id',
]);
/** Members whose object is keyed by names of the user's own making. */
const userNamed = new Set(['aggs', 'aggregations', 'suggest', 'inner_hits', 'script_fields', 'params']);
const pageMembers = new Set(['size', 'from']);

const magnitude = (value: number): string =>
  value <= 0 ? '0' : value <= 10 ? '10' : value <= 100 ? '100' : value <= 1000 ? '1000' : 'more';

const literalMark = (value: Json): string =>
  value === null ? 'null' : typeof value === 'string' ? 's' : typeof value === 'boolean' ? 'b' : 'n';

const isLeaf = (value: Json): boolean => typeof value !== 'object' || value === null;

const skeletonList = (name: string, list: readonly Json[]): string => {
  if (structural.has(name) && list.every(isLeaf)) return textOf(list as Json[]);
  return `[${[...new Set(list.map((item) => skeleton(name, item)))].sort().join()}]`;
};

const skeletonObject = (name: string, value: JsonObject): string => {
  const parts = Object.keys(value).map((key) =>
    userNamed.has(name) ? skeleton('', value[key]!) : `${key}:${skeleton(key, value[key]!)}`,
  );
  return `{${[...new Set(parts)].sort().join()}}`;
};

const skeleton = (name: string, value: Json): string => {
  if (Array.isArray(value)) return skeletonList(name, value);
  if (isObject(value)) return skeletonObject(name, value);
  if (pageMembers.has(name) && typeof value === 'number') return magnitude(value);
  return structural.has(name) ? textOf(value) : literalMark(value);
};

/** Parameters that change what is asked; the rest (timeouts, pretty, human) do not. */
const askingParameters = new Set([
  'sort',
  'search_type',
  'typed_keys',
  'rest_total_hits_as_int',
  'filter_path',
  '_source',
  'size',
  'from',
  'q',
]);

const querySkeleton = (query: Query): string =>
  [...query]
    .filter(([name]) => askingParameters.has(name))
    .map(([name, value]) => `${name}=${name === 'q' ? 's' : pageMembers.has(name) ? magnitude(Number(value)) : value}`)
    .sort()
    .join('&');

/** First path segment unless the API stands there; digits differ per day and customer. */
const indexPattern = ({ path }: ComparedRequest): string => {
  const first = path.split('/')[1] ?? '';
  return first.startsWith('_') ? '' : first.replace(/\d+/g, '#').slice(0, 80);
};

const bodySkeleton = (api: ComparableApi, request: ComparedRequest, query: Query): string => {
  if (api === 'get' || api === 'mget' || api === 'mtermvectors') return '';
  if (api !== 'msearch' && api !== 'msearch_template') return skeleton('', bodyOf(request, query) ?? null);
  const items = msearchItems(request.body).map(({ body }) => skeleton('', body ?? null));
  return [...new Set(items)].sort().join('|');
};

const leafClauses = new Set([
  'match',
  'match_phrase',
  'match_phrase_prefix',
  'match_bool_prefix',
  'term',
  'terms',
  'range',
  'prefix',
  'wildcard',
  'regexp',
  'fuzzy',
  'knn',
  'geo_distance',
  'geo_bounding_box',
  'distance_feature',
]);
const wholeClauses = new Set([
  'bool',
  'match_all',
  'multi_match',
  'query_string',
  'simple_query_string',
  'ids',
  'exists',
  'nested',
  'function_score',
  'constant_score',
  'script_score',
  'dis_max',
  'more_like_this',
  'percolate',
  'has_child',
  'has_parent',
  'hybrid',
  'collapse',
  'suggest',
]);

/** Clause names with their fields, in the order they stand. */
const clauses = (value: Json, found: Set<string> = new Set()): Set<string> => {
  if (Array.isArray(value)) for (const item of value) clauses(item, found);
  if (!isObject(value)) return found;
  for (const [name, inner] of Object.entries(value)) {
    if (leafClauses.has(name) && isObject(inner))
      for (const field of Object.keys(inner)) found.add(`${name}(${field})`);
    else if (wholeClauses.has(name)) found.add(name);
    clauses(inner, found);
  }
  return found;
};

const kindsOfAggregations = (body: JsonObject): string[] =>
  Object.values(body['aggs'] ?? body['aggregations'] ?? {}).flatMap((spec) => Object.keys(spec ?? {}).slice(0, 1));

const maxLabel = 96;

const labelOf = (api: ComparableApi, request: ComparedRequest, query: Query): string => {
  const body = api === 'msearch' ? (msearchItems(request.body)[0]?.body ?? null) : (bodyOf(request, query) ?? null);
  const aggs = isObject(body) ? [...new Set(kindsOfAggregations(body))].map((kind) => `agg:${kind}`) : [];
  const label = [
    `${api} ${indexPattern(request)}`.trim(),
    ...clauses(isObject(body) ? (body['query'] ?? null) : null),
    ...aggs,
  ].join(' ');
  return label.length <= maxLabel ? label : `${label.slice(0, maxLabel - 1)}…`;
};

export const queryShape = (api: ComparableApi, request: ComparedRequest): QueryShape => {
  const query = parseQuery(request.query);
  const text = [api, indexPattern(request), querySkeleton(query), bodySkeleton(api, request, query)].join('\n');
  return { fingerprint: fingerprint(text), label: labelOf(api, request, query) };
};

export const otherShape: QueryShape = { fingerprint: 'other', label: 'other' };

/** The first `cap` shapes keep their names for the life of the registry; every later one is `other`. */
export class ShapeRegistry {
  readonly #shapes = new Map<string, QueryShape>();
  readonly #cap: number;

  constructor(cap = 100) {
    this.#cap = cap;
  }

  admit(shape: QueryShape): QueryShape {
    const known = this.#shapes.get(shape.fingerprint);
    if (known) return known;
    if (this.#shapes.size >= this.#cap) return otherShape;
    this.#shapes.set(shape.fingerprint, shape);
    return shape;
  }

  get shapes(): readonly QueryShape[] {
    return [...this.#shapes.values()];
  }
}
