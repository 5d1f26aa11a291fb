/**
 * The values in a parsed YAML (or JSON) document, or the mistakes that keep them from being read. Pure. What the library
 * says may quote the file, which may hold a secret, so no more of it is told than what is wrong and where.
 */
import type { Document } from 'yaml';
import type { ConfigIssue } from './issues.ts';

type YamlDocument = Pick<Document, 'errors' | 'toJS'>;
export type YamlValues = { ok: true; value: unknown } | { ok: false; issues: ConfigIssue[] };

export const fileIssue = (expected: string): ConfigIssue => ({ path: '', from: 'file', value: undefined, expected });

/** `what is wrong: a quotation at line 1, column 2:`, and further lines that quote more. */
const withoutQuotation = (message: string): string =>
  (message.split('\n')[0] ?? '').replace(/: .*?( at line \d+, column \d+)?:?$/, '$1').replace(/:$/, '');

export const yamlValues = (document: YamlDocument): YamlValues => {
  if (document.errors.length > 0) {
    const issues = document.errors.map(({ message }) => fileIssue(`YAML or JSON; ${withoutQuotation(message)}`));
    return { ok: false, issues };
  }
  try {
    return { ok: true, value: document.toJS() };
  } catch {
    // The name of an alias may be a password that begins with an asterisk.
    const expected = 'YAML or JSON; an alias (*name) has no anchor before it, or there are too many; quote such a text';
    return { ok: false, issues: [fileIssue(expected)] };
  }
};
