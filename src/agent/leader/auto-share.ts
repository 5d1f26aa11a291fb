/**
 * Since when the present share of reads has stood, and how often this route brought its reads home by itself since somebody
 * else chose a share. What the leader wrote itself is also kept in the store, so that a successor dwells on from there: a
 * rolling restart must neither begin the dwell anew each time nor forget its doubling. Without the record it begins anew.
 */
import * as z from 'zod';
import { keys } from '../../coordination/keys.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { Leading } from './leading.ts';

const AutoShare = z.strictObject({
  schema: z.literal(1),
  /** Of `pct.read` as the leader wrote it; another one means that somebody else has written since. */
  revision: z.int(),
  at: z.string(),
  homes: z.int().min(0),
});

export type Share = {
  percent: number;
  /** Monotonic time since which it stands. */
  atMs: number;
  homes: number;
  /** Our last change, which may not have come back from the store yet. */
  written: { percent: number; atMs: number } | undefined;
};
type Written = { percent: number; revision: number; homes: number };

/** By then a change of ours is seen, or somebody has overwritten it. */
const echoMs = 10_000;

const shares = new WeakMap<Leading, Share>();

/** What a leader before this one wrote, if it still stands. */
const inherited = async ({ deps }: Leading, percent: number): Promise<Share> => {
  const { store, slug, runtime, clock } = deps;
  const fresh: Share = { percent, atMs: runtime.now(), homes: 0, written: undefined };
  const record = parseRecord(AutoShare, (await store.config.get(keys.job(slug, 'auto')))?.value);
  if (record === undefined) return fresh;
  const standing = await store.config.get(keys.percent(slug, 'read'));
  if (standing?.revision !== record.revision) return fresh;
  const stoodMs = Math.max(0, Date.parse(clock()) - Date.parse(record.at)) || 0;
  return { ...fresh, atMs: fresh.atMs - stoodMs, homes: record.homes };
};

const changed = ({ homes, written }: Share, percent: number, nowMs: number): Share => ({
  percent,
  atMs: nowMs,
  homes: written?.percent === percent ? homes : 0,
  written: undefined,
});

/** A share that somebody else has chosen ends the doubling of the dwell. */
export const noteShare = async (leading: Leading, percent: number): Promise<Share> => {
  const known = shares.get(leading);
  if (known?.percent === percent) return known;
  const now =
    known === undefined ? await inherited(leading, percent) : changed(known, percent, leading.deps.runtime.now());
  shares.set(leading, now);
  return now;
};

export const awaitsEcho = ({ written, percent }: Share, nowMs: number): boolean =>
  written !== undefined && written.percent !== percent && nowMs - written.atMs < echoMs;

export const rememberShare = async (leading: Leading, { percent, revision, homes }: Written): Promise<void> => {
  const { store, slug, runtime, clock } = leading.deps;
  const known = shares.get(leading);
  if (known !== undefined) shares.set(leading, { ...known, homes, written: { percent, atMs: runtime.now() } });
  const record = { schema: 1, revision, at: clock(), homes };
  await store.config.put(keys.job(slug, 'auto'), JSON.stringify(record));
};
