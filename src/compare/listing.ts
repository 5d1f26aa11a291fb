/**
 * Which documents stand behind a mismatch of totals, pages or aggregations? A listing names every document that a search
 * matches, with the sequence number, primary term and version it has on that side, so that two sides, or one side at two
 * moments, can be held against each other document by document. The query's bytes travel as the client sent them.
 * Invariant: a listing is complete or there is none.
 */
import { members, rawOf, skipSpace } from '../json/scan.ts';
import { lacksShards } from './gate.ts';
import {
  arrayMember,
  isObject,
  type Json,
  member,
  numberMember,
  parseBody,
  parseText,
  stringMember,
} from './json-value.ts';
import { parseQuery, searchFacts } from './request.ts';
import type { ComparableApi } from './types.ts';

/** Where a document stands on one side; a later write of it changes `seq`. */
export type Standing = { readonly seq: number; readonly term: number; readonly version: bigint };
/** By `documentKey`. */
export type Listing = ReadonlyMap<string, Standing>;

/** A search with more matches is not listed: its answer would be larger than what a sample is worth. */
export const maxListed = 5000;

/** Parameters that decide which documents match; all others are about the page. */
const matching = new Set([
  ...['q', 'df', 'analyzer', 'analyze_wildcard', 'default_operator', 'lenient'],
  ...['routing', 'preference', 'ignore_unavailable', 'allow_no_indices', 'expand_wildcards', 'search_pipeline'],
]);
const ofHits = ['_id', '_index', '_routing', '_seq_no', '_primary_term', '_version'].map((name) => `hits.hits.${name}`);
const ofShards = ['total', 'successful', 'failed'].map((name) => `_shards.${name}`);
const parts = [...ofHits, ...ofShards, 'timed_out'];

const queryText = (body: Uint8Array | undefined): string => {
  if (body === undefined || body.length === 0) return '';
  const found = members(body, skipSpace(body, 0), ['query', 'derived']);
  return (['query', 'derived'] as const)
    .flatMap((name) => (found[name] === undefined ? [] : [`"${name}":${rawOf(body, found[name])},`]))
    .join('');
};

/** One search as one side is asked: path and query raw, the body in clear JSON. */
export type WireSearch = { readonly path: string; readonly query: string; readonly body: Buffer | undefined };

const isListable = (api: ComparableApi, { query, body }: WireSearch): boolean => {
  if (api !== 'search' && api !== 'count') return false;
  const parameters = parseQuery(query);
  if (parameters.has('source')) return false;
  return searchFacts(body && parseBody(body), parameters).neighbours === 'none';
};

/**
 * The search (a POST) that lists what `search` matches; undefined where that cannot be said (other APIs, neighbours).
 * @throws SyntaxError when the body is no JSON
 */
export const listingRequest = (api: ComparableApi, search: WireSearch): WireSearch | undefined => {
  if (!isListable(api, search)) return undefined;
  const kept = [...parseQuery(search.query)].filter(([name]) => matching.has(name));
  const fixed = `"size":${maxListed},"_source":false,"version":true,"seq_no_primary_term":true,"sort":["_doc"]`;
  return {
    path: search.path.replace(/_count$/, '_search'),
    query: new URLSearchParams([...kept, ['filter_path', parts.join(',')]]).toString(),
    body: Buffer.from(`{${queryText(search.body)}${fixed}}`),
  };
};

/** Versions may exceed 2^53: they are read as text. A quote inside a string is escaped, so this meets names only. */
const parseVersions = (body: Uint8Array): Json | undefined =>
  parseText(
    Buffer.from(body.buffer, body.byteOffset, body.byteLength)
      .toString('utf8')
      .replaceAll(/"_version":(\d+)/g, '"_version":"$1"'),
  );

const versionOf = (doc: Json): bigint | undefined => {
  const text = stringMember(doc, '_version');
  return text === undefined ? undefined : BigInt(text);
};

const standingOf = (doc: Json): Standing | undefined => {
  const [seq, term, version] = [numberMember(doc, '_seq_no'), numberMember(doc, '_primary_term'), versionOf(doc)];
  return seq === undefined || term === undefined || version === undefined ? undefined : { seq, term, version };
};

const separator = '\u0000';
const documentKey = (doc: Json, renameIndex: (name: string) => string): string =>
  [renameIndex(stringMember(doc, '_index') ?? ''), stringMember(doc, '_routing') ?? '', stringMember(doc, '_id')].join(
    separator,
  );
/** The document's id as paths of differences name it. */
export const idOf = (key: string): string => key.slice(key.lastIndexOf(separator) + 1);

const listingOf = (docs: readonly Json[], renameIndex: (name: string) => string): Listing | undefined => {
  const listing = new Map<string, Standing>();
  for (const doc of docs) {
    const standing = standingOf(doc);
    if (standing === undefined) return undefined;
    listing.set(documentKey(doc, renameIndex), standing);
  }
  return listing;
};

const isWhole = (answer: Json): boolean => {
  const shards = member(answer, '_shards');
  return member(answer, 'timed_out') === false && isObject(shards) && !lacksShards(shards);
};

/** What the answer to a `listingRequest` says; undefined when it is not complete. */
export const readListing = (body: Uint8Array, renameIndex: (name: string) => string): Listing | undefined => {
  const answer = parseVersions(body);
  if (!isObject(answer) || !isWhole(answer)) return undefined;
  const hits = arrayMember(member(answer, 'hits'), 'hits') ?? [];
  return hits.length >= maxListed ? undefined : listingOf(hits, renameIndex);
};

const isFound = (doc: Json): boolean => member(doc, 'found') === true;

/** Answers to reads by id say themselves where their documents stand; undefined for any other API. */
export const documentsIn = (
  api: ComparableApi,
  body: Uint8Array,
  renameIndex: (name: string) => string,
): Listing | undefined => {
  if (api !== 'get' && api !== 'mget') return undefined;
  const answer = parseVersions(body);
  if (!isObject(answer)) return undefined;
  const docs = api === 'get' ? [answer] : arrayMember(answer, 'docs');
  // A bare `_source` says nothing of where it stands.
  if (docs === undefined || (api === 'get' && member(answer, 'found') === undefined)) return undefined;
  return listingOf(docs.filter(isFound), renameIndex);
};
