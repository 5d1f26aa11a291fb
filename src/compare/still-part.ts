/**
 * The part of a search that can be judged while some of its documents move: the same search without those. That is sound
 * only where each document counts by itself, so that leaving some out takes away what they brought in and nothing else;
 * what reads other documents, statistics of the index or scores as a bound is not asked so. Ids are left out on both
 * sides alike: one too many, of another index or routing, makes the part smaller and no less true.
 */
import { applyEdits, members, rawOf, skipSpace } from '../json/scan.ts';
import { type AggregationKind, kindByType } from './aggregation-kinds.ts';
import { isObject, type Json, member, numberMember } from './json-value.ts';
import { idOf, type WireSearch } from './listing.ts';
import {
  type AggregationSpec,
  type AggregationSpecs,
  aggregationSpecs,
  bodyOf,
  parseQuery,
  type Query,
  someMember,
} from './request.ts';
import type { ComparableApi, ComparedRequest } from './types.ts';

/** Anywhere in the body: they look beyond a document, cut by score, or hide what they do. */
const beyondDocuments = new Set([
  ...[
    'has_child',
    'has_parent',
    'parent_id',
    'more_like_this',
    'percolate',
    'indexed_shape',
    'hybrid',
    'knn',
    'neural',
  ],
  ...['min_score', 'rescore', 'random_score', 'inner_hits', 'suggest', 'ext', 'wrapper', 'template'],
]);
/** The terms stand in another document. */
const isLookup = (name: string, value: Json): boolean =>
  name === 'terms' && isObject(value) && Object.values(value).some((field) => member(field, 'index') !== undefined);

const countedByDocument = new Set<AggregationKind>([
  ...(['buckets', 'top_buckets', 'single', 'metric', 'cardinality', 'percentiles', 'derived'] as const),
]);
const notCounted = new Set(['global', 'children', 'parent', 'rare_terms', 'scripted_metric']);

/** Terms without documents come from all documents of the index, deleted ones included. */
const listsEmptyTerms = ({ params }: AggregationSpec): boolean => numberMember(params, 'min_doc_count') === 0;

const isCounted = (spec: AggregationSpec): boolean => {
  const kind = kindByType.get(spec.type);
  if (kind === undefined || !countedByDocument.has(kind) || notCounted.has(spec.type)) return false;
  if (kind === 'top_buckets' && listsEmptyTerms(spec)) return false;
  // A script may read the score; those of derived ones read buckets.
  return (kind === 'derived' || member(spec.params, 'script') === undefined) && areCounted(spec.subs);
};

const areCounted = (specs: AggregationSpecs): boolean => [...specs.values()].every(isCounted);

const asksInBodyAlone = (query: Query): boolean =>
  !['q', 'source', 'min_score'].some((name) => query.has(name)) && !query.get('preference')?.startsWith('_');

const isPlainBody = (body: Json | undefined): boolean => {
  if (!isObject(body)) return body === undefined;
  const query = member(body, 'query');
  return (
    (query === undefined || isObject(query)) &&
    !someMember(body, (name, value) => beyondDocuments.has(name) || isLookup(name, value)) &&
    areCounted(aggregationSpecs(body))
  );
};

/** Does each document count by itself, and can some be left out? */
export const countsByDocument = (api: ComparableApi, request: ComparedRequest): boolean => {
  const query = parseQuery(request.query);
  return (api === 'search' || api === 'count') && asksInBodyAlone(query) && isPlainBody(bodyOf(request, query));
};

const everything = '{"match_all":{}}';

/** The same search (a POST) without the documents of these keys; scores stay as they are. */
export const withoutDocuments = (search: WireSearch, keys: Iterable<string>): WireSearch => {
  const body = search.body === undefined || search.body.length === 0 ? Buffer.from('{}') : search.body;
  const start = skipSpace(body, 0);
  const { query } = members(body, start, ['query']);
  const ids = JSON.stringify([...new Set([...keys].map(idOf))]);
  const text = `{"bool":{"must":[${query ? rawOf(body, query) : everything}],"must_not":[{"ids":{"values":${ids}}}]}}`;
  if (query) return { ...search, body: applyEdits(body, [{ ...query, text }]) };
  const isEmpty = body[skipSpace(body, start + 1)] === 0x7d;
  const at = start + 1;
  return { ...search, body: applyEdits(body, [{ start: at, end: at, text: `"query":${text}${isEmpty ? '' : ','}` }]) };
};
