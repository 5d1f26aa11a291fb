/**
 * Compares aggregations by name, each as its kind demands. Derived ones come last: where a neighbour they may be
 * computed from was only approximately equal, they can be no better.
 */
import {
  type AggregationKind,
  type AggregationPair,
  aggregationsIn,
  type IsApproximate,
  kindOf,
} from './aggregation-kinds.ts';
import { compareBuckets, compareSignificant, compareTopBuckets } from './buckets.ts';
import { type Context, softened } from './context.ts';
import { child, type Path } from './findings.ts';
import { derivedFloor } from './floors.ts';
import { compareHits } from './hits.ts';
import { isObject, type JsonObject, member, objectMember, sameValue } from './json-value.ts';
import { compareCardinality, compareDerived, compareMetric, comparePercentiles } from './metric-aggregations.ts';
import { type AggregationSpec, type AggregationSpecs, nestedFacts, type SearchFacts } from './request.ts';
import { diffOptional, diffTree } from './tree-diff.ts';

export type AggregationScope = {
  readonly facts: SearchFacts;
  readonly specs: AggregationSpecs | undefined;
  readonly sharedStatistics: boolean;
};

export const withoutType = (name: string, facts: SearchFacts): string =>
  facts.typedKeys ? name.slice(name.indexOf('#') + 1) : name;

type Comparer = (context: Context, path: Path, pair: AggregationPair, scope: AggregationScope) => IsApproximate;

const exactly =
  (compare: (context: Context, path: Path, pair: AggregationPair) => void): Comparer =>
  (context, path, pair) => {
    compare(context, path, pair);
    return false;
  };

/** What differs at all comes of sketches that differ. */
const approximately =
  (compare: (context: Context, path: Path, pair: AggregationPair) => void): Comparer =>
  (context, path, pair) => {
    compare(context, path, pair);
    return true;
  };

const compareTopHits: Comparer = (context, path, { authority, other, spec }, { facts, sharedStatistics }) => {
  const [a, b] = [objectMember(authority, 'hits'), objectMember(other, 'hits')];
  if (!a || !b) diffTree(context, path, authority, other, { severity: 'S6' });
  else
    compareHits(context, path, { authority: a, other: b, facts: nestedFacts(facts, spec?.params), sharedStatistics });
  return false;
};

const compareSingle: Comparer = (context, path, { authority, other, spec }, scope) => {
  diffOptional(
    context,
    child(path, 'doc_count'),
    { authority: authority['doc_count'], other: other['doc_count'] },
    { severity: 'S6' },
  );
  return compareInside(context, path, { authority, other, spec }, scope);
};

const compareUnrepeatable: Comparer = (context, path, { authority, other }) => {
  diffTree(softened(context), path, authority, other, { severity: 'S9' });
  return true;
};

/** Aggregations inside a bucket. */
const compareInside: Comparer = (context, path, { authority, other, spec }, scope) => {
  const specs = scope.specs === undefined ? undefined : (spec?.subs ?? new Map());
  const sides = { authority: aggregationsIn(authority, specs), other: aggregationsIn(other, specs) };
  return compareAggregations(context, path, sides, { ...scope, specs });
};

const comparers: Readonly<Record<AggregationKind, Comparer>> = {
  buckets: (context, path, pair, scope) => compareBuckets(context, path, pair, inside(scope)),
  top_buckets: (context, path, pair, scope) => compareTopBuckets(context, path, pair, inside(scope)),
  significant: compareSignificant,
  unrepeatable: compareUnrepeatable,
  single: compareSingle,
  metric: exactly(compareMetric),
  cardinality: approximately(compareCardinality),
  percentiles: approximately(comparePercentiles),
  top_hits: compareTopHits,
  derived: exactly(compareDerived),
};

/** How bucket comparers go on into a bucket, without knowing this module. */
const inside =
  (scope: AggregationScope) =>
  (context: Context, path: Path, pair: AggregationPair): IsApproximate =>
    compareInside(context, path, pair, scope);

type Named = {
  name: string;
  path: Path;
  authority: JsonObject;
  other: JsonObject;
  spec: AggregationSpec | undefined;
  kind: AggregationKind;
};

const pairUp = (
  context: Context,
  path: Path,
  sides: { authority: JsonObject; other: JsonObject },
  scope: AggregationScope,
): Named[] => {
  const named: Named[] = [];
  for (const name of new Set([...Object.keys(sides.authority), ...Object.keys(sides.other)])) {
    const [authority, other] = [member(sides.authority, name), member(sides.other, name)];
    const at = child(path, name);
    if (!isObject(authority) || !isObject(other)) {
      diffOptional(context, at, { authority, other }, { severity: 'S6' });
      continue;
    }
    const spec = scope.specs?.get(withoutType(name, scope.facts));
    named.push({ name, path: at, authority, other, spec, kind: kindOf(spec, authority) });
  }
  return named.sort((x, y) => Number(x.kind === 'derived') - Number(y.kind === 'derived'));
};

export const compareAggregations = (
  context: Context,
  path: Path,
  sides: { authority: JsonObject; other: JsonObject },
  scope: AggregationScope,
): IsApproximate => {
  if (sameValue(sides.authority, sides.other)) return false;
  const nameOf = (name: string): string => withoutType(name, scope.facts);
  let approximate: IsApproximate = false;
  for (const pair of pairUp(context, path, sides, scope)) {
    if (sameValue(pair.authority, pair.other)) continue;
    const isDerived = pair.kind === 'derived';
    const given = isDerived ? { ...pair, floor: derivedFloor(pair.spec, sides, nameOf) } : pair;
    const within: Context = approximate && isDerived ? softened(context) : context;
    approximate = comparers[pair.kind](within, pair.path, given, scope) || approximate;
  }
  return approximate;
};
