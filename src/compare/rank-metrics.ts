/**
 * How alike two ranked lists are: overlap at k, Jaccard, rank-biased overlap (Webber, Moffat and Zobel 2010) with ties.
 * A group of ties counts as present as a whole from its first rank on (their treatment "W"), so permuting ties changes
 * nothing and equal lists score 1. The sum is truncated at the longer list and normalised, not extrapolated.
 * Two empty lists agree (1): a query without results is not a mismatch.
 */
import type { RankMetrics } from './types.ts';

/** Identities in order; `group` is equal for ties and grows along the list. */
export type RankedIds = { readonly ids: readonly string[]; readonly groups: readonly number[] };

export const perfect: RankMetrics = { overlap1: 1, overlap3: 1, overlap10: 1, overlapSize: 1, jaccard: 1, rbo: 1 };

/** For each depth from 1: how many ids are present, those ranked within it and the whole of the group it ends in. */
const presentByDepth = ({ ids, groups }: RankedIds, depth: number): number[] => {
  const ends = new Map(groups.map((group, i) => [group, i + 1]));
  return Array.from({ length: depth }, (_, i) => (i < ids.length ? ends.get(groups[i]!)! : ids.length));
};

/** For each depth from 1: the share of the possible agreement between both lists' first ranks. */
const agreements = (a: RankedIds, b: RankedIds, depth: number): number[] => {
  const [seenA, seenB] = [new Set<string>(), new Set<string>()];
  let both = 0;
  const take = (list: RankedIds, end: number, own: Set<string>, twin: Set<string>) => {
    for (let i = own.size; i < end; i++) {
      if (twin.has(list.ids[i]!)) both++;
      own.add(list.ids[i]!);
    }
  };
  const [endsA, endsB] = [presentByDepth(a, depth), presentByDepth(b, depth)];
  return Array.from({ length: depth }, (_, i) => {
    const [endA, endB] = [endsA[i]!, endsB[i]!];
    take(a, endA, seenA, seenB);
    take(b, endB, seenB, seenA);
    return endA + endB === 0 ? 1 : (2 * both) / (endA + endB);
  });
};

/** Beyond this depth the weights are negligible for any persistence in use. */
const maxDepth = 200;

const weightedMean = (values: readonly number[], persistence: number): number => {
  let [sum, weights, weight] = [0, 0, 1];
  for (const value of values.slice(0, maxDepth)) {
    sum += weight * value;
    weights += weight;
    weight *= persistence;
  }
  return weights === 0 ? 1 : sum / weights;
};

/** Ids are distinct within a list. */
export const rankMetrics = (a: RankedIds, b: RankedIds, persistence: number): RankMetrics => {
  const size = Math.max(a.ids.length, b.ids.length);
  const byDepth = agreements(a, b, size);
  const at = (k: number) => byDepth[Math.min(k, size) - 1] ?? 1;
  const inA = new Set(a.ids);
  const both = b.ids.filter((id) => inA.has(id)).length;
  const all = a.ids.length + b.ids.length - both;
  return {
    overlap1: at(1),
    overlap3: at(3),
    overlap10: at(10),
    overlapSize: at(size),
    jaccard: all === 0 ? 1 : both / all,
    rbo: weightedMean(byDepth, persistence),
  };
};

export const meanMetrics = (list: readonly RankMetrics[]): RankMetrics | undefined => {
  if (list.length === 0) return undefined;
  const mean = (name: keyof RankMetrics) => list.reduce((sum, metrics) => sum + metrics[name], 0) / list.length;
  return {
    overlap1: mean('overlap1'),
    overlap3: mean('overlap3'),
    overlap10: mean('overlap10'),
    overlapSize: mean('overlapSize'),
    jaccard: mean('jaccard'),
    rbo: mean('rbo'),
  };
};
