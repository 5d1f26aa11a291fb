/**
 * Reads a route file: one or more YAML documents (or JSON), each one route. Pure; every mistake of every document is
 * reported with path, value and expected form, in the same words as those of the configuration.
 */
import { parseAllDocuments } from 'yaml';
import { RouteSpec } from '../coordination/route-spec.ts';
import { type ConfigIssue, fromZod } from './issues.ts';
import { schemaNode } from './settings.ts';
import { fileIssue, yamlValues } from './yaml-values.ts';

export type RouteFile = { ok: true; specs: RouteSpec[] } | { ok: false; issues: ConfigIssue[] };

const root = schemaNode(RouteSpec);

const withPrefix = (issue: ConfigIssue, prefix: string): ConfigIssue => ({
  ...issue,
  path: prefix === '' ? issue.path : `${prefix}${issue.path}`,
});

const readOne = (values: unknown, prefix: string): RouteSpec | ConfigIssue[] => {
  const parsed = RouteSpec.safeParse(values);
  if (parsed.success) return parsed.data;
  const context = { root, values, variables: undefined };
  return parsed.error.issues.flatMap((issue) => fromZod(issue, context)).map((issue) => withPrefix(issue, prefix));
};

export const readRouteFile = (text: string): RouteFile => {
  const documents = parseAllDocuments(text, { prettyErrors: true });
  if (!Array.isArray(documents)) return { ok: false, issues: [fileIssue('a route')] };
  const documentValues = documents.map(yamlValues);
  const broken = documentValues.flatMap((one) => (one.ok ? [] : one.issues));
  if (broken.length > 0) return { ok: false, issues: broken };
  const values = documentValues.flatMap((one) => (one.ok && one.value !== null ? [one.value] : []));
  if (values.length === 0) return { ok: false, issues: [fileIssue('a route; the file is empty')] };
  const read = values.map((value, i) => readOne(value, values.length > 1 ? `document ${i + 1}: ` : ''));
  const issues = read.flatMap((result) => (Array.isArray(result) ? result : []));
  return issues.length > 0 ? { ok: false, issues } : { ok: true, specs: read as RouteSpec[] };
};
