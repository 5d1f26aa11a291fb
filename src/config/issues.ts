/**
 * One mistake in the configuration as a person reads it: which setting, from where, what stood there, what was expected.
 * Invariant: no secret leaves through a message. Values of secret fields and of unknown fields (which may be mistyped
 * secrets) are never shown, nor is user information in URLs, nor anything but a scalar.
 */
import type * as z from 'zod';
import { closest } from './closest.ts';
import { formOf, nodeAt, type SchemaNode, variableOf } from './settings.ts';

export type ConfigIssue = {
  /** Path with dots; empty when the whole file is meant. */
  readonly path: string;
  /** `file` or the environment variable that set the value. */
  readonly from: string;
  /** As given, masked; undefined when nothing was given. */
  readonly value: string | undefined;
  readonly expected: string;
};

export const hidden = '[hidden]';

/**
 * Removes what may be user information: everything up to the last `@`. A password that was not encoded holds any
 * character, and a server may be written without a scheme.
 */
export const withoutUserInfo = (text: string): string =>
  text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^]*@/i, `$1${hidden}@`);

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text);

/** A value that may be shown, or what kind of thing it is. */
const showValue = (value: unknown, node: SchemaNode | undefined): string | undefined => {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a section';
  if (node === undefined || node.secret || node.properties !== undefined) return hidden;
  return shorten(JSON.stringify(typeof value === 'string' ? withoutUserInfo(value) : value));
};

export const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<PropertyKey, unknown>)[step]
        : undefined,
    root,
  );

export type IssueContext = {
  readonly root: SchemaNode;
  readonly values: unknown;
  /** Path with dots to the variable that set it; undefined where no variable can. */
  readonly variables: ReadonlyMap<string, string> | undefined;
};

const origin = (path: readonly PropertyKey[], { variables }: IssueContext): string => {
  for (let length = path.length; length > 0; length -= 1) {
    const variable = variables?.get(path.slice(0, length).join('.'));
    if (variable !== undefined) return variable;
  }
  return 'file';
};

/** An issue at a path that the caller words itself. */
export const issueAt = (path: readonly PropertyKey[], expected: string, context: IssueContext): ConfigIssue => ({
  path: path.join('.'),
  from: origin(path, context),
  value: showValue(valueAt(context.values, path), nodeAt(context.root, path)),
  expected,
});

const unknownField = (path: readonly PropertyKey[], key: string, context: IssueContext): ConfigIssue => {
  const known = Object.keys(nodeAt(context.root, path)?.properties ?? {});
  const meant = closest(key, known);
  const hint = meant === undefined ? `known here: ${known.join(', ')}` : `did you mean ${meant}?`;
  return issueAt([...path, key], `a known field; ${hint}`, context);
};

const expectedAt = (issue: z.core.$ZodIssue, context: IssueContext): string => {
  const node = nodeAt(context.root, issue.path);
  if (issue.code === 'custom') return `a consistent value; ${issue.message}`;
  const worded = issue.code === 'invalid_format' && !issue.message.startsWith('Invalid') && node?.form === undefined;
  const form = worded || node === undefined ? issue.message : formOf(node);
  const missing = valueAt(context.values, issue.path) === undefined;
  const settable = missing && context.variables !== undefined && issue.path.every((step) => typeof step === 'string');
  return settable ? `${form}; set it here or as ${variableOf(issue.path as string[])}` : form;
};

/** What zod found, in our words; an issue about several unknown keys becomes one each. */
export const fromZod = (issue: z.core.$ZodIssue, context: IssueContext): ConfigIssue[] =>
  issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => unknownField(issue.path, key, context))
    : [issueAt(issue.path, expectedAt(issue, context), context)];

const renderIssue = ({ path, from, value, expected }: ConfigIssue): string => {
  const given = value === undefined ? 'not set' : `is ${value}`;
  const where = from === 'file' ? '' : ` (${from})`;
  return `  ${path === '' ? 'file' : path}${where} ${given}; expected ${expected}`;
};

/** All mistakes as a text for stderr. */
export const renderIssues = (issues: readonly ConfigIssue[]): string =>
  [`configuration: ${issues.length} ${issues.length === 1 ? 'mistake' : 'mistakes'}`, ...issues.map(renderIssue)].join(
    '\n',
  );
