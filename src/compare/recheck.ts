/**
 * How a request is asked again, of both sides alike, to see whether a mismatch persists: pinned to one copy of each
 * shard, and, where the order is by score, with the term statistics of all shards, since the statistics of single shards
 * explain most differences of score between clusters that divide the documents differently. A client that asked for a part
 * of the answer is asked for as much more as judging it takes.
 */
import { bodyOf, parseQuery, type Query, searchFacts } from './request.ts';
import type { ComparableApi, ComparedRequest } from './types.ts';

/** Where the answers to searches stand in the answer. */
const above: Partial<Record<ComparableApi, string>> = {
  search: '',
  template_search: '',
  msearch: 'responses.',
  msearch_template: 'responses.',
};
const ofWhole = ['timed_out', 'terminated_early', '_shards', 'status', 'error'];
const ofHits = ['_index', '_id', '_routing', '_score', 'sort'].map((name) => `hits.hits.${name}`);

/** Paths of parts that are shown; empty where the whole answer is, some parts left out. */
const shownParts = (query: Query): string[] =>
  (query.get('filter_path') ?? '').split(',').filter((path) => path !== '' && !path.startsWith('-'));

const isOfHits = (path: string): boolean =>
  path.includes('**') || /^(?:responses\.)?hits(?:$|\.(?:hits|\*)(?:\.|$))/.test(path);

const isOfWholeHits = (path: string): boolean => /^(?:responses\.)?hits(?:\.hits|\.\*){0,2}$/.test(path);

/** The client asked for parts of the hits alone: perhaps neither their order nor which document each is can be told. */
export const hidesRanks = (api: ComparableApi, request: ComparedRequest): boolean => {
  const shown = shownParts(parseQuery(request.query));
  return above[api] !== undefined && shown.some(isOfHits) && !shown.some(isOfWholeHits);
};

/** What ranks and names the hits that are shown, and says whether the answer is whole; the last duplicate wins. */
const widened = (api: ComparableApi, query: Query): string | undefined => {
  const [prefix, shown] = [above[api], shownParts(query)];
  if (prefix === undefined || shown.length === 0) return undefined;
  const added = [...ofWhole, ...(shown.some(isOfHits) ? ofHits : [])].map((part) => prefix + part);
  return [query.get('filter_path'), ...added].join(',');
};

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
  const parts = widened(api, query);
  if (parts !== undefined) added.push(`filter_path=${encodeURIComponent(parts)}`);
  if (takesPreference.has(api) && !query.has('preference')) added.push(`preference=${encodeURIComponent(preference)}`);
  if (api === 'search' && !query.has('search_type') && isByScore(request))
    added.push('search_type=dfs_query_then_fetch');
  return [request.query, ...added].filter(Boolean).join('&');
};
