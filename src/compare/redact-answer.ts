/**
 * An answer without its data: counts, scores and the structure stay; contents of documents, ids, keys and sort values
 * are hashed, and so is every text that is not known to be the storage's own. Numbers that aggregations computed stay.
 */
import { isObject, type Json, type JsonObject, mapMembers, member, parseBody, textOf } from './json-value.ts';
import { hashed, type Redaction, redactLeaf, redactValues, type Scope } from './redaction.ts';
import { isSourceRead } from './request.ts';
import { asBuffer } from './same-bytes.ts';
import type { Answer, ComparedRequest } from './types.ts';

export type RedactedAnswer = { status: number; body?: string; failure?: string };

/** Members that hold data of documents, numbers included. */
const dataMembers = new Set(['sort', 'key', 'from', 'to', 'after_key', 'options', 'failures', 'bounds', 'location']);
/** Texts of the storage itself. */
const clearTexts = new Set([
  '_index',
  '_type',
  'relation',
  'type',
  'interval',
  'result',
  'resource.type',
  'phase',
  'node',
]);
/** Objects whose member names are data; `values` are those that the ranks of percentiles are asked of. */
const keyedByData = new Set(['buckets', 'terms', 'values']);
const keyedWithPercents = new Set(['buckets', 'terms']);

type AnswerScope = Scope & { readonly keyedByData: ReadonlySet<string> };
/** Fields stand below them, and are named by their own paths, so that allow lists fit. No other member is a field. */
const documentMembers = new Set(['_source', 'fields', 'highlight', 'ignored_field_values']);

const redactAny = (value: Json, name: string, scope: AnswerScope): Json => {
  if (documentMembers.has(name)) return redactValues(value, scope);
  if (name === 'value' && isContainer(value)) return redactAll(value, scope);
  if (dataMembers.has(name)) return name === 'failures' ? redactFailures(value, scope) : redactData(value, scope);
  if (Array.isArray(value)) return value.map((item) => redactAny(item, name, scope));
  if (isObject(value)) return redactMembers(value, name, scope);
  return typeof value === 'string' && !clearTexts.has(name) ? redactLeaf(value, scope) : value;
};

/** Completions hold documents among their data. */
const redactData = (value: Json, scope: Scope): Json => {
  if (Array.isArray(value)) return value.map((item) => redactData(item, scope));
  if (!isObject(value)) return redactLeaf(value, scope);
  return mapMembers(value, (item, name) =>
    documentMembers.has(name) ? redactValues(item, scope) : redactData(item, scope),
  );
};

/** Of shards in a list, of rated queries by their id. */
const redactFailures = (value: Json, scope: Scope): Json =>
  isObject(value)
    ? Object.fromEntries(Object.entries(value).map(([id, item]) => [hashed(id, scope), redactData(item, scope)]))
    : redactData(value, scope);

const isContainer = (value: Json): boolean => typeof value === 'object' && value !== null;

/** What a script made of its metric: names and values alike. */
const redactAll = (value: Json, scope: Scope): Json => {
  if (Array.isArray(value)) return value.map((item) => redactAll(item, scope));
  if (!isObject(value)) return redactLeaf(value, scope);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [hashed(name, scope), redactAll(item, scope)]));
};

const redactMembers = (value: JsonObject, name: string, scope: AnswerScope): Json => {
  const redacted = mapMembers(value, (item, inner) => redactAny(item, inner, scope));
  if (!hasDataForNames(value, name, scope)) return redacted;
  return Object.fromEntries(Object.entries(redacted).map(([key, item]) => [hashed(key, scope), item]));
};

/**
 * Buckets may stand in a list, whose elements are named like it, or in an object by key; ratings stand by the id of their
 * query, scores of named queries by the name that the client gave them.
 */
const hasDataForNames = (value: JsonObject, name: string, scope: AnswerScope): boolean => {
  if (name === 'matched_queries') return true;
  if (name === 'details') return Object.values(value).every((item) => member(item, 'metric_score') !== undefined);
  return scope.keyedByData.has(name) && typeof value['doc_count'] !== 'number';
};

/** Both answer in the same form. Of a template it is not known what it asks. */
const asksForPercentsOnly = ({ query, body }: ComparedRequest): boolean => {
  const asks = (kind: string) => query.includes(kind) || (body !== undefined && asBuffer(body).includes(kind));
  return asks('percentiles') && !asks('percentile_ranks');
};

const isDocument = (request: ComparedRequest, status: number): boolean => isSourceRead(request) && status < 400;

export const redactAnswer = (
  request: ComparedRequest,
  { status, body, failure }: Answer,
  redaction: Redaction,
): RedactedAnswer => {
  const keyed = asksForPercentsOnly(request) ? keyedWithPercents : keyedByData;
  const scope: AnswerScope = { redaction, path: '', keyedByData: keyed };
  const parsed = parseBody(body);
  if (parsed === undefined) return { status, ...(failure && { failure }) };
  return {
    status,
    body: textOf(isDocument(request, status) ? redactValues(parsed, scope) : redactAny(parsed, '', scope)),
  };
};
