/**
 * Finds out whether a text could name an index of a route: a statement of SQL or PPL, or a body that cannot be parsed. It
 * errs on the safe side: a mention may be a field or a word, no mention is certain.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { matchesPattern } from '../index-expression.ts';

const routedNames = (states: readonly RouteState[]): string[] =>
  states.flatMap(({ spec }) => [
    ...spec.indices.flatMap((pair) => [pair.source, pair.target]),
    ...spec.aliases.map((alias) => alias.name),
  ]);

/** What may stand for index names without naming one: everything, date math, escaped characters. */
const covert = /_all\b|<[^<>]*\{|\\u|(?:from|join|source|index)["'`]?\s*(?:[=:]\s*)?["'`[]*\*/i;
const words = /[^\s"'`,;()[\]{}=:]+/g;

export const mentionsRoute = (text: string, states: readonly RouteState[]): boolean => {
  const names = routedNames(states);
  return names.some((name) => text.includes(name)) || wildcardsReach(text, names);
};

/** Whether one of these names could be meant without being written. */
export const wildcardsReach = (text: string, names: readonly string[]): boolean => {
  if (covert.test(text)) return true;
  const patterns = text.includes('*') ? (text.match(words) ?? []).filter(isWildcard) : [];
  return patterns.some((pattern) => names.some((name) => matchesPattern(pattern, name)));
};

const isWildcard = (word: string): boolean => word.includes('*') && /[^*]/.test(word);
