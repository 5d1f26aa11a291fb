/** Reads a page of hits into a ranked list: identities, sort keys, and whether more hits lie before or beyond it. */
import type { Context } from './context.ts';
import { isLocalOrder, looksLikeScore } from './hit.ts';
import { distinct, identityOf } from './identity.ts';
import { arrayMember, isObject, type Json, type JsonObject, numberMember, textOf } from './json-value.ts';
import { bestScale, type Matching, type Ordering, type Page, type RankedHit, typicalScale } from './ranking.ts';
import type { SearchFacts } from './request.ts';
import { pageTotal } from './totals.ts';
import type { Answerer } from './types.ts';

const scoreOf = (hit: JsonObject): number | undefined => numberMember(hit, '_score');

/** The first sort value is the score, by the request or, when that is not known, by its looks. */
const leadsByScore = (hit: JsonObject, facts: SearchFacts): boolean => {
  const values = arrayMember(hit, 'sort');
  if (values === undefined) return scoreOf(hit) !== undefined;
  return facts.sort?.[0] === '_score' || (facts.sort === undefined && looksLikeScore(values[0], hit));
};

const isLocal = (component: string): boolean => component === '_score' || isLocalOrder(component);

/** Sort values up to the first that is local to a cluster. */
const sortKey = (hit: JsonObject, facts: SearchFacts): string => {
  const values = arrayMember(hit, 'sort');
  if (values === undefined) return '';
  const end = facts.sort?.findIndex(isLocal) ?? values.findIndex((value) => looksLikeScore(value, hit));
  return textOf(end < 0 ? values : values.slice(0, end));
};

type HitsOf = { readonly answerer: Answerer; readonly facts: SearchFacts };

const rankedHits = (context: Context, list: readonly Json[], { answerer, facts }: HitsOf): RankedHit[] => {
  const { collapse } = facts;
  const identities = distinct(list.map((hit) => identityOf(context, hit, { answerer, collapse })));
  return list.map((value, i) => {
    const hit = isObject(value) ? value : {};
    return { identity: identities[i]!, hit, score: scoreOf(hit), key: sortKey(hit, facts) };
  });
};

/** After a score, or a place in a shard, each side goes on at another document. */
const mayFollowOthers = ({ from, searchAfter, sort }: SearchFacts): boolean =>
  from !== 0 || (searchAfter && (sort === undefined || sort.some(isLocal)));

export const pageOf = (context: Context, hits: JsonObject, of: HitsOf): Page => {
  const { facts } = of;
  const list = arrayMember(hits, 'hits') ?? [];
  const total = pageTotal(hits);
  const isFull = list.length > 0 && list.length >= (facts.size ?? 0);
  // Under collapse the total counts documents, not groups, so it does not tell whether the page is the last.
  const known = facts.collapse === undefined ? total : undefined;
  const isLast = known !== undefined && (facts.from ?? 0) + list.length >= known;
  const isWhole = known !== undefined && list.length >= known;
  return {
    hits: rankedHits(context, list, of),
    cutAtStart: !isWhole && mayFollowOthers(facts),
    cutAtEnd: isFull && !isLast,
    best: numberMember(hits, 'max_score'),
  };
};

export type Pages = { authority: Page; other: Page };

/** What decides the order of these pages. `sharedStatistics`: scores of both sides rest on like statistics. */
export const orderingOf = (
  context: Context,
  { authority, other, common }: Pages & { common: Matching['common'] },
  { facts, sharedStatistics }: { facts: SearchFacts; sharedStatistics: boolean },
): Ordering => {
  const sample = authority.hits[0]?.hit ?? other.hits[0]?.hit;
  if (sample === undefined) return { kind: 'unknown' };
  if (!leadsByScore(sample, facts)) return { kind: arrayMember(sample, 'sort') ? 'fields' : 'unknown' };
  const { tolerance, band, layoutBand } = context.rules.profile.scores;
  const scale = typicalScale(common) ?? bestScale(authority, other);
  return { kind: 'score', tolerance, band: sharedStatistics ? band : layoutBand, scale };
};
