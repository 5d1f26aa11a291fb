/** Compares answers to search and msearch: hits, aggregations and suggestions of each. */
import { type AggregationScope, compareAggregations, withoutType } from './aggregations.ts';
import { type Context, softened } from './context.ts';
import { child, type Path } from './findings.ts';
import { type Gate, gateCompleteness, gateStatus, type Outcome } from './gate.ts';
import { compareHits } from './hits.ts';
import { type Bodies, pairItems } from './items.ts';
import { type Json, type JsonObject, member, numberMember, objectMember } from './json-value.ts';
import { meanMetrics } from './rank-metrics.ts';
import type { SearchFacts } from './request.ts';
import { compareSuggestions } from './suggest.ts';
import { diffOptional } from './tree-diff.ts';
import type { DiscardReason, RankMetrics } from './types.ts';

/** What a comparator adds to the findings. */
export type Compared = {
  metrics?: RankMetrics | undefined;
  discard?: DiscardReason | undefined;
  otherBetter?: true | undefined;
};

const shardCount = (body: Json): number | undefined => numberMember(member(body, '_shards'), 'total');

/** As many shards on both sides: documents are divided alike, so term statistics are alike. Or statistics of all shards were asked for. */
const haveSameStatistics = ({ authority, other }: Bodies, facts: SearchFacts): boolean => {
  if (facts.sharedStatistics) return true;
  const shards = shardCount(authority);
  return shards !== undefined && shards === shardCount(other);
};

const aggregationsOf = (body: Json): JsonObject | undefined =>
  objectMember(body, 'aggregations') ?? objectMember(body, 'aggs');

/** The aggregations over all documents, or those over what the query found. */
const partOf = (aggregations: JsonObject, isOfAll: boolean, { facts, specs }: AggregationScope): JsonObject => {
  const isWanted = (name: string) => (specs?.get(withoutType(name, facts))?.type === 'global') === isOfAll;
  return Object.fromEntries(Object.entries(aggregations).filter(([name]) => isWanted(name)));
};

type AggregationSides = { authority: JsonObject; other: JsonObject };

/** Each side aggregates over the neighbours that it found itself; only what is over all documents must be equal. */
const compareFound = (context: Context, path: Path, sides: AggregationSides, scope: AggregationScope): void => {
  const { facts } = scope;
  if (facts.neighbours === 'none') return void compareAggregations(context, path, sides, scope);
  const over = (isOfAll: boolean): AggregationSides => ({
    authority: partOf(sides.authority, isOfAll, scope),
    other: partOf(sides.other, isOfAll, scope),
  });
  compareAggregations(context, path, over(true), { ...scope, facts: { ...facts, neighbours: 'none' } });
  compareAggregations(softened(context), path, over(false), scope);
};

const compareParts = (context: Context, path: Path | undefined, bodies: Bodies, facts: SearchFacts): Compared => {
  const { authority, other } = bodies;
  const sharedStatistics = haveSameStatistics(bodies, facts);
  const leastShared = context.rules.profile.knn.recall;
  const [hitsA, hitsB] = [objectMember(authority, 'hits'), objectMember(other, 'hits')];
  const metrics =
    hitsA && hitsB
      ? compareHits(context, path, { authority: hitsA, other: hitsB, facts, sharedStatistics, leastShared })
      : undefined;
  if (!metrics) diffOptional(context, child(path, 'hits'), { authority: hitsA, other: hitsB }, { severity: 'S4' });
  const aggregations = { authority: aggregationsOf(authority), other: aggregationsOf(other) };
  const at = child(path, 'aggregations');
  if (aggregations.authority && aggregations.other) {
    const sides = { authority: aggregations.authority, other: aggregations.other };
    compareFound(context, at, sides, { facts, specs: facts.aggregations, sharedStatistics });
  } else diffOptional(context, at, aggregations, { severity: 'S6' });
  compareSuggestions(context, {
    authority: member(authority, 'suggest'),
    other: member(other, 'suggest'),
    facts,
    path,
  });
  return { metrics };
};

const closed = (gate: Gate): Compared =>
  gate.kind === 'discard' ? { discard: gate.reason, otherBetter: gate.otherBetter } : {};

export const compareSearch = (
  context: Context,
  path: Path | undefined,
  bodies: Bodies,
  facts: SearchFacts,
): Compared => {
  const gate = gateCompleteness(context, bodies, { path, mayStopEarly: facts.mayStopEarly });
  return gate.kind === 'compare' ? compareParts(context, path, bodies, facts) : closed(gate);
};

const itemOutcome = (item: Json): Outcome => ({
  status: numberMember(item, 'status') ?? (member(item, 'error') === undefined ? 200 : 500),
  body: item,
});

const compareItem = (context: Context, path: Path, bodies: Bodies, facts: SearchFacts): Compared => {
  const gate = gateStatus(context, path, {
    authority: itemOutcome(bodies.authority),
    other: itemOutcome(bodies.other),
  });
  return gate.kind === 'compare' ? compareSearch(context, path, bodies, facts) : closed(gate);
};

/** An item that cannot be judged is left out; the answer is discarded only when none can. */
const summarize = (items: readonly Compared[]): Compared => {
  const judged = items.filter(({ discard }) => discard === undefined);
  if (judged.length === 0) return items[0] ?? {};
  return { metrics: meanMetrics(judged.flatMap(({ metrics }) => metrics ?? [])) };
};

/** `factsOf` knows each item's search. */
export const compareMultiSearch = (
  context: Context,
  bodies: Bodies,
  factsOf: (item: number) => SearchFacts,
): Compared =>
  summarize(
    pairItems(context, 'responses', bodies).map(({ at, position, ...item }) =>
      compareItem(context, child(at, position), item, factsOf(position)),
    ),
  );
