/**
 * Collects the differences of one comparison: applies the profile's path rules, counts everything, keeps a bounded
 * number with the worst first. Paths are linked nodes, so that walking equal answers builds no arrays.
 */
import { isNear, type Json } from './json-value.ts';
import { previews } from './preview.ts';
import type { PathRule, Rules } from './rules.ts';
import {
  type Applied,
  type Difference,
  type DifferenceKind,
  type PathSegment,
  type Severity,
  severities,
} from './types.ts';

export type Path = { readonly parent: Path | undefined; readonly segment: PathSegment };

export const child = (parent: Path | undefined, segment: PathSegment): Path => ({ parent, segment });

const segmentsOf = (path: Path | undefined): PathSegment[] => {
  const segments: PathSegment[] = [];
  for (let node = path; node; node = node.parent) segments.push(node.segment);
  return segments.reverse();
};

export type Finding = {
  severity: Severity;
  kind: DifferenceKind;
  path: Path | undefined;
  authority?: Json | undefined;
  other?: Json | undefined;
};
type Kept = Omit<Finding, 'path'> & { segments: PathSegment[] };

export const severityRank = (severity: Severity): number => severities.indexOf(severity);
const mildest: Severity = 'S9';
const worstFirst = (a: Kept, b: Kept): number => severityRank(a.severity) - severityRank(b.severity);

const isTolerated = (
  { relative, absolute }: { relative: number; absolute: number },
  a: Json | undefined,
  b: Json | undefined,
): boolean => typeof a === 'number' && typeof b === 'number' && isNear(a, b, relative, absolute);

export class Findings {
  readonly #rules: Rules;
  readonly #counts: Partial<Record<Severity, number>> = {};
  #kept: Kept[] = [];
  readonly #applied = new Map<string, Applied>();

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  add(finding: Finding): void {
    const segments = segmentsOf(finding.path);
    const severity = this.#ruled(finding, segments);
    if (severity === undefined) return;
    this.#counts[severity] = (this.#counts[severity] ?? 0) + 1;
    this.#keep({ ...finding, severity, segments });
  }

  /** Severity after the rules; undefined = tolerated. */
  #ruled({ severity, authority, other }: Finding, segments: PathSegment[]): Severity | undefined {
    let ruled = severity;
    for (const rule of this.#rules.at(segments)) {
      if (rule.kind === 'tolerance' && !isTolerated(rule, authority, other)) continue;
      this.#note(rule);
      if (rule.kind === 'ignore' || rule.kind === 'tolerance') return undefined;
      ruled = rule.kind === 'soft' ? mildest : rule.severity;
    }
    return ruled;
  }

  #note({ kind, pattern }: PathRule): void {
    const name = `${kind} ${pattern}`;
    this.#applied.set(name, { rule: kind, pattern, times: (this.#applied.get(name)?.times ?? 0) + 1 });
  }

  /** Rules of the profile that changed what was found. */
  get applied(): Applied[] {
    return [...this.#applied.values()];
  }

  #keep(finding: Kept): void {
    const bound = this.#rules.profile.maxDifferences;
    this.#kept.push(finding);
    if (this.#kept.length >= 2 * bound) this.#kept = this.#kept.sort(worstFirst).slice(0, bound);
  }

  get worst(): Severity | 'none' {
    return severities.find((severity) => this.#counts[severity] !== undefined) ?? 'none';
  }

  get counts(): Readonly<Partial<Record<Severity, number>>> {
    return this.#counts;
  }

  differences(): Difference[] {
    const { maxDifferences, maxPreviewChars } = this.#rules.profile;
    return this.#kept
      .sort(worstFirst)
      .slice(0, maxDifferences)
      .map(({ severity, kind, segments, authority, other }) => ({
        severity,
        kind,
        path: segments,
        ...previews(authority, other, maxPreviewChars),
      }));
  }
}
