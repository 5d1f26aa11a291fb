/**
 * What must be settled before contents are compared: did both sides answer at all, with the same status, completely?
 * Only a complete answer of the authority can judge the other side; a 200 may be partial, since searches go on without
 * a failed shard by default.
 */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import type { Bodies } from './items.ts';
import { type Json, member, numberMember, objectMember, stringMember } from './json-value.ts';
import type { DiscardReason } from './types.ts';

/** The head of an answer, or of one item of an msearch. `status` 0 = no answer. */
export type Outcome = { status: number; failure?: string | undefined; body: Json | undefined };
/** `done`: nothing of the contents is to be compared any more. */
export type Gate =
  { kind: 'compare' } | { kind: 'done' } | { kind: 'discard'; reason: DiscardReason; otherBetter?: true };

/** Failures and overload say nothing about the data. */
const isFailed = ({ status, failure }: Outcome): boolean =>
  failure !== undefined || status === 0 || status >= 500 || status === 429;
const isError = ({ status }: Outcome): boolean => status >= 400;

/** The class of an exception in front of its message. */
const exceptionClass = /^(?:Elasticsearch|OpenSearch)?([A-Z]\w*(?:Exception|Error))(?:\[|$)/;
/** What a text says beside it may name documents, and is told to nobody. */
const untyped = 'untyped';

const typeInText = (text: string): string => {
  const name = exceptionClass.exec(text)?.[1];
  return name === undefined ? untyped : name.replace(/(?!^)[A-Z]/g, '_$&').toLowerCase();
};

/** `error` is an object, or plain text where the cluster is set to tell no details. */
export const errorType = (body: Json | undefined): string | undefined => {
  const text = stringMember(body, 'error');
  return text === undefined ? stringMember(objectMember(body, 'error'), 'type') : typeInText(text);
};

const outcomeText = ({ status, failure, body }: Outcome): string =>
  failure ?? [status, errorType(body)].filter(Boolean).join(' ');

const reportStatus = (
  context: Context,
  path: Path | undefined,
  sides: { authority: Outcome; other: Outcome },
  severity: 'S0' | 'S1',
): Gate => {
  const noAnswer = sides.other.failure !== undefined || sides.other.status === 0;
  report(context, {
    severity: severity,
    kind: noAnswer ? 'no_answer' : 'status',
    path: child(path, 'status'),
    authority: outcomeText(sides.authority),
    other: outcomeText(sides.other),
  });
  return { kind: 'done' };
};

const compareErrors = (
  context: Context,
  path: Path | undefined,
  sides: { authority: Outcome; other: Outcome },
): Gate => {
  const [authority, other] = [errorType(sides.authority.body), errorType(sides.other.body)];
  // A missing document against a missing index is no matter of wording.
  const isOther = (authority === undefined) !== (other === undefined);
  if (authority !== other)
    report(context, {
      severity: isOther ? 'S1' : 'S9',
      kind: 'error_type',
      path: child(path, 'error'),
      authority: authority ?? null,
      other: other ?? null,
    });
  return { kind: 'done' };
};

/** `_source` of a document that is not there is the only absence that comes as an error. */
const noDocument = 'resource_not_found_exception';

/** A document that is not there: its absence is a difference of data, not of status. */
const isAbsence = ({ status, body }: Outcome): boolean => {
  const type = errorType(body);
  return status === 404 && (type === undefined || type === noDocument);
};

export const gateStatus = (
  context: Context,
  path: Path | undefined,
  sides: { authority: Outcome; other: Outcome },
  absenceIsData = false,
): Gate => {
  const { authority, other } = sides;
  if (isFailed(authority))
    return { kind: 'discard', reason: 'authority_failed', ...(!isFailed(other) && { otherBetter: true }) };
  if (isFailed(other)) return reportStatus(context, path, sides, 'S0');
  if (absenceIsData && (isAbsence(authority) || !isError(authority)) && (isAbsence(other) || !isError(other)))
    return { kind: 'compare' };
  if (authority.status !== other.status) return reportStatus(context, path, sides, 'S1');
  return isError(authority) ? compareErrors(context, path, sides) : { kind: 'compare' };
};

/** A shard without any copy is not reported as failed: it only lacks among the successful ones. */
export const lacksShards = (shards: Json | undefined): boolean => {
  const [total, successful, failed] = ['total', 'successful', 'failed'].map((name) => numberMember(shards, name));
  return (failed ?? 0) > 0 || (total !== undefined && successful !== undefined && successful < total);
};

const isPartial = (body: Json): boolean => member(body, 'timed_out') === true || lacksShards(member(body, '_shards'));

const isTerminated = (body: Json): boolean => member(body, 'terminated_early') === true;

const completenessOf = (body: Json): Json => ({
  timed_out: member(body, 'timed_out') ?? null,
  total: member(member(body, '_shards'), 'total') ?? null,
  successful: member(member(body, '_shards'), 'successful') ?? null,
  failed: member(member(body, '_shards'), 'failed') ?? null,
});

export type CompletenessOptions = {
  path: Path | undefined;
  /** Some servers report `terminated_early` of complete answers; it counts only where the request allows it, or may. */
  mayStopEarly: boolean | undefined;
};

/** Partial answers: useless on the authority, a finding on the other side alone. */
export const gateCompleteness = (
  context: Context,
  { authority, other }: Bodies,
  { path, mayStopEarly }: CompletenessOptions,
): Gate => {
  if (isPartial(authority)) return { kind: 'discard', reason: 'authority_partial' };
  if (isPartial(other)) {
    const pair = { authority: completenessOf(authority), other: completenessOf(other) };
    report(context, { severity: 'S2', kind: 'partial', path: child(path, '_shards'), ...pair });
    return { kind: 'done' };
  }
  const stopped = mayStopEarly !== false && (isTerminated(authority) || isTerminated(other));
  return stopped ? { kind: 'discard', reason: 'terminated_early' } : { kind: 'compare' };
};
