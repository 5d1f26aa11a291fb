/** Compares the reads that are about the index rather than about hits: capabilities, validation, terms, analysis, quality. */
import { type Context, report, softened } from './context.ts';
import { child, type Path } from './findings.ts';
import { type Bodies, pairItems } from './items.ts';
import { isNear, isObject, type Json, mapMembers, member, numberMember, objectMember } from './json-value.ts';
import { diffOptional, diffTree } from './tree-diff.ts';
import type { Answerer } from './types.ts';

const compareMember = (context: Context, name: string, { authority, other }: Bodies, severity: 'S7' | 'S9'): void =>
  diffOptional(
    context,
    child(undefined, name),
    { authority: member(authority, name), other: member(other, name) },
    { severity },
  );

const isIndexList = (name: string): boolean => name === 'indices' || name.endsWith('_indices');

/** Index lists get the shared names and lose their order. */
const withSharedNames = (value: Json, rename: (name: string) => string): Json => {
  if (Array.isArray(value)) return value.map((item) => withSharedNames(item, rename));
  if (!isObject(value)) return value;
  const shared = (name: string, item: Json): Json =>
    isIndexList(name) && Array.isArray(item)
      ? item.map((index) => rename(String(index))).sort()
      : withSharedNames(item, rename);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shared(name, item)]));
};

/** Elasticsearch 7.10 and OpenSearch 1.x count the mapping type among the fields of every index. */
const typeField = '_type';

const withoutTypeField = (caps: Json): Json => {
  const fields = objectMember(caps, 'fields');
  if (!isObject(caps) || fields === undefined) return caps;
  const kept = Object.entries(fields).filter(([name]) => name !== typeField);
  return { ...caps, fields: Object.fromEntries(kept) };
};

export const compareFieldCaps = (context: Context, bodies: Bodies): void => {
  const capsOf = (answerer: Answerer): Json =>
    withoutTypeField(withSharedNames(bodies[answerer], (name) => context.renameIndex(name, answerer)));
  const shared = { authority: capsOf('authority'), other: capsOf('other') };
  compareMember(context, 'fields', shared, 'S7');
  compareMember(context, 'indices', shared, 'S9');
};

/** Explanations print the rewritten query, with names and term statistics of one cluster. */
export const compareValidation = (context: Context, bodies: Bodies): void => {
  compareMember(context, 'valid', bodies, 'S7');
};

const termStatistics = new Set(['doc_freq', 'ttf', 'score']);
/** The mapping type too: later versions have none. */
const clusterLocal = new Set(['_index', '_type', '_version', 'took']);

const without = (value: Json, names: ReadonlySet<string>): Json =>
  isObject(value) ? Object.fromEntries(Object.entries(value).filter(([name]) => !names.has(name))) : value;

const mapped = (value: Json | undefined, map: (item: Json) => Json): Json =>
  isObject(value) ? mapMembers(value, map) : (value ?? null);

/** By place, not by name alone: a term of a document may be called as a statistic is. */
const termsOf = (field: Json): Json => mapped(member(field, 'terms'), (term) => without(term, termStatistics));

const vectorsOf = (body: Json): Json => {
  const vectors = objectMember(body, 'term_vectors');
  const local = without(body, clusterLocal);
  return isObject(local) && vectors !== undefined
    ? { ...local, term_vectors: mapped(vectors, (field) => ({ terms: termsOf(field) })) }
    : local;
};

/** Terms of a document; statistics over documents are local to a shard. */
export const compareTermVectors = (context: Context, path: Path | undefined, { authority, other }: Bodies): void => {
  const found = { authority: member(authority, 'found'), other: member(other, 'found') };
  if (found.authority !== found.other) diffOptional(context, child(path, 'found'), found, { severity: 'S4' });
  else diffTree(context, path, vectorsOf(authority), vectorsOf(other), { severity: 'S7' });
};

export const compareAnalysis = (context: Context, bodies: Bodies): void => {
  compareMember(context, 'tokens', bodies, 'S7');
  compareMember(context, 'detail', bodies, 'S7');
};

const meanTolerance = 0.01;
/** One document that ties let in or out weighs much more in one query than in the mean of all. */
const queryTolerance = 0.25;

/** A rating of the ranking: small changes are noise of scores, larger ones a different order. */
const compareQuality = (
  context: Context,
  path: Path | undefined,
  { authority, other, tolerance }: Bodies & { tolerance: number },
): void => {
  const [a, b] = [numberMember(authority, 'metric_score'), numberMember(other, 'metric_score')];
  if (a === undefined || b === undefined || isNear(a, b, 1e-6)) return;
  const severity = isNear(a, b, tolerance) ? 'S8' : 'S5';
  report(context, { severity, kind: 'metric', path: child(path, 'metric_score'), authority: a, other: b });
};

/** The mean of all queries hides those that got better beside those that got worse. */
export const compareRankEval = (context: Context, bodies: Bodies): void => {
  compareQuality(context, undefined, { ...bodies, tolerance: meanTolerance });
  const [a, b] = [objectMember(bodies.authority, 'details') ?? {}, objectMember(bodies.other, 'details') ?? {}];
  for (const [id, authority] of Object.entries(a)) {
    const other = member(b, id);
    if (other !== undefined)
      compareQuality(context, child(child(undefined, 'details'), { key: id }), {
        authority,
        other,
        tolerance: queryTolerance,
      });
  }
  compareFailedQueries(softened(context), bodies);
};

const compareFailedQueries = (context: Context, bodies: Bodies): void => {
  const [a, b] = [objectMember(bodies.authority, 'failures') ?? {}, objectMember(bodies.other, 'failures') ?? {}];
  for (const id of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const at = child(child(undefined, 'failures'), { key: id });
    diffOptional(context, at, { authority: member(a, id), other: member(b, id) }, { severity: 'S9' });
  }
};

/** Items of mtermvectors, by position. */
export const compareTermVectorItems = (context: Context, bodies: Bodies): void => {
  for (const { at, position, ...item } of pairItems(context, 'docs', bodies))
    compareTermVectors(context, child(at, position), item);
};
