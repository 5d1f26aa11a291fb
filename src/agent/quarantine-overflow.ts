/**
 * Pure: refused documents beyond the length of a list are only counted, so nothing but the authority tells which they are.
 * Once all that is listed is mended, the tail goes back to where counting began and meets the others again: what is mended
 * gets through, what is still refused is listed. Invariant: a count is dropped only together with cursors that stand
 * before each document which it counted.
 */
import { type Cursors, isEmpty, type QuarantineRecord } from './quarantine.ts';
import { chunkOf, tailOwner } from './quarantine-store.ts';
import type { TailState } from './tail.ts';

/** By owner. */
export type Lists = ReadonlyMap<string, QuarantineRecord>;

/** Nothing listed is left to be mended, and some were only counted. */
export const isDue = (lists: Lists): boolean => {
  const records = [...lists.values()];
  return records.every(({ docs }) => docs.length === 0) && !records.every(isEmpty);
};

type Place = { ordinal: number; shard: number };

/** Before every document that the list counts in this shard; undefined where it counts none. */
const countedAfter = (owner: string, { overflowed, from }: QuarantineRecord, at: Place): number | undefined => {
  if (overflowed === 0) return undefined;
  if (owner === tailOwner) return from?.[at.ordinal]?.[at.shard] ?? -1;
  const chunk = chunkOf(owner);
  if (chunk === undefined) return -1;
  return chunk.index === at.ordinal && chunk.shard === at.shard ? chunk.fromSeq : undefined;
};

const lowest = (cursor: number, lists: Lists, at: Place): number =>
  [...lists].reduce((low, [owner, record]) => Math.min(low, countedAfter(owner, record, at) ?? low), cursor);

const movedBack = (cursors: Cursors, lists: Lists): number[][] =>
  cursors.map((shards, ordinal) => shards.map((cursor, shard) => lowest(cursor, lists, { ordinal, shard })));

/** The tail before all that the lists only counted. */
export const movedBackTail = (tail: TailState, lists: Lists): TailState => {
  const cursors = movedBack(
    tail.indices.map((position) => position.cursors),
    lists,
  );
  const indices = tail.indices.map((position, ordinal) => ({ ...position, cursors: cursors[ordinal] as number[] }));
  return { ...tail, indices };
};
