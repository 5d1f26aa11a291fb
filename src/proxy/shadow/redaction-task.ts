/**
 * What may be kept and shown of a comparison: its request, differences and answers, redacted. The work takes some microseconds
 * for each value, so it is done apart from clients (comparison-thread.ts), and what is too long for an example is left out
 * before. Invariant: what leaves this file as `Redacted` holds no value in clear that the route does not allow.
 */
import { createHmac, createSecretKey } from 'node:crypto';
import { member, numberMember, parseBody } from '../../compare/json-value.ts';
import { type Redaction, redactAnswer, redactDifference, redactRequest } from '../../compare/redact.ts';
import type { SampleRecord } from '../../compare/sample-record.ts';
import {
  type Answer,
  type ComparableApi,
  type ComparedRequest,
  type Difference,
  isComparable,
} from '../../compare/types.ts';
import type { Side } from '../../coordination/records.ts';
import type { ShadowReport } from './ports.ts';

export type Redacted = Pick<SampleRecord, 'request' | 'differences' | 'answers'>;
export type RedactionSettings = { readonly secret: string; readonly clearFields: readonly string[] };
export type RedactionTask = RedactionSettings & {
  readonly api: ComparableApi;
  readonly request: ComparedRequest;
  readonly differences: readonly Difference[];
  readonly answers: Readonly<Record<Side, Answer>>;
};
export type Redact = (task: RedactionTask) => Promise<Redacted>;

const maxDifferences = 50;
/** Longer bodies are left out: the differences say what matters. */
const maxBodyBytes = 64 * 1024;

const nothing = Buffer.alloc(0);

const shortened = ({ status, body, failure }: ShadowReport['answers'][Side]): Answer => ({
  status,
  body: body.length > maxBodyBytes ? nothing : body,
  ...(failure !== undefined && { failure: failure as NonNullable<Answer['failure']> }),
});

/** Undefined where the request is of an API that is not compared. */
export const redactionTaskOf = (report: ShadowReport, settings: RedactionSettings): RedactionTask | undefined => {
  const { family, request, answers, observation } = report;
  if (!isComparable(family)) return undefined;
  const isLong = (request.body?.length ?? 0) > maxBodyBytes;
  return {
    ...settings,
    api: family,
    request: isLong ? { ...request, body: undefined } : request,
    differences: observation.differences.slice(0, maxDifferences),
    answers: { source: shortened(answers.source), target: shortened(answers.target) },
  };
};

/** Equal values have equal hashes over samples and members of one installation; nothing can be read back. */
const redactionWith = ({ secret, clearFields }: RedactionSettings): Redaction => {
  const key = createSecretKey(secret, 'utf8');
  const known = new Map<string, string>();
  const hash = (text: string): string => {
    const hashed = known.get(text) ?? createHmac('sha256', key).update(text).digest('base64url').slice(0, 12);
    known.set(text, hashed);
    return hashed;
  };
  return { hash, clearFields };
};

const keptAnswer = (
  request: ComparedRequest,
  answer: Answer,
  redaction: Redaction,
): SampleRecord['answers']['source'] => {
  const shards = numberMember(member(parseBody(answer.body), '_shards'), 'total');
  const { body } = redactAnswer(request, answer, redaction);
  return {
    status: answer.status,
    ...(answer.failure !== undefined && { failure: answer.failure }),
    ...(body !== undefined && { body }),
    ...(shards !== undefined && { shards }),
  };
};

export const redacted = ({ api, request, differences, answers, ...settings }: RedactionTask): Redacted => {
  const redaction = redactionWith(settings);
  const of = (side: Side) => keptAnswer(request, answers[side], redaction);
  return {
    request: redactRequest(api, request, redaction),
    differences: differences.map((difference) => {
      const { path, ...rest } = redactDifference(difference, redaction);
      return { ...rest, path: [...path] };
    }),
    answers: { source: of('source'), target: of('target') },
  };
};
