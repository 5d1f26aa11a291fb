/**
 * Makes a sample safe to keep and to show: literals of the request and contents of documents become hashes keyed per
 * installation. Equal values stay equal, so a difference can still be seen and followed; nothing can be read back.
 * Structure (clause types, field names, counts, scores, error types) stays. Fields on the allow list stay clear.
 * Authorization, cookies and every header that is not known to be harmless are dropped.
 */
import { isObject, type Json, type JsonObject, parseBody, parseText, textOf } from './json-value.ts';
import type { Answer, ComparableApi, ComparedRequest, Difference, PathSegment } from './types.ts';

/** `hash` keyed per installation, short and printable; `clearFields` = names or dotted paths of document fields. */
export type Redaction = { hash: (text: string) => string; clearFields: readonly string[] };

export type RedactedRequest = { method: string; path: string; query: string; body?: string };
export type RedactedAnswer = { status: number; body?: string; failure?: string };

type Scope = { redaction: Redaction; path: string };

const isClear = ({ redaction, path }: Scope): boolean =>
  redaction.clearFields.some(
    (field) =>
      path === field || path.startsWith(`${field}.`) || path.endsWith(`.${field}`) || path.includes(`.${field}.`),
  );

const hashed = (value: Json, { redaction }: Scope): Json =>
  value === null || typeof value === 'boolean'
    ? value
    : `#${redaction.hash(typeof value === 'string' ? value : textOf(value))}`;

const below = (scope: Scope, name: string): Scope => ({
  ...scope,
  path: scope.path === '' ? name : `${scope.path}.${name}`,
});

/** Every leaf hashed, unless the field it belongs to is clear. */
const redactValues = (value: Json, scope: Scope): Json => {
  if (isClear(scope)) return value;
  if (Array.isArray(value)) return value.map((item) => redactValues(item, scope));
  if (!isObject(value)) return hashed(value, scope);
  return mapMembers(value, (item, name) => redactValues(item, below(scope, name)));
};

const mapMembers = (value: JsonObject, map: (item: Json, name: string) => Json): JsonObject =>
  Object.fromEntries(Object.entries(value).map(([name, item]) => [name, map(item, name)]));

/** Options of the query language whose values are structure, not data. */
const structuralOptions = new Set([
  'size',
  'from',
  'order',
  'field',
  'fields',
  'path',
  'type',
  'mode',
  'operator',
  'default_operator',
  'score_mode',
  'boost_mode',
  'boost',
  'minimum_should_match',
  'calendar_interval',
  'fixed_interval',
  'interval',
  'format',
  'unit',
  'track_total_hits',
  'sort',
  '_source',
  'docvalue_fields',
  'stored_fields',
  'buckets_path',
  'precision',
  'precision_threshold',
  'percents',
  'k',
  'min_doc_count',
  'shard_size',
  'analyzer',
  'tie_breaker',
  'fuzziness',
  'slop',
  'gap_policy',
  'keyed',
  'script_fields',
  'lang',
  'distance',
  'modifier',
  'factor',
  'missing',
]);

/** A request body: clauses and field names stay, literals go. */
const redactQuery = (value: Json, scope: Scope): Json => {
  if (isClear(scope)) return value;
  if (Array.isArray(value)) return value.map((item) => redactQuery(item, scope));
  if (!isObject(value)) return hashed(value, scope);
  return mapMembers(value, (item, name) => {
    if (structuralOptions.has(name) && isPlain(item)) return item;
    return redactQuery(item, below(scope, name));
  });
};

const isPlain = (value: Json): boolean =>
  !isObject(value) && (!Array.isArray(value) || value.every((item) => isPlain(item) || isObject(item)));

const isNdjson = (api: ComparableApi): boolean => api === 'msearch' || api === 'msearch_template';

const redactLine = (line: string, scope: Scope): string => {
  const value = parseText(line);
  return value === undefined ? (line === '' ? '' : hashedText(line, scope)) : textOf(redactQuery(value, scope));
};
const hashedText = (text: string, scope: Scope): string => String(hashed(text, scope));

const redactBody = (api: ComparableApi, body: Uint8Array, scope: Scope): string => {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  return isNdjson(api)
    ? text
        .split('\n')
        .map((line) => redactLine(line, scope))
        .join('\n')
    : redactLine(text, scope);
};

/** What follows the API in a path is an id. */
const redactPath = (path: string, scope: Scope): string => {
  const segments = path.split('/');
  const api = segments.findIndex((segment) => segment.startsWith('_'));
  return segments
    .map((segment, i) =>
      i > api && api > 0 && segment !== '' && !segment.startsWith('_') ? hashedText(decoded(segment), scope) : segment,
    )
    .join('/');
};

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
};

const clearParameters = new Set([
  'size',
  'from',
  'sort',
  'search_type',
  'track_total_hits',
  'typed_keys',
  'rest_total_hits_as_int',
  'filter_path',
  '_source',
  'realtime',
  'request_cache',
  'allow_partial_search_results',
  'ignore_unavailable',
  'allow_no_indices',
  'expand_wildcards',
  'fields',
  'default_operator',
]);

const redactParameters = (query: string, scope: Scope): string =>
  [...new URLSearchParams(query.replaceAll(';', '&'))]
    .map(([name, value]) => `${name}=${clearParameters.has(name) || value === '' ? value : hashedText(value, scope)}`)
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

/** Members of an answer that hold data, wherever they stand. */
const dataMembers = new Set([
  '_id',
  '_routing',
  '_source',
  'fields',
  'highlight',
  'sort',
  'key',
  'key_as_string',
  'text',
  'reason',
  'options',
  'after_key',
  'explanation',
  '_explanation',
  'description',
  'caused_by',
  'term_vectors',
  'token',
  'from_as_string',
  'to_as_string',
  'value_as_string',
  'failures',
  '_ignored',
]);
/** Objects keyed by data. */
const keyedByData = new Set(['buckets']);

/** Contents of documents are named by their own paths, so that allow lists fit. */
const isDocument = (name: string): boolean => name === '_source' || name === 'fields' || name === 'highlight';

const redactAnswerValue = (value: Json, name: string, scope: Scope): Json => {
  if (isDocument(name)) return redactValues(value, { ...scope, path: '' });
  if (dataMembers.has(name)) return redactValues(value, below({ ...scope, path: '' }, name));
  if (Array.isArray(value)) return value.map((item) => redactAnswerValue(item, '', scope));
  if (!isObject(value)) return value;
  const mapped = mapMembers(value, (item, inner) => redactAnswerValue(item, inner, scope));
  if (!keyedByData.has(name)) return mapped;
  return Object.fromEntries(Object.entries(mapped).map(([key, item]) => [hashedText(key, scope), item]));
};

/** `GET index/_source/id` answers with the bare document. */
const isSourceRead = (path: string): boolean => path.split('/')[2] === '_source';

export const redactAnswer = (
  request: ComparedRequest,
  { status, body, failure }: Answer,
  redaction: Redaction,
): RedactedAnswer => {
  const scope: Scope = { redaction, path: '' };
  const parsed = parseBody(body);
  const text =
    parsed === undefined
      ? undefined
      : textOf(
          isSourceRead(request.path) && status < 400
            ? redactValues(parsed, scope)
            : redactAnswerValue(parsed, '', scope),
        );
  return { status, ...(text !== undefined && { body: text }), ...(failure && { failure }) };
};

const segmentText = (segment: PathSegment): string => (typeof segment === 'object' ? '' : String(segment));

/** Path inside the document, for allow lists: what follows `_source` or `fields`. */
const fieldPath = (path: readonly PathSegment[]): string => {
  const at = path.findIndex((segment) => segment === '_source' || segment === 'fields');
  return at < 0
    ? ''
    : path
        .slice(at + 1)
        .map(segmentText)
        .join('.');
};

/** Kinds whose previews are numbers of the storage, not data of a document. */
const clearKinds = new Set<Difference['kind']>([
  'no_answer',
  'status',
  'error_type',
  'partial',
  'total',
  'recall',
  'score',
  'max_score',
  'list_length',
  'bucket_count',
  'missing_item',
  'extra_item',
]);

export const redactDifference = (difference: Difference, redaction: Redaction): Difference => {
  const scope: Scope = { redaction, path: fieldPath(difference.path) };
  const path = difference.path.map((segment) =>
    typeof segment === 'object' ? { key: hashedText(segment.key, scope) } : segment,
  );
  if (clearKinds.has(difference.kind) || (scope.path !== '' && isClear(scope))) return { ...difference, path };
  const preview = (text: string | undefined) => (text === undefined ? undefined : hashedText(text, scope));
  const [authority, other] = [preview(difference.authority), preview(difference.other)];
  return {
    severity: difference.severity,
    kind: difference.kind,
    path,
    ...(authority !== undefined && { authority }),
    ...(other !== undefined && { other }),
  };
};
