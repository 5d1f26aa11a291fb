/**
 * What other processes read in the leader's record of a route. Only these fields are taken, so that a record of another version,
 * which has more or fewer, can still be read. Invariant: an absent or damaged record says neither paused nor filled nor swept.
 */
import * as z from 'zod';
import { keys } from '../coordination/keys.ts';
import { parseRecord } from '../coordination/parse-record.ts';
import type { Bucket } from '../coordination/ports.ts';

const Begun = z.object({
  backfill: z.string(),
  sweep: z.object({ coveredEvents: z.number(), finishedAt: z.string().optional() }).optional(),
});
const Read = z.object({ paused: z.boolean().default(false), work: Begun.optional() });

/**
 * The follower has what the authority has, and nothing that was deleted there before this stay, which copies do not take
 * away: so a first sweep has to end too. A later one that is due tells of single documents.
 */
export const isFilled = (work: z.infer<typeof Begun> | undefined): boolean =>
  work?.backfill === 'done' &&
  work.sweep !== undefined &&
  (work.sweep.coveredEvents >= 0 || work.sweep.finishedAt !== undefined);

export type LeaderRecord = { paused: boolean; filled: boolean };

/** @throws when the store cannot be asked. */
export const readLeaderRecord = async (bucket: Pick<Bucket, 'get'>, slug: string): Promise<LeaderRecord> => {
  const entry = await bucket.get(keys.job(slug, 'state'));
  const record = parseRecord(Read, entry?.value);
  return { paused: record?.paused ?? false, filled: isFilled(record?.work) };
};

const Swept = z.object({
  events: z.record(z.string(), z.number()).default({}),
  work: z.object({ sweep: z.object({ coveredEvents: z.number() }) }).optional(),
});
/** Events by process (see events.ts), and how many of all the last sweep covers; -1 = none is known to have ended. */
export type SweepSeen = { events: Readonly<Record<string, number>>; coveredEvents: number };

/** @throws when the store cannot be asked. */
export const readSweep = async (bucket: Pick<Bucket, 'get'>, slug: string): Promise<SweepSeen> => {
  const record = parseRecord(Swept, (await bucket.get(keys.job(slug, 'state')))?.value);
  return { events: record?.events ?? {}, coveredEvents: record?.work?.sweep.coveredEvents ?? -1 };
};
