/**
 * Takes an index expression apart by the server's rules: a comma list whose trailing empty items do not count, `*` as the
 * only wildcard, `-name` as an exclusion only after a wildcard, `<...>` as date math, nothing or `_all` as everything.
 * It knows no routes: what the parts lead to is for the route table to say. A name that cannot be told for sure comes
 * out as a pattern that covers it.
 */
import { isDateMath, resolveDateMath } from './date-math.ts';

export type ExpressionItem = { readonly text: string; readonly isPattern: boolean; readonly isExclusion: boolean };
export type IndexExpression =
  /** Every index, hidden ones perhaps excepted. */
  | { readonly kind: 'all' }
  | { readonly kind: 'items'; readonly items: readonly ExpressionItem[]; readonly hasPattern: boolean };

export const parseIndexExpression = (expression: string, now: Date): IndexExpression => {
  const names = splitNames(expression);
  if (names.length === 0 || (names.length === 1 && isAll(names[0] as string))) return { kind: 'all' };
  const items: ExpressionItem[] = [];
  let hasPattern = false;
  for (const name of names) {
    const isExclusion = hasPattern && name.startsWith('-');
    const text = resolveItem(isExclusion ? name.slice(1) : name, now);
    const isPattern = text.includes('*');
    items.push({ text, isPattern, isExclusion });
    hasPattern ||= isPattern;
  }
  return { kind: 'items', items, hasPattern };
};

const isAll = (name: string): boolean => name === '_all' || name === '*';

const splitNames = (expression: string): string[] => {
  const names = expression.split(',');
  while (names.at(-1) === '') names.pop();
  return names;
};

const resolveItem = (name: string, now: Date): string => {
  if (name === '_all') return '*';
  if (!isDateMath(name)) return name;
  const resolved = resolveDateMath(name, now);
  if (resolved.kind === 'invalid') return name;
  if (resolved.kind === 'undetermined') return resolved.pattern;
  return resolved.text === '_all' ? '*' : resolved.text;
};

/** True when the whole expression is one literal name, which needs no parsing. */
export const isPlainName = (expression: string): boolean =>
  expression !== '' && expression !== '_all' && !/[*,<]/.test(expression);

/**
 * The one name that an API without wildcards or lists takes (single-document writes and reads): date math resolved,
 * anything else literal, as on the server. May contain `*` when date math could not be told.
 */
export const resolveSingleName = (expression: string, now: Date): string =>
  isDateMath(expression) ? resolveItem(expression, now) : expression;

/** True when `name` matches `pattern`, in which `*` stands for any characters. Linear in time for any input. */
export const matchesPattern = (pattern: string, name: string): boolean => {
  const parts = pattern.split('*');
  const [first, last] = [parts[0] as string, parts.at(-1) as string];
  if (parts.length === 1) return pattern === name;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  const limit = name.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > limit) return false;
    at = found + part.length;
  }
  return true;
};
