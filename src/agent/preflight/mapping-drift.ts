/**
 * Has somebody changed the mapping of one side since the copies began? The differences of that moment are the operator's
 * own and stay allowed; so do fields that documents bring along. What is told: a field that both sides had alike and have
 * no longer, a new field that they map differently, and a field on one side only that no document can have brought. Pure.
 */
import type { Difference } from './difference.ts';

export type MappingDrift = readonly Difference[];

const absent = 'absent';

/** A follower that ignores new fields lacks what documents bring to the authority, and that is as it should be. */
const takesFields = (mappings: Record<string, unknown>): boolean => {
  const dynamic = String(mappings['dynamic'] ?? 'true');
  return dynamic !== 'false' && dynamic !== 'strict';
};

const isNews = (then: Difference | undefined, now: Difference): boolean => {
  if (then === undefined) return true;
  const same = then.source === now.source && then.target === now.target;
  // A field that one side lacked at first comes with the documents, in whatever way that side guesses it.
  return !same && then.source !== absent && then.target !== absent;
};

export type DriftInput = {
  baseline: MappingDrift;
  now: MappingDrift;
  follower: 'source' | 'target';
  followerMappings: Record<string, unknown>;
};

export const mappingDrift = ({ baseline, now, follower, followerMappings }: DriftInput): MappingDrift => {
  const then = new Map(baseline.map((difference) => [difference.path, difference]));
  const mayLack = !takesFields(followerMappings);
  return now.filter(
    (difference) => isNews(then.get(difference.path), difference) && !(mayLack && difference[follower] === absent),
  );
};

/** Those that stood at the last look too: a field reaches the follower a moment after the authority. */
export const persisting = (before: MappingDrift, now: MappingDrift): MappingDrift => {
  const known = new Set(before.map((difference) => JSON.stringify(difference)));
  return now.filter((difference) => known.has(JSON.stringify(difference)));
};
