/**
 * Samples of mismatches for people: redacted before they are kept, bounded, newest first. Values become hashes keyed per
 * installation, so that equal values can be followed over samples and members, and nothing can be read back.
 */
import { createHmac, randomUUID } from 'node:crypto';
import { type Redaction, redactDifference, redactRequest } from '../compare/redact.ts';
import { SampleReservoir } from '../compare/samples.ts';
import { type Difference, isComparable, type Severity, severities } from '../compare/types.ts';
import type { Side } from '../coordination/records.ts';
import type { ShadowReport } from '../proxy/shadow/ports.ts';

export type Discrepancy = {
  id: string;
  at: string;
  atMs: number;
  route: string;
  severity: Severity;
  family: string;
  /** Fingerprint and label of the query shape. */
  shape: string;
  shapeLabel: string;
  authority: Side;
  /** One line for lists. */
  summary: string;
  request: { method: string; path: string; query: string; body?: string };
  differences: readonly Difference[];
  authorityMs: number;
  otherMs: number;
  bytes: number;
};

export interface DiscrepancyStore {
  add(report: ShadowReport): void;
  list(slug: string, filter: { severity?: string | undefined; shape?: string | undefined }): Discrepancy[];
}

const maxDifferences = 50;

const summaryOf = (differences: readonly Difference[]): string => {
  const kinds = [...new Set(differences.map(({ kind }) => kind))];
  return kinds.slice(0, 4).join(', ') + (kinds.length > 4 ? ', ...' : '');
};

const redactionWith = (secret: string): Redaction => ({
  hash: (text) => createHmac('sha256', secret).update(text).digest('base64url').slice(0, 12),
  clearFields: [],
});

const discrepancyOf = (report: ShadowReport, severity: Severity, redaction: Redaction): Discrepancy | undefined => {
  const { family, request, observation, shape } = report;
  if (!isComparable(family)) return undefined;
  const differences = observation.differences
    .slice(0, maxDifferences)
    .map((difference) => redactDifference(difference, redaction));
  const sample = {
    id: randomUUID().slice(0, 8),
    at: new Date(report.atMs).toISOString(),
    atMs: report.atMs,
    route: report.slug,
    severity,
    family,
    shape: shape.fingerprint,
    shapeLabel: shape.label,
    authority: report.authority,
    summary: summaryOf(differences),
    request: redactRequest(family, request, redaction),
    differences,
    authorityMs: report.authorityMs,
    otherMs: report.otherMs,
  };
  return { ...sample, bytes: JSON.stringify(sample).length };
};

const severityOf = (text: string | undefined): Severity | undefined => severities.find((name) => name === text);

export const createDiscrepancyStore = (secret: () => string): DiscrepancyStore => {
  const routes = new Map<string, SampleReservoir<Discrepancy>>();
  return {
    add: (report) => {
      const { severity } = report.observation;
      const sample = severity === 'none' ? undefined : discrepancyOf(report, severity, redactionWith(secret()));
      if (sample === undefined) return;
      const samples = routes.get(report.slug) ?? new SampleReservoir<Discrepancy>();
      routes.set(report.slug, samples);
      samples.add(sample, Math.random());
    },
    list: (slug, { severity, shape }) => {
      const wanted = severityOf(severity);
      const samples = routes.get(slug);
      if (samples === undefined || (severity !== undefined && wanted === undefined)) return [];
      samples.expire(Date.now());
      return samples.list({ severity: wanted, shape });
    },
  };
};
