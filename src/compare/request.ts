/**
 * What a search request asks for, as far as it decides how its answers are to be compared: the page, the sort, the
 * aggregations' kinds, whether neighbours are approximate. Unknown parts (a template's body) stay undefined and make the
 * comparators judge by the answers alone.
 */
import {
  isObject,
  type Json,
  type JsonObject,
  member,
  numberMember,
  objectMember,
  parseBody,
  parseText,
  stringMember,
} from './json-value.ts';
import type { ComparedRequest } from './types.ts';

/** One aggregation of the request; `subs` are those computed in each of its buckets. */
export type AggregationSpec = { readonly type: string; readonly params: JsonObject; readonly subs: AggregationSpecs };
export type AggregationSpecs = ReadonlyMap<string, AggregationSpec>;

export type SearchFacts = {
  /** Undefined when the request's body is not known (templates). */
  readonly from: number | undefined;
  /** The page follows the sort values of a hit. */
  readonly searchAfter: boolean;
  /** Undefined when unknown, too. */
  readonly size: number | undefined;
  /** Names of the sort's components in order; undefined when unknown, empty when sorted by score. */
  readonly sort: readonly string[] | undefined;
  /**
   * Approximate neighbours: recall counts, not equality. `nearest` asks for the k nearest and nothing else; in `mixed` ones the
   * page depends on how many each shard finds, because they are filtered afterwards, joined with other matches, or not cut at k.
   */
  readonly neighbours: 'none' | 'nearest' | 'mixed';
  readonly collapse: string | undefined;
  /** Undefined when unknown. */
  readonly aggregations: AggregationSpecs | undefined;
  /** Suggestions that show each text once, whichever of its documents; undefined when unknown. */
  readonly distinctSuggestions: ReadonlySet<string> | undefined;
  /** Names in the answer carry their type (`sterms#by_tag`). */
  readonly typedKeys: boolean;
  /** Scores rest on term statistics of all shards, not of each alone. */
  readonly sharedStatistics: boolean;
  /** The request lets shards stop early; undefined when unknown. */
  readonly mayStopEarly: boolean | undefined;
};

/** `/index/_source/id` answers with the bare document, and so does `/index/type/id/_source` where types are known. */
export const isSourceRead = ({ path }: Pick<ComparedRequest, 'path'>): boolean => {
  const [, , api, , verb, ...more] = path.split('/');
  return api === '_source' || (verb === '_source' && more.length === 0);
};

export type Query = ReadonlyMap<string, string>;

const noQuery: Query = new Map();

/** `;` separates as `&` does, and the last duplicate wins, as the server reads it. */
export const parseQuery = (query: string): Query =>
  query === '' ? noQuery : new Map(new URLSearchParams(query.replaceAll(';', '&')));

/** A parameter given without a value means true. */
export const isTrue = (query: Query, name: string): boolean => {
  const value = query.get(name);
  return value !== undefined && value !== 'false';
};

/** By the bytes themselves, which nobody changes: a sample's request is looked at for several reasons, and parsed once. */
const parsedBodies = new WeakMap<Uint8Array, { readonly value: Json | undefined }>();

const parsedOnce = (body: Uint8Array): Json | undefined => {
  const known = parsedBodies.get(body) ?? { value: parseBody(body) };
  parsedBodies.set(body, known);
  return known.value;
};

/** The body, or the `source` parameter that may stand for it. */
export const bodyOf = (request: ComparedRequest, query: Query): Json | undefined => {
  if (request.body !== undefined && request.body.length > 0) return parsedOnce(request.body);
  const source = query.get('source');
  return source === undefined ? undefined : parseText(source);
};

const neighbourClauses = new Set(['knn', 'neural']);

/** True when `visit` holds for some member anywhere below. */
export const someMember = (value: Json | undefined, visit: (name: string, value: Json) => boolean): boolean => {
  if (Array.isArray(value)) return value.some((item) => someMember(item, visit));
  if (!isObject(value)) return false;
  return Object.keys(value).some((name) => visit(name, value[name]!) || someMember(value[name], visit));
};

const asksNeighbours = (query: Json | undefined): boolean =>
  someMember(query, (name, value) => neighbourClauses.has(name) && isObject(value));

/** A clause on one field that says `k`. */
const isNearest = (clauses: JsonObject): boolean =>
  Object.keys(clauses).length === 1 &&
  [...neighbourClauses].some((name) => {
    const fields = Object.values(objectMember(clauses, name) ?? {});
    return fields.length === 1 && numberMember(fields[0], 'k') !== undefined;
  });

const neighboursOf = (search: JsonObject): SearchFacts['neighbours'] => {
  if (member(search, 'knn') !== undefined) return 'mixed';
  const query = member(search, 'query');
  if (!asksNeighbours(query)) return 'none';
  return isObject(query) && isNearest(query) ? 'nearest' : 'mixed';
};

const sortName = (entry: Json): string[] => {
  if (typeof entry === 'string') return [entry.replace(/:(asc|desc)$/, '')];
  return isObject(entry) ? Object.keys(entry) : [];
};

const sortOf = (body: JsonObject, query: Query): string[] => {
  const given = member(body, 'sort');
  if (given !== undefined) return (Array.isArray(given) ? given : [given]).flatMap(sortName);
  return (query.get('sort') ?? '').split(',').filter(Boolean).flatMap(sortName);
};

const notTypes = new Set(['aggs', 'aggregations', 'meta']);

const specOf = (body: JsonObject): AggregationSpec | undefined => {
  const type = Object.keys(body).find((name) => !notTypes.has(name));
  if (type === undefined) return undefined;
  const params = objectMember(body, type) ?? {};
  return { type, params, subs: aggregationSpecs(body) };
};

export const aggregationSpecs = (body: JsonObject): AggregationSpecs => {
  const specs = new Map<string, AggregationSpec>();
  const listed = objectMember(body, 'aggs') ?? objectMember(body, 'aggregations') ?? {};
  for (const [name, value] of Object.entries(listed)) {
    const spec = isObject(value) ? specOf(value) : undefined;
    if (spec) specs.set(name, spec);
  }
  return specs;
};

const noNames: ReadonlySet<string> = new Set();

const distinctSuggestionsOf = (search: JsonObject): ReadonlySet<string> => {
  const suggest = objectMember(search, 'suggest');
  if (suggest === undefined) return noNames;
  const isDistinct = (asked: Json) => member(member(asked, 'completion'), 'skip_duplicates') === true;
  return new Set(Object.keys(suggest).filter((name) => isDistinct(suggest[name]!)));
};

const count = (text: string | undefined): number | undefined => {
  const value = text === undefined || text === '' ? Number.NaN : Number(text);
  return Number.isNaN(value) ? undefined : value;
};

const defaultSize = 10;

/** Facts of one search body with the parameters that stand in the path's query (or in an msearch header). */
export const searchFacts = (body: Json | undefined, query: Query): SearchFacts => {
  const search = isObject(body) ? body : {};
  return {
    from: count(query.get('from')) ?? numberMember(search, 'from') ?? 0,
    searchAfter: member(search, 'search_after') !== undefined,
    size: count(query.get('size')) ?? numberMember(search, 'size') ?? defaultSize,
    sort: sortOf(search, query),
    neighbours: neighboursOf(search),
    collapse: stringMember(member(search, 'collapse'), 'field'),
    aggregations: aggregationSpecs(search),
    distinctSuggestions: distinctSuggestionsOf(search),
    typedKeys: isTrue(query, 'typed_keys'),
    sharedStatistics: query.get('search_type') === 'dfs_query_then_fetch',
    mayStopEarly: query.has('terminate_after') || member(search, 'terminate_after') !== undefined,
  };
};

/** A template's rendered body is not known here. */
export const templateFacts = (query: Query): SearchFacts => ({
  ...searchFacts(undefined, query),
  from: undefined,
  size: undefined,
  sort: undefined,
  aggregations: undefined,
  distinctSuggestions: undefined,
  mayStopEarly: undefined,
});

/** Facts of inner hits and top hits: a search of its own inside a search. */
export const nestedFacts = (outer: SearchFacts, params: JsonObject | undefined): SearchFacts => ({
  ...outer,
  from: params === undefined ? undefined : (numberMember(params, 'from') ?? 0),
  searchAfter: false,
  size: params === undefined ? undefined : (numberMember(params, 'size') ?? 3),
  sort: params === undefined ? undefined : sortOf(params, new Map()),
  collapse: stringMember(member(params, 'collapse'), 'field'),
});

/** Header and body of each search in an msearch body. */
export const msearchItems = (body: Uint8Array | undefined): { header: JsonObject; body: Json | undefined }[] => {
  if (body === undefined) return [];
  const lines = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8').split('\n');
  const items: { header: JsonObject; body: Json | undefined }[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const header = parseText(lines[i]!);
    items.push({ header: isObject(header) ? header : {}, body: parseText(lines[i + 1]!) });
  }
  return items;
};

/** Header values of an msearch item as a query. */
export const headerQuery = (header: JsonObject, shared: Query): Query => {
  const own = Object.entries(header).filter(([, value]) => typeof value === 'string') as [string, string][];
  return new Map([...shared, ...own]);
};
