/**
 * Compares two hits known to be the same document: what the client reads of it, apart from its rank.
 * Versions, sequence numbers, shards and nodes are local to a cluster and never compared.
 */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { isNear, type Json, type JsonObject, member, numberMember, sameValue, textOf } from './json-value.ts';
import { diffOptional } from './tree-diff.ts';
import type { Severity } from './types.ts';

/** How the scores of this page are to be read. */
export type HitRules = {
  /** Names of the sort's components; undefined when unknown. */
  readonly sort: readonly string[] | undefined;
  /** Relative difference up to which scores are not reported. */
  readonly scoreTolerance: number;
};

const clusterLocal = new Set([
  '_index',
  '_type',
  '_id',
  '_routing',
  '_version',
  '_seq_no',
  '_primary_term',
  '_shard',
  '_node',
  '_explanation',
  '_nested',
  '_score',
  'sort',
  'matched_queries',
  'inner_hits',
]);

/** Severity of a part of a hit; anything new in a later version of the server is cosmetic until it is known better. */
const partSeverity: ReadonlyMap<string, Severity> = new Map([
  ['_source', 'S7'],
  ['fields', 'S7'],
]);

const diffPart = (
  context: Context,
  path: Path | undefined,
  name: string,
  pair: { authority?: Json; other?: Json },
): void => {
  const { authority, other } = pair;
  if (clusterLocal.has(name) || (authority !== undefined && other !== undefined && sameValue(authority, other))) return;
  diffOptional(context, child(path, name), { authority, other }, { severity: partSeverity.get(name) ?? 'S9' });
};

const diffParts = (context: Context, path: Path | undefined, a: JsonObject, b: JsonObject): void => {
  for (const name of Object.keys(a)) {
    const [authority, other] = [a[name]!, member(b, name)];
    diffPart(context, path, name, other === undefined ? { authority } : { authority, other });
  }
  for (const name of Object.keys(b)) if (!Object.hasOwn(a, name)) diffPart(context, path, name, { other: b[name]! });
};

const diffScore = (
  context: Context,
  path: Path | undefined,
  pair: { a: JsonObject; b: JsonObject; tolerance: number },
): void => {
  const [authority, other] = [numberMember(pair.a, '_score'), numberMember(pair.b, '_score')];
  if (authority === undefined || other === undefined || isNear(authority, other, pair.tolerance)) return;
  report(context, { severity: 'S8', kind: 'score', path: child(path, '_score'), authority, other });
};

/** Order inside one copy of a shard: means nothing elsewhere. */
export const isLocalOrder = (component: string | undefined): boolean =>
  component === '_doc' || component === '_shard_doc';

/** Computed values (distances, scripts) may differ in their last digits; dates and counts are whole numbers. */
const sortTolerance = 1e-9;

const sameSortValue = (a: Json | undefined, b: Json | undefined): boolean => {
  if (typeof a === 'number' && typeof b === 'number' && !(Number.isInteger(a) && Number.isInteger(b)))
    return isNear(a, b, sortTolerance);
  return a === b || (a !== undefined && b !== undefined && sameValue(a, b));
};

export const looksLikeScore = (value: Json | undefined, hit: JsonObject): boolean =>
  typeof value === 'number' && value === hit['_score'];

const diffSortValues = (
  context: Context,
  path: Path | undefined,
  pair: { a: JsonObject; b: JsonObject; sort: HitRules['sort'] },
): void => {
  const [a, b] = [pair.a['sort'], pair.b['sort']];
  if (!Array.isArray(a) || !Array.isArray(b)) return;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const component = pair.sort?.[i];
    if (isLocalOrder(component) || component === '_score') continue;
    if (sameSortValue(a[i], b[i]) || (looksLikeScore(a[i], pair.a) && looksLikeScore(b[i], pair.b))) continue;
    report(context, {
      severity: 'S7',
      kind: 'sort_value',
      path: child(child(path, 'sort'), i),
      authority: a[i],
      other: b[i],
    });
  }
};

/** A list of names, or (with scores asked for) an object keyed by them. */
const matchedNames = (value: Json | undefined): string[] =>
  (Array.isArray(value) ? value.map((name) => String(name)) : Object.keys(value ?? {})).sort();

const diffMatched = (context: Context, path: Path | undefined, a: JsonObject, b: JsonObject): void => {
  if (a['matched_queries'] === undefined && b['matched_queries'] === undefined) return;
  const [authority, other] = [matchedNames(a['matched_queries']), matchedNames(b['matched_queries'])];
  if (textOf(authority) === textOf(other)) return;
  report(context, {
    severity: 'S7',
    kind: 'matched',
    path: child(path, 'matched_queries'),
    authority,
    other,
  });
};

/** Everything but inner hits, which are pages of their own. */
export const compareHit = (
  context: Context,
  path: Path | undefined,
  pair: { authority: JsonObject; other: JsonObject; rules: HitRules },
): void => {
  const { authority: a, other: b, rules } = pair;
  diffParts(context, path, a, b);
  diffScore(context, path, { a, b, tolerance: rules.scoreTolerance });
  diffSortValues(context, path, { a, b, sort: rules.sort });
  diffMatched(context, path, a, b);
};
