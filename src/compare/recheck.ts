/**
 * How a request is asked again, of both sides alike, to see whether a mismatch persists: pinned to one copy of each
 * shard, and, where the order is by score, with the term statistics of all shards, since the statistics of single shards
 * explain most differences of score between clusters that divide the documents differently.
 */
import { bodyOf, parseQuery, searchFacts } from './request.ts';
import type { ComparableApi, ComparedRequest } from './types.ts';

/** A page whose order hangs on term statistics. */
export const isByScore = (request: ComparedRequest): boolean => {
  const query = parseQuery(request.query);
  const { size, sort } = searchFacts(bodyOf(request, query), query);
  return size !== 0 && (sort === undefined || sort.length === 0 || sort[0] === '_score');
};

const takesPreference = new Set<ComparableApi>([
  'search',
  'template_search',
  'count',
  'get',
  'mget',
  'explain',
  'termvectors',
]);

/** Query string of the repeated request. `preference` pins copies; one the client gave is kept. */
export const recheckQuery = (api: ComparableApi, request: ComparedRequest, preference: string): string => {
  const query = parseQuery(request.query);
  const added: string[] = [];
  if (takesPreference.has(api) && !query.has('preference')) added.push(`preference=${encodeURIComponent(preference)}`);
  if (api === 'search' && !query.has('search_type') && isByScore(request))
    added.push('search_type=dfs_query_then_fetch');
  return [request.query, ...added].filter(Boolean).join('&');
};
