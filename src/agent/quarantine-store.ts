/**
 * Quarantines that must outlive a process, one record per owner under `job.<slug>.quarantine.<owner>`: the tail's and
 * each backfill chunk's. Together with the heartbeats of members they say whether the follower refuses anything.
 */
import { casError } from '../coordination/cas.ts';
import { keys } from '../coordination/keys.ts';
import type { Bucket, Chunk } from '../coordination/ports.ts';
import { isEmpty, QuarantineRecord } from './quarantine.ts';

const prefix = (slug: string): string => `${keys.job(slug, 'quarantine')}.`;
export const tailOwner = 'tail';
export const chunkOwner = ({ index, shard, fromSeq }: Chunk): string => `chunk-${index}-${shard}-${fromSeq + 1}`;
/** The chunk that a list is of; undefined for every other owner. */
export const chunkOf = (owner: string): Pick<Chunk, 'index' | 'shard' | 'fromSeq'> | undefined => {
  const match = /^chunk-(\d+)-(\d+)-(\d+)$/.exec(owner);
  return match === null
    ? undefined
    : { index: Number(match[1]), shard: Number(match[2]), fromSeq: Number(match[3]) - 1 };
};

export type KeptQuarantine = { record: QuarantineRecord; revision: number };
export type QuarantineKey = {
  slug: string;
  owner: string;
  /** Revision that this record follows, 0 where there was none; absent where it may follow any. */
  over?: number | undefined;
};

/**
 * An empty record is removed rather than kept. Both only over what was there: a write whose answer never came may arrive
 * late, and must not take the place of a longer list.
 * @returns the revision that a later record follows
 * @throws STORE_CONFLICT when somebody else wrote; STORE_OUTCOME_UNKNOWN, STORE_UNAVAILABLE
 */
export const saveQuarantine = async (
  bucket: Bucket,
  { slug, owner, over }: QuarantineKey,
  record: QuarantineRecord,
): Promise<number> => {
  const key = `${prefix(slug)}${owner}`;
  const before = over ?? (await bucket.get(key))?.revision ?? 0;
  if (isEmpty(record)) {
    if (before > 0) await bucket.delete(key, before);
    return 0;
  }
  const result = await bucket.update(key, JSON.stringify(record), before);
  if (!result.ok) throw casError(result.reason, `${key} could not be saved`);
  return result.revision;
};

/** By owner. A record that cannot be read counts as one refusal: it must bar a cutover, not vanish. */
export const loadQuarantines = async (bucket: Bucket, slug: string): Promise<Map<string, KeptQuarantine>> => {
  const entries = await bucket.list(prefix(slug));
  return new Map(
    entries.map(({ key, value, revision }) => [
      key.slice(prefix(slug).length),
      { record: readRecord(value), revision },
    ]),
  );
};

const readRecord = (value: string): QuarantineRecord => {
  try {
    return QuarantineRecord.parse(JSON.parse(value));
  } catch {
    return { schema: 1, docs: [], overflowed: 1 };
  }
};

/**
 * Removes the lists that were there before `ours`, which fails for a leader that has been succeeded: what the successor
 * wrote since stays.
 * @throws what `ours` throws; STORE_CONFLICT when somebody wrote meanwhile; STORE_OUTCOME_UNKNOWN, STORE_UNAVAILABLE
 */
export const clearQuarantines = async (bucket: Bucket, slug: string, ours: () => Promise<void>): Promise<void> => {
  const listed = await bucket.list(prefix(slug));
  await ours();
  for (const { key, revision } of listed) await bucket.delete(key, revision);
};
