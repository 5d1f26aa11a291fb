/**
 * Compares two pages of hits: totals, best score, which documents are on the page, in which order, and what each holds.
 * Hits are matched by identity, never by position; ties and the page's cut are treated as ranking.ts says.
 */
import { type Context, report } from './context.ts';
import { child, type Path } from './findings.ts';
import { compareHit, type HitRules } from './hit.ts';
import { isNear, type JsonObject, member, numberMember, objectMember, stringMember } from './json-value.ts';
import { orderingOf, type Pages, pageOf } from './page.ts';
import { perfect, type RankedIds, rankMetrics } from './rank-metrics.ts';
import {
  type Matching,
  matchPages,
  type Openness,
  type OrderFinding,
  type Ordering,
  opennessOf,
  type Page,
  type RankedHit,
  worstInversion,
} from './ranking.ts';
import { nestedFacts, type SearchFacts } from './request.ts';
import { compareTotals } from './totals.ts';
import { diffOptional } from './tree-diff.ts';
import type { RankMetrics, Severity } from './types.ts';

export type HitsComparison = {
  /** The objects under `hits`: total, max_score, hits. */
  authority: JsonObject;
  other: JsonObject;
  facts: SearchFacts;
  /** Scores of both sides rest on like statistics: the same number of shards, or statistics of all shards. */
  sharedStatistics: boolean;
  /** Share of hits that both pages must have in common where nothing tells their order; undefined = none. */
  leastShared?: number | undefined;
};

type Membership = { hit: RankedHit; openness: Openness; where: 'missing_hit' | 'extra_hit' };

type Shared = { readonly recall: number; readonly isOneAnother: boolean };

const sharedBy = ({ authority: { hits: a }, other: { hits: b } }: Pages, common: number): Shared => ({
  recall: common / Math.max(a.length, b.length),
  isOneAnother: a.length === b.length && common === a.length - 1,
});

/** One may always be another: on a small page it weighs more than any floor allows. */
const isEnough = ({ recall, isOneAnother }: Shared, floor: number): boolean => recall >= floor || isOneAnother;

/** Ties let some hits be others, even where they cannot be seen, but hardly all of them. */
const isAnotherPage = (ordering: Ordering, pages: Pages & { matching: Matching }, least: number): boolean =>
  ordering.kind === 'unknown' && !isEnough(sharedBy(pages, pages.matching.common.length), least);

const membership = (ordering: Ordering, pages: Pages & { matching: Matching }): Membership[] => {
  const { matching } = pages;
  const scale = ordering.kind === 'score' ? ordering.scale : 1;
  const of = (hit: RankedHit, page: Page, by: number) => opennessOf(ordering, hit, page, by);
  return [
    ...matching.missing.map((hit) => ({ hit, openness: of(hit, pages.other, scale), where: 'missing_hit' as const })),
    ...matching.extra.map((hit) => ({
      hit,
      openness: of(hit, pages.authority, 1 / scale),
      where: 'extra_hit' as const,
    })),
  ];
};

/** The document's id as people know it. */
const nameOf = ({ hit, identity }: RankedHit): string => stringMember(hit, '_id') ?? identity;

const hitPath = (path: Path, hit: RankedHit): Path => child(child(path, 'hits'), { key: nameOf(hit) });

const reportMembership = (context: Context, path: Path, members: readonly Membership[]): void => {
  for (const { hit, openness, where } of members) {
    if (openness === 'tied') continue;
    report(context, {
      severity: openness === 'noise' ? 'S8' : 'S4',
      kind: openness === 'noise' ? 'open_tie' : where,
      path: hitPath(path, hit),
      [where === 'missing_hit' ? 'authority' : 'other']: hit.hit,
    });
  }
};

const isTied = (ordering: Ordering, before: RankedHit, hit: RankedHit): boolean => {
  if (ordering.kind === 'fields') return before.key === hit.key;
  return ordering.kind === 'unknown' || isNear(before.score ?? 0, hit.score ?? 0, ordering.tolerance);
};

/** For the rank metrics, hits that may legitimately be absent are paired, so that they do not look like losses. */
const rankedIds = (page: Page, open: ReadonlySet<string>, ordering: Ordering): RankedIds => {
  let [openSoFar, group] = [0, 0];
  const ids = page.hits.map((hit) => (open.has(hit.identity) ? `\u0000open${openSoFar++}` : hit.identity));
  const groups = page.hits.map((hit, i) => (i > 0 && !isTied(ordering, page.hits[i - 1]!, hit) ? ++group : group));
  return { ids, groups };
};

const metricsOf = (
  context: Context,
  pages: Pages,
  ranking: { ordering: Ordering; members: readonly Membership[] },
): RankMetrics => {
  const open = new Set(ranking.members.filter(({ openness }) => openness !== 'closed').map(({ hit }) => hit.identity));
  const [a, b] = [pages.authority, pages.other].map((page) => rankedIds(page, open, ranking.ordering));
  return rankMetrics(a!, b!, context.rules.profile.rank.persistence);
};

const reportOrder = (context: Context, path: Path, found: OrderFinding, rbo: number): void => {
  const isReal = found.worst > 1 && rbo < context.rules.profile.rank.rboFloor;
  const [first, second] = [nameOf(found.first.authority), nameOf(found.second.authority)];
  report(context, {
    severity: isReal ? 'S5' : 'S8',
    kind: 'order',
    path: child(path, 'hits'),
    authority: [first, second],
    other: [second, first],
  });
};

/** With other numbers of shards, mixed pages differ for equal documents, since each shard brings its own nearest: half is enough. */
const recallSeverity = (shared: Shared, floor: number, { facts, sharedStatistics }: HitsComparison): Severity => {
  if (shared.recall >= floor) return 'S9';
  const least = facts.neighbours === 'mixed' && !sharedStatistics ? floor / 2 : floor;
  return isEnough(shared, least) ? 'S8' : 'S4';
};

/** Approximate neighbours: only the share in common counts, and the order not at all. */
const compareNeighbours = (
  context: Context,
  path: Path,
  found: { pages: Pages; common: number; comparison: HitsComparison },
): RankMetrics => {
  const { pages, common, comparison } = found;
  const shared = sharedBy(pages, common);
  if (shared.recall < 1)
    report(context, {
      severity: recallSeverity(shared, context.rules.profile.knn.recall, comparison),
      kind: 'recall',
      path: child(path, 'hits'),
      authority: 1,
      other: shared.recall,
    });
  return metricsOf(context, pages, { ordering: { kind: 'unknown' }, members: [] });
};

const isSameSequence = (a: Page, b: Page): boolean =>
  a.hits.length === b.hits.length && a.hits.every((hit, i) => hit.identity === b.hits[i]!.identity);

/** Which documents are on the page, and in which order. */
const compareRanking = (
  context: Context,
  path: Path,
  pages: Pages & { matching: Matching; ordering: Ordering; leastShared: number },
): RankMetrics => {
  const { matching, ordering, leastShared } = pages;
  const found = membership(ordering, pages);
  const members = isAnotherPage(ordering, pages, leastShared)
    ? found.map((one) => ({ ...one, openness: 'closed' as const }))
    : found;
  reportMembership(context, path, members);
  const metrics = metricsOf(context, pages, { ordering, members });
  const { judgedHits } = context.rules.profile.rank;
  const inversion = worstInversion(ordering, { common: matching.common, other: pages.other, judgedHits });
  if (inversion) reportOrder(context, path, inversion, metrics.rbo);
  return metrics;
};

const compareMaxScore = (
  context: Context,
  path: Path,
  { authority, other }: HitsComparison,
  tolerance: number,
): void => {
  const [a, b] = [numberMember(authority, 'max_score'), numberMember(other, 'max_score')];
  if (a === undefined || b === undefined || isNear(a, b, tolerance)) return;
  report(context, {
    severity: 'S8',
    kind: 'max_score',
    path: child(path, 'max_score'),
    authority: a,
    other: b,
  });
};

type Twins = { authority: RankedHit; other: RankedHit };

/** Inner hits of one document: a page per name. */
const compareInnerHits = (context: Context, path: Path, { authority, other }: Twins, outer: HitsComparison): void => {
  const [a, b] = [objectMember(authority.hit, 'inner_hits') ?? {}, objectMember(other.hit, 'inner_hits') ?? {}];
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const at = child(child(path, 'inner_hits'), name);
    const [innerA, innerB] = [member(a, name), member(b, name)];
    const [pageA, pageB] = [objectMember(innerA, 'hits'), objectMember(innerB, 'hits')];
    if (pageA && pageB)
      compareHits(context, at, {
        ...outer,
        authority: pageA,
        other: pageB,
        facts: nestedFacts(outer.facts, undefined),
        leastShared: undefined,
      });
    else diffOptional(context, at, { authority: innerA, other: innerB }, { severity: 'S7' });
  }
};

/** Under collapse one group may be represented by two documents that tie; what they hold need not be equal. */
const isOtherRepresentative = (context: Context, { authority, other }: Twins, { facts }: HitsComparison): boolean =>
  facts.collapse !== undefined && context.rules.profile.match.by === 'id' && nameOf(authority) !== nameOf(other);

type TwinComparison = HitsComparison & { rules: HitRules; ordering: Ordering };

const compareRepresentatives = (context: Context, path: Path, twins: Twins, { ordering }: TwinComparison): void => {
  if (isTied(ordering, twins.authority, twins.other)) return;
  const [authority, other] = [twins.authority.hit, twins.other.hit];
  const [a, b] = [twins.authority.score ?? 0, twins.other.score ?? 0];
  const isNoise = ordering.kind === 'score' && isNear(a, b, ordering.band);
  report(context, {
    severity: isNoise ? 'S8' : 'S4',
    kind: isNoise ? 'open_tie' : 'missing_hit',
    path,
    authority,
    other,
  });
};

const compareTwins = (context: Context, path: Path, twins: Twins, comparison: TwinComparison): void => {
  const at = hitPath(path, twins.authority);
  if (isOtherRepresentative(context, twins, comparison)) compareRepresentatives(context, at, twins, comparison);
  else {
    compareHit(context, at, { authority: twins.authority.hit, other: twins.other.hit, rules: comparison.rules });
    compareInnerHits(context, at, twins, comparison);
  }
};

const hitRules = (context: Context, { facts, sharedStatistics }: HitsComparison): HitRules => {
  const { tolerance, layoutBand } = context.rules.profile.scores;
  // A ratio of 1 + band, as a share of the larger score.
  return { sort: facts.sort, scoreTolerance: sharedStatistics ? tolerance : layoutBand / (1 + layoutBand) };
};

/** Everything about the page but the rank of its hits. */
const compareContents = (
  context: Context,
  path: Path,
  comparison: HitsComparison & { matching: Matching; ordering: Ordering },
): void => {
  const rules = hitRules(context, comparison);
  if (comparison.facts.neighbours === 'none') compareTotals(context, child(path, 'total'), comparison);
  compareMaxScore(context, path, comparison, rules.scoreTolerance);
  const each = { ...comparison, rules };
  for (const twins of comparison.matching.common) compareTwins(context, path, twins, each);
};

export const compareHits = (context: Context, parent: Path | undefined, comparison: HitsComparison): RankMetrics => {
  const { facts } = comparison;
  const path = child(parent, 'hits');
  const pages = {
    authority: pageOf(context, comparison.authority, { answerer: 'authority', facts }),
    other: pageOf(context, comparison.other, { answerer: 'other', facts }),
  };
  const matching = matchPages(pages.authority, pages.other);
  const ordering = orderingOf(context, { ...pages, common: matching.common }, comparison);
  compareContents(context, path, { ...comparison, matching, ordering });
  if (isSameSequence(pages.authority, pages.other)) return perfect;
  return facts.neighbours === 'none'
    ? compareRanking(context, path, { ...pages, matching, ordering, leastShared: comparison.leastShared ?? 0 })
    : compareNeighbours(context, path, { pages, common: matching.common.length, comparison });
};
