/**
 * A page of hits as an ordered list with ties. Hits with equal sort keys have no defined order among themselves: it is
 * the storage's internal one and differs per copy. The group of ties that the end of the page (or its start, when
 * `from` > 0 or not known) cuts through is open: which of its members are on the page may differ as well.
 * Under a sort by score the same holds for scores closer than their noise: term statistics are local to a shard and
 * count deleted documents, so two clusters with equal documents do not give equal scores.
 */
import type { JsonObject } from './json-value.ts';

export type RankedHit = {
  readonly identity: string;
  readonly hit: JsonObject;
  readonly score: number | undefined;
  /** Text of the leading sort values that are equal on both sides for equal documents. */
  readonly key: string;
};
export type Page = {
  readonly hits: readonly RankedHit[];
  /** True where it is not known. */
  readonly cutAtStart: boolean;
  readonly cutAtEnd: boolean;
  /** The best score of all hits, where the answer says it. */
  readonly best: number | undefined;
};

/**
 * fields: ties have equal keys. score: closeness decides, `scale` = typical ratio of other to authority scores.
 * unknown: the answers carry neither sort values nor scores, so order cannot be judged.
 */
export type Ordering =
  { kind: 'fields' } | { kind: 'score'; tolerance: number; band: number; scale: number } | { kind: 'unknown' };

/** How sure it is that a hit belongs on the page: `tied` may be swapped freely, `noise` only by the noise of scores. */
export type Openness = 'closed' | 'noise' | 'tied';

export type Matching = {
  readonly common: readonly { authority: RankedHit; other: RankedHit }[];
  readonly missing: readonly RankedHit[];
  readonly extra: readonly RankedHit[];
};

export const matchPages = (authority: Page, other: Page): Matching => {
  const left = new Map(other.hits.map((hit) => [hit.identity, hit]));
  const common: { authority: RankedHit; other: RankedHit }[] = [];
  const missing: RankedHit[] = [];
  for (const hit of authority.hits) {
    const twin = left.get(hit.identity);
    if (twin === undefined) missing.push(hit);
    else {
      common.push({ authority: hit, other: twin });
      left.delete(hit.identity);
    }
  }
  return { common, missing, extra: [...left.values()] };
};

/** Ratio of both pages' best scores; versions of the storage differ in a constant factor. */
export const bestScale = (authority: Page, other: Page): number => {
  const [a, b] = [authority.hits[0]?.score ?? 0, other.hits[0]?.score ?? 0];
  return a > 0 && b > 0 ? b / a : 1;
};

/** Middle of the score ratios, the same seen from either side (geometric mean of the two middle ones). */
export const typicalScale = (common: Matching['common']): number | undefined => {
  const ratios = common
    .map(({ authority, other }) => (other.score ?? 0) / (authority.score ?? 0))
    .filter((ratio) => Number.isFinite(ratio) && ratio > 0)
    .sort((x, y) => x - y);
  if (ratios.length === 0) return undefined;
  const low = ratios[Math.floor((ratios.length - 1) / 2)]!;
  const high = ratios[Math.ceil((ratios.length - 1) / 2)]!;
  return Math.sqrt(low * high);
};

const opennessByKey = (key: string, page: Page): Openness => {
  const atEnd = page.cutAtEnd && page.hits.at(-1)?.key === key;
  const atStart = page.cutAtStart && page.hits[0]?.key === key;
  return atEnd || atStart ? 'tied' : 'closed';
};

const within = (excess: number, { tolerance, band }: { tolerance: number; band: number }): Openness =>
  excess <= 1 + tolerance ? 'tied' : excess <= 1 + band ? 'noise' : 'closed';

const opennessByScore = (score: number, page: Page, noise: { tolerance: number; band: number }): Openness => {
  const last = page.cutAtEnd ? page.hits.at(-1)?.score : undefined;
  const first = page.cutAtStart ? page.hits[0]?.score : undefined;
  const atEnd = last === undefined ? 'closed' : within(ratio(score, last), noise);
  // No page before this one holds a better hit than the best of all.
  const isBeyondAll = page.best !== undefined && within(ratio(score, page.best), noise) === 'closed';
  const atStart = first === undefined || isBeyondAll ? 'closed' : within(ratio(first, score), noise);
  return atEnd === 'tied' || atStart === 'tied' ? 'tied' : atEnd === 'noise' ? atEnd : atStart;
};

/** Scores are not negative; two zeros are equal. */
const ratio = (a: number, b: number): number => (a === b ? 1 : a / b);

/** May `hit`, found on one page only, be absent from `page` without any document differing? `scale` brings its score to that page's side. */
export const opennessOf = (ordering: Ordering, hit: RankedHit, page: Page, scale: number): Openness => {
  if (ordering.kind === 'fields') return opennessByKey(hit.key, page);
  if (ordering.kind === 'unknown') return page.cutAtEnd || page.cutAtStart ? 'noise' : 'closed';
  return hit.score === undefined ? 'closed' : opennessByScore(hit.score * scale, page, ordering);
};

type Pair = Matching['common'][number];

/** How strongly both sides disagree about two hits that stand in opposite order: 0 = tied, above 1 = not explained. */
const disagreement = (ordering: Ordering, x: Pair, y: Pair): number => {
  if (ordering.kind === 'unknown') return 0;
  if (ordering.kind === 'fields')
    return x.authority.key === y.authority.key || x.other.key === y.other.key ? 0 : Number.POSITIVE_INFINITY;
  const there = Math.log(ratio(x.authority.score ?? 0, y.authority.score ?? 0));
  const back = Math.log(ratio(y.other.score ?? 0, x.other.score ?? 0));
  const sum = there + back;
  return sum <= Math.log1p(ordering.tolerance) ? 0 : sum / Math.log1p(ordering.band);
};

export type OrderFinding = { worst: number; first: Pair; second: Pair };

/**
 * The pair of hits about whose order both sides disagree most; undefined when every inversion is among ties. Judged
 * over the first `judgedHits` common hits: the work is quadratic, and only done where the order differs at all.
 */
export const worstInversion = (
  ordering: Ordering,
  { common, other, judgedHits }: { common: Matching['common']; other: Page; judgedHits: number },
): OrderFinding | undefined => {
  const place = new Map(other.hits.map((hit, i) => [hit.identity, i]));
  const judged = common.slice(0, judgedHits);
  const places = judged.map((pair) => place.get(pair.other.identity)!);
  if (places.every((at, i) => i === 0 || places[i - 1]! < at)) return undefined;
  let found: OrderFinding | undefined;
  for (let i = 0; i < judged.length; i++)
    for (let j = i + 1; j < judged.length; j++) {
      if (places[i]! < places[j]!) continue;
      const worst = disagreement(ordering, judged[i]!, judged[j]!);
      if (worst > (found?.worst ?? 0)) found = { worst, first: judged[i]!, second: judged[j]! };
    }
  return found;
};
