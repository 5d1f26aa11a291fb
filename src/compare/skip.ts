/**
 * Requests whose two answers could differ for reasons that say nothing about the other side: random or clocked scoring,
 * answers cut off by time, cursors and nodes of one cluster, fields that hold a cluster's own bookkeeping. They are not
 * asked again; each reason is counted.
 */
import { isObject, type Json, member, parseText, stringMember } from './json-value.ts';
import { bodyOf, isTrue, parseQuery, type Query, someMember } from './request.ts';
import type { ComparableApi, ComparedRequest, SkipReason } from './types.ts';

const hasName =
  (...names: string[]) =>
  (body: Json): boolean =>
    someMember(body, (name) => names.includes(name));

const hasTrue = (wanted: string) => (body: Json) => member(body, wanted) === true;

const clock =
  /Math\s*\.\s*random|currentTimeMillis|nanoTime|new\s+Date\s*\(\s*\)|(?:Instant|ZonedDateTime|LocalDateTime|LocalDate)\s*\.\s*now/;
const scriptMembers = new Set([
  'script',
  'source',
  'inline',
  'init_script',
  'map_script',
  'combine_script',
  'reduce_script',
]);
const readsClock = (body: Json): boolean =>
  someMember(body, (name, value) => scriptMembers.has(name) && typeof value === 'string' && clock.test(value));

/** `_index` holds the name of one side, which the other does not know by that value. */
const localFields = new Set(['_seq_no', '_primary_term', '_version', '_index']);
const namesLocalField = (value: Json): boolean =>
  typeof value === 'string'
    ? localFields.has(value.replace(/:(asc|desc)$/, ''))
    : Array.isArray(value) && value.some(namesLocalField);
const fieldMembers = new Set(['field', 'fields', 'sort', 'docvalue_fields', 'stored_fields']);
const readsLocalField = (body: Json): boolean =>
  someMember(body, (name, value) => localFields.has(name) || (fieldMembers.has(name) && namesLocalField(value)));

const queryText = new Set(['query', 'q']);
/** Date math inside the query-string syntax, where it cannot be told from words with certainty. */
const mentionsNow = (text: string): boolean => /[[{:<>=\s"]now(?:[-+/|\]}\s"]|$)/.test(text);
const queryStringNow = (body: Json): boolean =>
  someMember(
    body,
    (name, value) => queryText.has(name) && typeof value === 'string' && /[[<>]/.test(value) && mentionsNow(value),
  );

type Rule = { reason: SkipReason; inBody: (body: Json) => boolean };

/** In the order in which the reason is reported. The server hashes shard and index name into random scores. */
const bodyRules: readonly Rule[] = [
  { reason: 'random', inBody: hasName('random_score', 'random_sampler') },
  { reason: 'script_clock', inBody: readsClock },
  { reason: 'terminate_after', inBody: (body) => member(body, 'terminate_after') !== undefined },
  { reason: 'timeout', inBody: (body) => member(body, 'timeout') !== undefined },
  { reason: 'profile', inBody: hasTrue('profile') },
  { reason: 'point_in_time', inBody: (body) => member(body, 'pit') !== undefined },
  { reason: 'slice', inBody: (body) => member(body, 'slice') !== undefined },
  { reason: 'cluster_local_field', inBody: readsLocalField },
  { reason: 'now', inBody: queryStringNow },
];

const nodePreference = /^_(shards|only_nodes|prefer_nodes|primary|replica)/;

const skipQuery = (query: Query): SkipReason | undefined => {
  if (query.has('scroll')) return 'scroll';
  if (query.has('terminate_after')) return 'terminate_after';
  if (query.has('timeout') || query.has('cancel_after_time_interval')) return 'timeout';
  if (isTrue(query, 'profile')) return 'profile';
  if (nodePreference.test(query.get('preference') ?? '')) return 'node_preference';
  if (localFields.has((query.get('sort') ?? '').replace(/:(asc|desc)$/, ''))) return 'cluster_local_field';
  if (mentionsNow(query.get('q') ?? '')) return 'now';
  return (query.get('format') ?? 'json') === 'json' ? undefined : 'not_json';
};

const skipBody = (body: Json): SkipReason | undefined => bodyRules.find(({ inBody }) => inBody(body))?.reason;

/** Headers of msearch items may hold what elsewhere are parameters. */
const skipHeader = (header: Json): SkipReason | undefined =>
  nodePreference.test(stringMember(header, 'preference') ?? '')
    ? 'node_preference'
    : member(header, 'cancel_after_time_interval') === undefined
      ? undefined
      : 'timeout';

const skipLines = (body: Uint8Array): SkipReason | undefined => {
  const lines = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8').split('\n');
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const value = parseText(line);
    if (!isObject(value)) return 'not_json';
    const reason = i % 2 === 0 ? skipHeader(value) : skipBody(value);
    if (reason) return reason;
  }
  return undefined;
};

const isNdjson = (api: ComparableApi): boolean => api === 'msearch' || api === 'msearch_template';
/** Reads by id name `_index` and `_version` for their own purposes. */
const isById = (api: ComparableApi): boolean =>
  api === 'get' || api === 'mget' || api === 'termvectors' || api === 'mtermvectors';

/** Why this request cannot be compared; undefined = it can. Date math in search bodies is freezeNow's matter. */
export const skipReason = (api: ComparableApi, request: ComparedRequest): SkipReason | undefined => {
  const query = parseQuery(request.query);
  const reason = skipQuery(query);
  if (reason || isById(api)) return reason;
  if (isNdjson(api)) return request.body === undefined ? undefined : skipLines(request.body);
  const body = bodyOf(request, query);
  if (body !== undefined) return skipBody(body);
  return request.body !== undefined && request.body.length > 0 ? 'not_json' : undefined;
};
