/** From a shadow report to what may be kept and shown of it. What leaves this file is redacted. */
import { createHmac } from 'node:crypto';
import { member, numberMember, parseBody } from '../compare/json-value.ts';
import { type Redaction, redactAnswer, redactDifference, redactRequest } from '../compare/redact.ts';
import type { ReplayRecord, SampleRecord } from '../compare/sample-record.ts';
import { type ComparableApi, type Difference, isComparable, type Severity } from '../compare/types.ts';
import type { Side } from '../coordination/records.ts';
import type { ShadowAnswer, ShadowReport } from '../proxy/shadow/ports.ts';

const maxDifferences = 50;
/** Longer answers are kept without their body: the differences say what matters. */
const maxAnswerBytes = 64 * 1024;

/** Equal values have equal hashes over samples and members of one installation; nothing can be read back. */
export const redactionWith = (secret: string, clearFields: readonly string[]): Redaction => ({
  hash: (text) => createHmac('sha256', secret).update(text).digest('base64url').slice(0, 12),
  clearFields,
});

const summaryOf = (differences: readonly Difference[]): string => {
  const kinds = [...new Set(differences.map(({ kind }) => kind))];
  return kinds.slice(0, 4).join(', ') + (kinds.length > 4 ? ', ...' : '');
};

const keptAnswer = (
  request: ShadowReport['request'],
  answer: ShadowAnswer,
  redaction: Redaction,
): SampleRecord['answers']['source'] => {
  const { status, body } = answer;
  const failure = answer.failure === undefined ? {} : { failure: answer.failure };
  if (body.length > maxAnswerBytes) return { status, ...failure };
  const shards = numberMember(member(parseBody(body), '_shards'), 'total');
  const redacted = redactAnswer(request, { status, body }, redaction);
  return {
    status,
    ...failure,
    ...(redacted.body !== undefined && { body: redacted.body }),
    ...(shards !== undefined && { shards }),
  };
};

const keptAnswers = ({ request, answers }: ShadowReport, redaction: Redaction): SampleRecord['answers'] => {
  const of = (side: Side) => keptAnswer(request, answers[side], redaction);
  return { source: of('source'), target: of('target') };
};

const keptDifferences = ({ observation }: ShadowReport, redaction: Redaction): SampleRecord['differences'] =>
  observation.differences.slice(0, maxDifferences).map((difference) => {
    const { path, ...rest } = redactDifference(difference, redaction);
    return { ...rest, path: [...path] };
  });

type Found = { report: ShadowReport; severity: Severity; family: ComparableApi };
type Keeping = { id: string; member: string; redaction: Redaction; replayable: boolean };

const recordOf = (
  { report, severity, family }: Found,
  { id, member: name, redaction, replayable }: Keeping,
): SampleRecord => {
  const differences = keptDifferences(report, redaction);
  const { baseline } = report;
  return {
    schema: 1,
    id,
    at: new Date(report.atMs).toISOString(),
    atMs: report.atMs,
    member: name,
    route: report.slug,
    severity,
    family,
    shape: report.shape.fingerprint,
    shapeLabel: report.shape.label,
    authority: report.authority,
    summary: summaryOf(differences),
    settled: report.settled,
    ...(baseline !== undefined && { baseline: baseline.severity }),
    request: redactRequest(family, report.request, redaction),
    differences,
    answers: keptAnswers(report, redaction),
    authorityMs: report.authorityMs,
    otherMs: report.otherMs,
    replayable,
  };
};

/** Undefined for answers that do not differ. */
export const sampleOf = (report: ShadowReport, keeping: Keeping): SampleRecord | undefined => {
  const { family, observation } = report;
  if (observation.severity === 'none' || !isComparable(family)) return undefined;
  return recordOf({ report, severity: observation.severity, family }, keeping);
};

export const replayOf = (id: string, report: ShadowReport, redaction: Redaction): ReplayRecord => ({
  id,
  severity: report.observation.severity,
  ...(report.baseline !== undefined && { baseline: report.baseline.severity }),
  differences: keptDifferences(report, redaction),
  answers: keptAnswers(report, redaction),
  authorityMs: report.authorityMs,
  otherMs: report.otherMs,
});
