/**
 * Decides whether a follower's answer to a read may go to the client. The client must never be worse off because a
 * percentage sent it to the follower, so anything that could be the follower's own fault (errors, a missing index, partial
 * results) or that only the authority can say (concurrency tokens) is asked of the authority instead. A wrong query is
 * thereby asked twice and fails with the authority's own words.
 */
import { lacksShards } from '../../compare/gate.ts';
import type { Json } from '../../compare/json-value.ts';
import { applyEdits, eachElement, eachMember, members, parseSlice, rawOf, skipSpace } from '../../json/scan.ts';
import type { UpstreamAnswer } from '../../upstream/types.ts';
import type { Family } from '../types.ts';
import { docsTokenEdits, saysNotFound, type TokenRules, tokenEdits } from './follower-tokens.ts';

/** Why the authority was asked after the follower; label values of an event. */
export const fallbackCauses = [
  'unreachable',
  'reset',
  'timeout',
  'too_large',
  'server_error',
  'throttled',
  'denied',
  'client_error',
  'not_found',
  'partial',
  'tokens',
  'unreadable',
  'slow',
] as const;
export type FallbackCause = (typeof fallbackCauses)[number];

export type Judgement =
  | { readonly kind: 'use'; readonly body: Buffer }
  /** `failed`: the follower is to blame, and the breaker counts it. */
  | { readonly kind: 'ask_authority'; readonly cause: FallbackCause; readonly failed: boolean };

export type JudgedRead = {
  readonly family: Family;
  /** Operation group of the REST table: tells `exists` and `get_source` from `get`. */
  readonly group: string;
  readonly head: boolean;
  readonly tokens: TokenRules;
};

const ask = (cause: FallbackCause, failed = false): Judgement => ({ kind: 'ask_authority', cause, failed });

const statusCause = (status: number): Judgement => {
  if (status >= 500) return ask('server_error', true);
  if (status === 429) return ask('throttled', true);
  if (status === 401 || status === 403) return ask('denied', true);
  if (status === 404) return ask('not_found');
  return ask('client_error');
};

export const isJson = (answer: Pick<UpstreamAnswer, 'headers'>): boolean => {
  const type = answer.headers['content-type'];
  return typeof type === 'string' && /^application\/(json|vnd\.[a-z]+\+json)\b/i.test(type);
};

const isObject = (body: Buffer): boolean => body[skipSpace(body, 0)] === 0x7b;

export const judgeFollower = (read: JudgedRead, answer: UpstreamAnswer): Judgement => {
  if (answer.status === 404 && isAbsentDocument(read, answer)) return { kind: 'use', body: answer.body };
  if (answer.status !== 200) return statusCause(answer.status);
  if (read.head) return { kind: 'use', body: answer.body };
  if (!isJson(answer)) return ask('unreadable');
  try {
    return judgeBody(read, answer.body);
  } catch {
    return ask('unreadable');
  }
};

/** A document that is not there, as opposed to an index that is not there; HEAD says neither. */
const isAbsentDocument = ({ family, head }: JudgedRead, answer: UpstreamAnswer): boolean => {
  if (family !== 'get' || head || !isJson(answer) || !isObject(answer.body)) return false;
  const { error } = members(answer.body, 0, ['error']);
  if (error === undefined) return saysNotFound(answer.body, 0);
  const reason = parseSlice(answer.body, error);
  return (
    typeof reason === 'object' && reason !== null && 'type' in reason && reason.type === 'resource_not_found_exception'
  );
};

const judgeBody = (read: JudgedRead, body: Buffer): Judgement => {
  switch (read.family) {
    case 'get':
      // The answer of `_source` is the document itself: nothing in it is the server's.
      return isSourceOnly(read.group) ? { kind: 'use', body } : judgeTokens(body, tokenEdits(body, 0, read.tokens));
    case 'mget':
      return hasFailedItem(body, 'docs') ? ask('partial') : judgeTokens(body, docsTokenEdits(body, read.tokens));
    case 'mtermvectors':
      return hasFailedItem(body, 'docs') ? ask('partial') : { kind: 'use', body };
    case 'msearch':
    case 'msearch_template':
      return hasFailedItem(body, 'responses') ? ask('partial') : judgeHits(body);
    default:
      return isPartial(body, 0) ? ask('partial', true) : judgeHits(body);
  }
};

export const isSourceOnly = (group: string): boolean => group === 'get_source' || group === 'exists_source';

const judgeTokens = (body: Buffer, edits: ReturnType<typeof tokenEdits>): Judgement =>
  edits === undefined ? ask('tokens') : { kind: 'use', body: applyEdits(body, edits) };

/** A request that asks for tokens was never sent here, unless a stored template asked for them unseen. */
const judgeHits = (body: Buffer): Judgement => (body.includes('"_seq_no"') ? ask('tokens') : { kind: 'use', body });

/** Shards failed or have no copy, or the time ran out, before everything was read. */
const isPartial = (body: Uint8Array, at: number): boolean => {
  let partial = false;
  eachMember(body, at, (key, value) => {
    if (key === 'timed_out') partial ||= rawOf(body, value) === 'true';
    if (key === '_shards') partial ||= lacksShards(parseSlice(body, value) as Json);
    return !partial && key !== 'hits' && key !== 'aggregations';
  });
  return partial;
};

const hasFailedItem = (body: Buffer, key: 'docs' | 'responses'): boolean => {
  const list = members(body, 0, [key])[key];
  if (list === undefined) return true;
  let failed = false;
  eachElement(body, list.start, ({ start }) => {
    failed = hasError(body, start) || isPartial(body, start);
    return !failed;
  });
  return failed;
};

const hasError = (body: Buffer, at: number): boolean => {
  let error = false;
  eachMember(body, at, (key) => {
    error ||= key === 'error';
    return !error && key !== '_source' && key !== 'hits';
  });
  return error;
};
