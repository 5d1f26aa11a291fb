/**
 * Compares suggestions. Completions are documents and are matched like hits, ties by weight included; by their texts where
 * each is shown once, since it is arbitrary by which of its documents. Term and phrase
 * suggestions rest on the frequencies of single shards, so their differences are cosmetic.
 */
import { withoutType } from './aggregations.ts';
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { compareHits } from './hits.ts';
import { identityOf } from './identity.ts';
import { arrayMember, isObject, type Json, type JsonObject, member, sameValue } from './json-value.ts';
import { nestedFacts, type SearchFacts } from './request.ts';
import { diffOptional } from './tree-diff.ts';
import type { Answerer } from './types.ts';

const isCompletion = (options: readonly Json[]): boolean =>
  options.some((option) => member(option, '_id') !== undefined);

const texts = (options: readonly Json[]): Json[] => options.map((option) => member(option, 'text') ?? null);

type Options = { readonly a: readonly Json[]; readonly b: readonly Json[] };

const haveTextsOnce = ({ a, b }: Options): boolean =>
  [a, b].every((options) => {
    const found = texts(options);
    return new Set(found).size === found.length && found.every((text) => typeof text === 'string');
  });

/** Which document stands behind each text. */
const identities = (context: Context, options: readonly Json[], answerer: Answerer): ReadonlyMap<Json, string> =>
  new Map(
    options.map((one) => [member(one, 'text') ?? null, identityOf(context, one, { answerer, collapse: undefined })]),
  );

/** Named by its text; what its document holds is compared only where both sides show the same one. */
const namedByText = (option: Json, isSame: (text: Json) => boolean): Json => {
  const text = member(option, 'text') ?? null;
  const { _index: _, _routing: __, ...shown } = isObject(option) ? option : {};
  return isSame(text) ? { ...shown, _id: text } : { text, _id: text, _score: member(option, '_score') ?? null };
};

const byText = (context: Context, { a, b }: Options): { a: Json[]; b: Json[] } => {
  const [ofA, ofB] = [identities(context, a, 'authority'), identities(context, b, 'other')];
  const isSame = (text: Json): boolean => ofA.get(text) === ofB.get(text);
  return { a: a.map((option) => namedByText(option, isSame)), b: b.map((option) => namedByText(option, isSame)) };
};

type Entry = { authority: Json; other: Json; facts: SearchFacts; name: string };

/** Of a template it is not known whether duplicates were to be left out. */
const isByText = (context: Context, { facts, name }: Entry, options: Options): boolean =>
  context.rules.profile.match.by === 'id' &&
  (facts.distinctSuggestions?.has(withoutType(name, facts)) ?? true) &&
  haveTextsOnce(options);

/** One entry per term of the input text. */
const compareEntry = (context: Context, path: Path, pair: Entry): void => {
  const [a, b] = [arrayMember(pair.authority, 'options') ?? [], arrayMember(pair.other, 'options') ?? []];
  if (sameValue(a, b)) return;
  const at = child(path, 'options');
  if (isCompletion(a) || isCompletion(b)) {
    // The size of the list is not known here: it may be cut wherever it ends.
    const facts = { ...nestedFacts(pair.facts, undefined), from: 0, size: 0, sharedStatistics: true };
    const { a: hits, b: others } = isByText(context, pair, { a, b }) ? byText(context, { a, b }) : { a, b };
    compareHits(context, at, { authority: { hits }, other: { hits: others }, facts, sharedStatistics: true });
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
      compareEntry(context, child(at, i), { authority, other: b[i]!, facts: pair.facts, name });
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
