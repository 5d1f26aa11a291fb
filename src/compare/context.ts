/** What every comparator needs at hand while it walks two answers. */
import type { Finding, Findings } from './findings.ts';
import type { Rules } from './rules.ts';
import type { Answerer } from './types.ts';

export type Context = {
  readonly findings: Findings;
  readonly rules: Rules;
  readonly renameIndex: (name: string, answerer: Answerer) => string;
  /** Set inside a part that is only approximate: whatever differs there is cosmetic. */
  readonly soft: boolean;
};

export const softened = (context: Context): Context => (context.soft ? context : { ...context, soft: true });

/** Records a difference; its severity gives way inside an approximate part. */
export const report = (context: Context, finding: Finding): void =>
  context.findings.add(context.soft ? { ...finding, severity: 'S9' } : finding);
