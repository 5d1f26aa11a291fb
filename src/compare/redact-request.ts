/**
 * A request without its literals: clauses, field names and options stay, so that people see what was asked. A field is on
 * the allow list by its own name, wherever a clause names it; the names of the language itself are never looked up there.
 */
import { isOptionAt, type Place, placeBelow, placeInList } from './body-places.ts';
import { isObject, type Json, type JsonObject, mapMembers, parseText, textOf } from './json-value.ts';
import { below, hashed, isClear, type Redaction, redactLeaf, type Scope } from './redaction.ts';
import type { ComparableApi, ComparedRequest } from './types.ts';

export type RedactedRequest = { method: string; path: string; query: string; body?: string };

/** Options of the query language whose values are structure, not data. */
const structuralOptions = new Set(
  `size from order field fields path type mode operator default_operator score_mode boost_mode boost minimum_should_match
   calendar_interval fixed_interval interval format unit track_total_hits sort _source docvalue_fields stored_fields buckets_path
   precision precision_threshold percents k min_doc_count shard_size analyzer tie_breaker fuzziness slop gap_policy keyed
   distance modifier factor`.split(/\s+/),
);

const isPlain = (value: Json): boolean =>
  !isObject(value) && (!Array.isArray(value) || value.every((item) => typeof item === 'string'));

type Spot = Scope & { readonly place: Place };

/** Field names stand below clauses and in what the application put there; options of a field belong to it. */
const fieldScope = (spot: Spot, name: string): Scope => {
  const { place, redaction } = spot;
  if (place === 'data') return below(spot, name);
  return { redaction, path: place === 'fields' ? name : place === 'field' ? spot.path : '' };
};

const into = (spot: Spot, name: string): Spot => {
  const place = placeBelow(spot.place, name);
  const scope = fieldScope(spot, name);
  return { ...(place === 'data' && spot.place !== 'data' ? { ...scope, path: '' } : scope), place };
};

const redactQuery = (value: Json, spot: Spot): Json => {
  const { place } = spot;
  if (Array.isArray(value)) return value.map((item) => redactQuery(item, { ...spot, place: placeInList(place) }));
  if (!isObject(value)) return isClear(spot) ? value : redactLeaf(value, spot);
  const redacted = mapMembers(value, (item, name) => redactMember(item, name, spot));
  return madeUp.has(place) ? withoutNames(redacted, spot) : redacted;
};

const redactMember = (item: Json, name: string, spot: Spot): Json => {
  if (isOptionAt(spot.place, name, structuralOptions) && isPlain(item)) return item;
  const inner = into(spot, name);
  return name === 'sort' && inner.place === 'fields'
    ? redactSort(item, { ...spot, place: inner.place })
    : redactQuery(item, inner);
};

/** Where names are literals too: keys of maps, and of the buckets that the filters make. */
const madeUp: ReadonlySet<Place> = new Set<Place>(['data', 'filters']);

const withoutNames = (value: JsonObject, spot: Spot): JsonObject =>
  Object.fromEntries(
    Object.entries(value).map(([name, item]) => [isClear(into(spot, name)) ? name : hashed(name, spot), item]),
  );

/** `{"price": "asc"}` and the like: the order is no literal. */
const redactSort = (value: Json, spot: Spot): Json => {
  if (Array.isArray(value)) return value.map((item) => redactSort(item, spot));
  if (!isObject(value)) return value;
  return mapMembers(value, (item, name) =>
    item === 'asc' || item === 'desc' ? item : redactQuery(item, into(spot, name)),
  );
};

const redactText = (text: string, scope: Scope): string => {
  if (text.trim() === '') return text;
  const value = parseText(text);
  return value === undefined ? hashed(text, scope) : textOf(redactQuery(value, { ...scope, place: 'top' }));
};

const redactBody = (api: ComparableApi, body: Uint8Array, scope: Scope): string => {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  if (api !== 'msearch' && api !== 'msearch_template') return redactText(text, scope);
  return text
    .split('\n')
    .map((line) => redactText(line, scope))
    .join('\n');
};

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

/** `/index/_search/template` asks by a template, whose id stands in the body. */
const isTemplate = (segments: readonly string[], i: number): boolean =>
  segments[i] === 'template' && /^_m?search$/.test(segments[i - 1] ?? '');

/** The id stands last of what equals it; where nobody has told it, whatever follows the API is one. */
const redactPath = ({ path, id }: ComparedRequest, scope: Scope): string => {
  const segments = path.split('/');
  const api = segments.findIndex((segment) => segment.startsWith('_'));
  const own = id === undefined ? -1 : segments.findLastIndex((segment) => decoded(segment) === id);
  const isId = (segment: string, i: number) =>
    i === own || (api > 0 && i > api && segment !== '' && !segment.startsWith('_') && !isTemplate(segments, i));
  return segments.map((segment, i) => (isId(segment, i) ? hashed(decoded(segment), scope) : segment)).join('/');
};

const clearParameters = new Set(
  `size from sort search_type track_total_hits typed_keys rest_total_hits_as_int filter_path _source realtime request_cache
   allow_partial_search_results ignore_unavailable allow_no_indices expand_wildcards fields default_operator`.split(
    /\s+/,
  ),
);

const redactParameters = (query: string, scope: Scope): string =>
  [...new URLSearchParams(query.replaceAll(';', '&'))]
    .map(([name, value]) => `${name}=${clearParameters.has(name) || value === '' ? value : hashed(value, scope)}`)
    .join('&');

export const redactRequest = (api: ComparableApi, request: ComparedRequest, redaction: Redaction): RedactedRequest => {
  const scope: Scope = { redaction, path: '' };
  return {
    method: request.method,
    path: redactPath(request, scope),
    query: redactParameters(request.query, scope),
    ...(request.body !== undefined && request.body.length > 0 && { body: redactBody(api, request.body, scope) }),
  };
};
