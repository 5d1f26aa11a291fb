/**
 * Has somebody changed the mapping of one side since the copies began? The differences of that moment are the operator's
 * own and stay allowed; so do fields that documents bring along. What is told: a field that both sides had alike and have
 * no longer, a new field that they map differently, and a field on one side only that no document can have brought.
 * Documents bring fields to the authority that its follower never sees: a write that meets a conflict leaves its new field
 * in the mapping, and of two writes in a moment only the last is copied. With a transform fields on one side only are its
 * doing, and tell nothing. Pure.
 */
import type { Difference } from './difference.ts';

export type MappingDrift = readonly Difference[];

const absent = 'absent';

/** A follower that ignores new fields lacks what documents bring to the authority, and that is as it should be. */
const takesFields = (mappings: Record<string, unknown>): boolean => {
  const dynamic = String(mappings['dynamic'] ?? 'true');
  return dynamic !== 'false' && dynamic !== 'strict';
};

/** What clusters make by themselves of a field that they do not know; they do so again when a document brings it. */
const guesses: ReadonlySet<string> = new Set([
  'type="long"',
  'type="float"',
  'type="boolean"',
  'type="date"',
  'fields.keyword.ignore_above=256 fields.keyword.type="keyword" type="text"',
]);

/** Fields that only the authority has, and exactly as it would have guessed them; each ends with a dot. */
const guessed = (now: MappingDrift, follower: 'source' | 'target'): string[] => {
  const authority = follower === 'source' ? 'target' : 'source';
  const isGuessed = (field: string): boolean => {
    const leaves = now.filter(({ path }) => path.startsWith(field));
    const text = leaves.map((leaf) => `${leaf.path.slice(field.length)}=${leaf[authority]}`).sort();
    return leaves.every((leaf) => leaf[follower] === absent) && guesses.has(text.join(' '));
  };
  return now.map(({ path }) => path.replace(/type$/, '')).filter((field) => field.endsWith('.') && isGuessed(field));
};

/** Of a field that one side does not have at all, not of a parameter. */
const isOneSided = (now: MappingDrift, { path, source, target }: Difference): boolean =>
  now.some(
    (field) =>
      field.path.endsWith('.type') &&
      path.startsWith(field.path.slice(0, -'type'.length)) &&
      ((source === absent && field.source === absent) || (target === absent && field.target === absent)),
  );

const isNews = (then: Difference | undefined, now: Difference): boolean => {
  if (then === undefined) return true;
  const same = then.source === now.source && then.target === now.target;
  // A field that one side lacked at first comes with the documents, in whatever way that side guesses it.
  return !same && then.source !== absent && then.target !== absent;
};

export type DriftInput = {
  /** The route's transform renames, adds and leaves out fields, so either side has some that the other lacks. */
  transformed?: boolean;
  baseline: MappingDrift;
  now: MappingDrift;
  follower: 'source' | 'target';
  followerMappings: Record<string, unknown>;
};

export const mappingDrift = (input: DriftInput): MappingDrift => {
  const { baseline, now, follower, followerMappings, transformed = false } = input;
  const then = new Map(baseline.map((difference) => [difference.path, difference]));
  const ignoresFields = !takesFields(followerMappings);
  const fields = guessed(now, follower);
  const mayLack = (difference: Difference): boolean =>
    (transformed && isOneSided(now, difference)) ||
    (difference[follower] === absent && (ignoresFields || fields.some((field) => difference.path.startsWith(field))));
  return now.filter((difference) => isNews(then.get(difference.path), difference) && !mayLack(difference));
};

/** Those that stood at the last look too: a field reaches the follower a moment after the authority. */
export const persisting = (before: MappingDrift, now: MappingDrift): MappingDrift => {
  const known = new Set(before.map((difference) => JSON.stringify(difference)));
  return now.filter((difference) => known.has(JSON.stringify(difference)));
};
