/** From a shadow report, and what was redacted of it, to the record that is kept and shown. No value of the report enters it. */
import type { ReplayRecord, SampleRecord } from '../compare/sample-record.ts';
import { type Difference, isComparable } from '../compare/types.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';
import type { Redacted } from '../proxy/shadow/redaction-task.ts';

const summaryOf = (differences: readonly Difference[]): string => {
  const kinds = [...new Set(differences.map(({ kind }) => kind))];
  return kinds.slice(0, 4).join(', ') + (kinds.length > 4 ? ', ...' : '');
};

type Keeping = { id: string; member: string; replayable: boolean };

/** Undefined for answers that do not differ. */
export const sampleOf = (report: ShadowReport, redacted: Redacted, keeping: Keeping): SampleRecord | undefined => {
  const { family, observation, baseline } = report;
  const { severity } = observation;
  if (severity === 'none' || !isComparable(family)) return undefined;
  return {
    schema: 1,
    ...keeping,
    at: new Date(report.atMs).toISOString(),
    atMs: report.atMs,
    route: report.slug,
    severity,
    family,
    shape: report.shape.fingerprint,
    shapeLabel: report.shape.label,
    authority: report.authority,
    summary: summaryOf(observation.differences),
    settled: report.settled,
    ...(baseline !== undefined && { baseline: baseline.severity }),
    ...redacted,
    authorityMs: report.authorityMs,
    otherMs: report.otherMs,
  };
};

export const replayOf = (id: string, report: ShadowReport, { differences, answers }: Redacted): ReplayRecord => ({
  id,
  severity: report.observation.severity,
  ...(report.baseline !== undefined && { baseline: report.baseline.severity }),
  differences,
  answers,
  authorityMs: report.authorityMs,
  otherMs: report.otherMs,
});
