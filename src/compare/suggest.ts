/**
 * Compares suggestions. Completions are documents and are matched like hits, ties by weight included. Term and phrase
 * suggestions rest on the frequencies of single shards, so their differences are cosmetic.
 */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { compareHits } from './hits.ts';
import { arrayMember, isObject, type Json, type JsonObject, member, sameValue } from './json-value.ts';
import { nestedFacts, type SearchFacts } from './request.ts';
import { diffOptional } from './tree-diff.ts';

const isCompletion = (options: readonly Json[]): boolean =>
  options.some((option) => member(option, '_id') !== undefined);

const texts = (options: readonly Json[]): Json[] => options.map((option) => member(option, 'text') ?? null);

/** One entry per term of the input text. */
const compareEntry = (
  context: Context,
  path: Path,
  pair: { authority: Json; other: Json; facts: SearchFacts },
): void => {
  const [a, b] = [arrayMember(pair.authority, 'options') ?? [], arrayMember(pair.other, 'options') ?? []];
  if (sameValue(a, b)) return;
  const at = child(path, 'options');
  if (isCompletion(a) || isCompletion(b)) {
    // The size of the list is not known here: it may be cut wherever it ends.
    const facts = { ...nestedFacts(pair.facts, undefined), from: 0, size: 0, sharedStatistics: true };
    compareHits(context, at, { authority: { hits: a }, other: { hits: b }, facts, sharedStatistics: true });
  } else if (!sameValue(texts(a), texts(b)))
    report(context, {
      severity: 'S9',
      kind: 'suggestion',
      path: at,
      authority: texts(a),
      other: texts(b),
    });
};

const compareSuggest = (
  context: Context,
  path: Path,
  pair: { authority: JsonObject; other: JsonObject; facts: SearchFacts },
): void => {
  for (const name of new Set([...Object.keys(pair.authority), ...Object.keys(pair.other)])) {
    const [a, b] = [member(pair.authority, name), member(pair.other, name)];
    const at = child(path, name);
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) {
      diffOptional(context, at, { authority: a, other: b }, { severity: 'S9' });
      continue;
    }
    for (const [i, authority] of a.entries())
      compareEntry(context, child(at, i), { authority, other: b[i]!, facts: pair.facts });
  }
};

/** Suggestions on one side only. */
export const compareSuggestions = (
  context: Context,
  pair: { authority: Json | undefined; other: Json | undefined; facts: SearchFacts; path: Path | undefined },
): void => {
  const path = child(pair.path, 'suggest');
  if (isObject(pair.authority) && isObject(pair.other))
    compareSuggest(context, path, { authority: pair.authority, other: pair.other, facts: pair.facts });
  else diffOptional(context, path, { authority: pair.authority, other: pair.other }, { severity: 'S9' });
};
