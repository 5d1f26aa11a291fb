/** A request without its literals: clauses, field names and options stay, so that people see what was asked. */
import { isObject, type Json, parseText, textOf } from './json-value.ts';
import { below, hashed, isClear, mapMembers, type Redaction, redactLeaf, type Scope } from './redaction.ts';
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

const redactQuery = (value: Json, scope: Scope): Json => {
  if (isClear(scope)) return value;
  if (Array.isArray(value)) return value.map((item) => redactQuery(item, scope));
  if (!isObject(value)) return redactLeaf(value, scope);
  return mapMembers(value, (item, name) =>
    structuralOptions.has(name) && isPlain(item)
      ? item
      : name === 'sort'
        ? redactSort(item, scope)
        : redactQuery(item, below(scope, name)),
  );
};

/** `{"price": "asc"}` and the like: the order is no literal. */
const redactSort = (value: Json, scope: Scope): Json => {
  if (Array.isArray(value)) return value.map((item) => redactSort(item, scope));
  if (!isObject(value)) return value;
  return mapMembers(value, (item, name) =>
    item === 'asc' || item === 'desc' ? item : redactQuery(item, below(scope, name)),
  );
};

const redactText = (text: string, scope: Scope): string => {
  if (text.trim() === '') return text;
  const value = parseText(text);
  return value === undefined ? hashed(text, scope) : textOf(redactQuery(value, scope));
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

/** What follows the API in a path is an id. */
const redactPath = (path: string, scope: Scope): string => {
  const segments = path.split('/');
  const api = segments.findIndex((segment) => segment.startsWith('_'));
  const isId = (segment: string, i: number) => api > 0 && i > api && segment !== '' && !segment.startsWith('_');
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
    path: redactPath(request.path, scope),
    query: redactParameters(request.query, scope),
    ...(request.body !== undefined && request.body.length > 0 && { body: redactBody(api, request.body, scope) }),
  };
};
