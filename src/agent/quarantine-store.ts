/**
 * Quarantines that must outlive a process, one record per owner under `job.<slug>.quarantine.<owner>`: the tail's and
 * each backfill chunk's. Together with the heartbeats of members they say whether the follower refuses anything.
 */
import { casError } from '../coordination/cas.ts';
import { keys } from '../coordination/keys.ts';
import type { Bucket, Chunk } from '../coordination/ports.ts';
import { QuarantineRecord } from './quarantine.ts';

const prefix = (slug: string): string => `${keys.job(slug, 'quarantine')}.`;
export const tailOwner = 'tail';
export const chunkOwner = ({ index, shard, fromSeq }: Chunk): string => `chunk-${index}-${shard}-${fromSeq + 1}`;

/**
 * An empty record is removed rather than kept. Both only over what was there: a write whose answer never came may arrive
 * late, and must not take the place of a longer list.
 * @throws STORE_CONFLICT when somebody else wrote; STORE_OUTCOME_UNKNOWN, STORE_UNAVAILABLE
 */
export const saveQuarantine = async (
  bucket: Bucket,
  { slug, owner }: { slug: string; owner: string },
  record: QuarantineRecord,
): Promise<void> => {
  const key = `${prefix(slug)}${owner}`;
  const before = await bucket.get(key);
  if (record.docs.length + record.overflowed === 0) {
    if (before !== undefined) await bucket.delete(key, before.revision);
    return;
  }
  const result = await bucket.update(key, JSON.stringify(record), before?.revision ?? 0);
  if (!result.ok) throw casError(result.reason, `${key} could not be saved`);
};

/** Owner to record. A record that cannot be read counts as one refusal: it must bar a cutover, not vanish. */
export const loadQuarantines = async (bucket: Bucket, slug: string): Promise<Map<string, QuarantineRecord>> => {
  const entries = await bucket.list(prefix(slug));
  return new Map(entries.map(({ key, value }) => [key.slice(prefix(slug).length), readRecord(value)]));
};

const readRecord = (value: string): QuarantineRecord => {
  try {
    return QuarantineRecord.parse(JSON.parse(value));
  } catch {
    return { schema: 1, docs: [], overflowed: 1 };
  }
};

export const clearQuarantines = async (bucket: Bucket, slug: string): Promise<void> => {
  for (const { key } of await bucket.list(prefix(slug))) await bucket.delete(key);
};
