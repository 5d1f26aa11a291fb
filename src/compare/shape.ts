/**
 * Query shapes: requests that differ only in their literals share one. The shape is the API, the index pattern and the
 * skeleton of the body (clause types, fields, sort keys, kinds of aggregations, the order of magnitude of the page).
 * Labels hold no literal. The registry bounds how many shapes are told apart, so that they can be metric labels.
 */
import { type Place, placeBelow, placeInList } from './body-places.ts';
import { fingerprint } from './hash.ts';
import { isObject, type Json, type JsonObject } from './json-value.ts';
import { bodyOf, msearchItems, parseQuery, type Query } from './request.ts';
import { magnitude, pageMembers, skeletonOf } from './skeleton.ts';
import type { ComparableApi, ComparedRequest, QueryShape } from './types.ts';

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

/** Digits differ per day and customer. */
const patternOf = (index: string): string => index.replace(/\d+/g, '#').slice(0, 80);

/** First path segment unless the API stands there. */
const indexPattern = ({ path }: ComparedRequest): string => {
  const first = path.split('/')[1] ?? '';
  return first.startsWith('_') ? '' : patternOf(first);
};

/** The index that the header of an msearch item names; without one the path's is asked. */
const headerPattern = (header: JsonObject): string => {
  const index = header['index'] ?? header['indices'];
  const named = (Array.isArray(index) ? index : [index]).filter((name) => typeof name === 'string');
  return patternOf(named.join());
};

const isMulti = (api: ComparableApi): boolean => api === 'msearch' || api === 'msearch_template';

const bodySkeleton = (api: ComparableApi, request: ComparedRequest, query: Query): string => {
  if (api === 'get' || api === 'mget' || api === 'mtermvectors') return '';
  if (!isMulti(api)) return skeletonOf(bodyOf(request, query));
  const items = msearchItems(request.body).map(({ header, body }) => `${headerPattern(header)} ${skeletonOf(body)}`);
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

/** Clause names with their fields, in the order they stand. The same names among fields, options or data are none. */
const clauses = (value: Json, place: Place = 'clauses', found: Set<string> = new Set()): Set<string> => {
  if (Array.isArray(value)) for (const item of value) clauses(item, placeInList(place), found);
  if (!isObject(value)) return found;
  for (const [name, inner] of Object.entries(value)) {
    if (place === 'clauses') noteClause(name, inner, found);
    clauses(inner, placeBelow(place, name), found);
  }
  return found;
};

const noteClause = (name: string, inner: Json, found: Set<string>): void => {
  if (wholeClauses.has(name)) found.add(name);
  else if (leafClauses.has(name) && isObject(inner))
    for (const field of Object.keys(inner)) found.add(`${name}(${field})`);
};

const kindsOfAggregations = (body: JsonObject): string[] =>
  Object.values(body['aggs'] ?? body['aggregations'] ?? {}).flatMap((spec) => Object.keys(spec ?? {}).slice(0, 1));

const maxLabel = 96;

const labelOf = (api: ComparableApi, request: ComparedRequest, query: Query): string => {
  const item = isMulti(api) ? msearchItems(request.body)[0] : undefined;
  const body = (isMulti(api) ? item?.body : bodyOf(request, query)) ?? null;
  const index = headerPattern(item?.header ?? {}) || indexPattern(request);
  const aggs = isObject(body) ? [...new Set(kindsOfAggregations(body))].map((kind) => `agg:${kind}`) : [];
  const label = [`${api} ${index}`.trim(), ...clauses(isObject(body) ? (body['query'] ?? null) : null), ...aggs].join(
    ' ',
  );
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
