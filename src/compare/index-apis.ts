/** Compares the reads that are about the index rather than about hits: capabilities, validation, terms, analysis, quality. */
import { type Context, report, softened } from './context.ts';
import { child, type Path } from './findings.ts';
import { type Bodies, pairItems } from './items.ts';
import { isNear, isObject, type Json, member, numberMember, objectMember } from './json-value.ts';
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

const statistics = new Set(['doc_freq', 'ttf', 'field_statistics', 'score']);
/** The mapping type too: later versions have none. */
const clusterLocal = new Set(['_index', '_type', '_version', 'took']);

/** Terms of a document; statistics over documents are local to a shard. */
export const compareTermVectors = (context: Context, path: Path | undefined, { authority, other }: Bodies): void => {
  const skip = (name: string) => statistics.has(name) || clusterLocal.has(name);
  const found = { authority: member(authority, 'found'), other: member(other, 'found') };
  if (found.authority !== found.other) diffOptional(context, child(path, 'found'), found, { severity: 'S4' });
  else diffTree(context, path, authority, other, { severity: 'S7', skip });
};

export const compareAnalysis = (context: Context, bodies: Bodies): void => {
  compareMember(context, 'tokens', bodies, 'S7');
  compareMember(context, 'detail', bodies, 'S7');
};

const qualityTolerance = 0.01;

/** A rating of the ranking: small changes are noise of scores, larger ones a different order. */
export const compareRankEval = (context: Context, { authority, other }: Bodies): void => {
  const [a, b] = [numberMember(authority, 'metric_score'), numberMember(other, 'metric_score')];
  if (a !== undefined && b !== undefined && !isNear(a, b, 1e-6)) {
    const severity = isNear(a, b, qualityTolerance) ? 'S8' : 'S5';
    report(context, { severity, kind: 'metric', path: child(undefined, 'metric_score'), authority: a, other: b });
  }
  const failures = { authority: objectMember(authority, 'failures'), other: objectMember(other, 'failures') };
  diffOptional(softened(context), child(undefined, 'failures'), failures, { severity: 'S9' });
};

/** Items of mtermvectors, by position. */
export const compareTermVectorItems = (context: Context, bodies: Bodies): void => {
  for (const { at, position, ...item } of pairItems(context, 'docs', bodies))
    compareTermVectors(context, child(at, position), item);
};
