/**
 * Rewrites update- and delete-by-query for the authority, and the search that finds out beforehand which documents a
 * delete-by-query will reach: the tail cannot see deletes, so their ids must be known. Pure.
 */
import { lacksShards } from '../../compare/gate.ts';
import type { Json } from '../../compare/json-value.ts';
import type { DocKey, RouteState } from '../../coordination/ports.ts';
import { eachElement, members, parseSlice, rawOf, type Slice, skipSpace } from '../../json/scan.ts';
import { answersInJson } from '../answers-in-json.ts';
import { addParam, getParam, parseQuery, removeParam } from '../query.ts';
import { aliasRouting } from '../read/side-names.ts';
import type { Operation, RequestHead, RoutedIndex } from '../types.ts';
import { authorityOf, concreteName, pathWithQuery, withIndex, writeName } from './names.ts';

/** The epoch aliases of these indices under a state, in order. */
export const aliasesOf = (state: RouteState, indices: readonly RoutedIndex[]): string[] => [
  ...new Set(indices.map(({ ordinal }) => writeName(state, ordinal))),
];

/** The routing that the addressed alias adds; `conflict` when the client asks for another one. */
export const searchRouting = (
  query: string,
  indices: readonly RoutedIndex[],
): { routing: string | undefined; conflict: boolean } => {
  const alias = aliasRouting(indices);
  const given = getParam(query, 'routing') || undefined;
  const own = alias.kind === 'one' ? alias.routing : undefined;
  return { routing: given ?? own, conflict: own !== undefined && given !== undefined && own !== given };
};

export type ByQuery = {
  readonly head: RequestHead;
  readonly operation: Operation;
  readonly state: RouteState;
  readonly indices: readonly RoutedIndex[];
};

/** Counts must be readable in the answer, so `filter_path` is applied here, to the formats that are read here. */
export const unfilteredQuery = (head: RequestHead): string =>
  answersInJson(head) ? removeParam(head.query, 'filter_path') : head.query;

export const byQueryPath = ({ head, operation, state, indices }: ByQuery): string => {
  const { routing } = searchRouting(head.query, indices);
  const unfiltered = unfilteredQuery(head);
  const query = routing === undefined ? unfiltered : addParam(unfiltered, 'routing', routing);
  return pathWithQuery(
    withIndex({ path: head.path, query, side: authorityOf(state) }, operation, aliasesOf(state, indices)),
  );
};

const maxEnumerated = 10_000;

/** Parameters that decide which documents match. */
const queryParams = [
  'q',
  'df',
  'analyzer',
  'analyze_wildcard',
  'default_operator',
  'lenient',
  'preference',
  'ignore_unavailable',
  'allow_no_indices',
  'expand_wildcards',
];

/**
 * The same query as a search for ids. `max_docs` and slices are left out: too many ids do no harm, each is looked at
 * again afterwards. undefined when the body cannot be read.
 */
export const enumeration = (
  { head, state, indices }: ByQuery,
  body: Buffer,
): { path: string; body: string } | undefined => {
  const query = queryOf(body);
  if (query === undefined) return undefined;
  const { params } = parseQuery(head.query);
  const { routing } = searchRouting(head.query, indices);
  const kept = new URLSearchParams();
  for (const name of queryParams) if (params.has(name)) kept.set(name, params.get(name) as string);
  if (routing !== undefined) kept.set('routing', routing);
  const names = [...new Set(indices.map(({ ordinal }) => concreteName(state, ordinal)))];
  const path = `/${names.map(encodeURIComponent).join(',')}/_search`;
  const size = `"size":${maxEnumerated},"track_total_hits":${maxEnumerated + 1}`;
  return {
    path: pathWithQuery({ path, query: kept.toString() }),
    body: `{${query}"_source":false,${size}}`,
  };
};

/** Text of the `query` member with its comma; empty when there is none. */
const queryOf = (body: Buffer): string | undefined => {
  const start = skipSpace(body, 0);
  if (start === body.length) return '';
  try {
    const { query } = members(body, start, ['query']);
    return query === undefined ? '' : `"query":${rawOf(body, query)},`;
  } catch {
    return undefined;
  }
};

export type Enumerated = { readonly keys: readonly DocKey[]; readonly complete: boolean };

/** @throws SyntaxError when the body is no search answer */
export const readEnumeration = (body: Buffer, state: RouteState): Enumerated => {
  const ordinals = new Map(state.spec.indices.map((_, ordinal) => [concreteName(state, ordinal), ordinal]));
  const root = members(body, 0, ['hits', 'timed_out', '_shards']);
  const hits = root.hits === undefined ? {} : members(body, root.hits.start, ['hits', 'total']);
  if (hits.hits === undefined || hits.total === undefined) throw new SyntaxError('no hits in a search answer');
  const keys: DocKey[] = [];
  eachElement(body, hits.hits.start, ({ start }) => {
    const hit = members(body, start, ['_index', '_id', '_routing']);
    const text = (slice: typeof hit._id) => (slice === undefined ? undefined : String(parseSlice(body, slice)));
    const ordinal = ordinals.get(text(hit._index) ?? '');
    const id = text(hit._id);
    if (ordinal !== undefined && id !== undefined)
      keys.push({ slug: state.slug, ordinal, id, routing: text(hit._routing) });
  });
  const total = parseSlice(body, hits.total) as { value: number } | number;
  const all = keys.length === (typeof total === 'number' ? total : total.value);
  return { keys, complete: all && isWhole(body, root) };
};

type Root = Partial<Record<'hits' | 'timed_out' | '_shards', { start: number; end: number }>>;
const isWhole = (body: Buffer, { timed_out: timedOut, _shards: shards }: Root): boolean => {
  if (timedOut !== undefined && rawOf(body, timedOut) !== 'false') return false;
  return !lacksShards(shards && (parseSlice(body, shards) as Json));
};

/** The counts of a by-query or reindex answer, or of a task's result. `changed`: each took a sequence number. */
export type ByQueryCounts = { readonly total: number; readonly deleted: number; readonly changed: number };

/** undefined when the answer does not tell. */
export const readCounts = (body: Buffer, at = skipSpace(body, 0)): ByQueryCounts | undefined => {
  try {
    const { total, created, updated, deleted } = members(body, at, ['total', 'created', 'updated', 'deleted']);
    if (total === undefined) return undefined;
    const count = (slice: Slice | undefined): number => (slice === undefined ? 0 : Number(rawOf(body, slice)));
    const changed = count(created) + count(updated) + count(deleted);
    return { total: count(total), deleted: count(deleted), changed };
  } catch {
    return undefined;
  }
};
