/**
 * How long the present share of reads has stood while the evidence was about one thing (evidence-subject.ts), and how often
 * this route brought its reads home by itself since somebody else chose a share. What the leader wrote itself is also kept
 * in the store, so that a successor dwells on from there: a rolling restart must neither begin the dwell anew each time nor
 * forget its doubling. A time that has passed is kept, never a moment: clocks of two machines differ. Without the record the
 * dwell begins anew.
 */
import * as z from 'zod';
import { isFilled } from '../leader-record.ts';
import { evidenceSubject } from '../../coordination/evidence-subject.ts';
import { keys } from '../../coordination/keys.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { RouteState } from '../../coordination/ports.ts';
import type { Leading } from './leading.ts';

const AutoShare = z.strictObject({
  schema: z.literal(1),
  /** Of `pct.read` as the leader wrote it; another one means that somebody else has written since. */
  revision: z.int(),
  subject: z.string(),
  /** When this was written. */
  stoodMs: z.number().min(0),
  homes: z.int().min(0),
});

export type Share = {
  percent: number;
  subject: string;
  /** Monotonic time since which it stands. */
  atMs: number;
  homes: number;
  /** Of `pct.read` as a leader wrote it, while that stands. */
  revision: number | undefined;
  /** Monotonic time at which this was put into the store. */
  keptAtMs: number;
  /** Our last change, which may not have come back from the store yet. */
  written: { percent: number; revision: number; atMs: number } | undefined;
};
type Written = { state: RouteState; percent: number; revision: number; homes: number };

/** By then a change of ours is seen, or somebody has overwritten it. */
const echoMs = 10_000;
const keepEveryMs = 10_000;

const shares = new WeakMap<Leading, Share>();

const subjectOf = ({ job }: Leading, state: RouteState): string => evidenceSubject(state, isFilled(job.current().work));

type Seen = Pick<Share, 'percent' | 'subject'>;

/** What a leader before this one wrote, if it still stands. */
const inherited = async ({ deps }: Leading, seen: Seen): Promise<Share> => {
  const { store, slug, runtime } = deps;
  const nowMs = runtime.now();
  const fresh: Share = { ...seen, atMs: nowMs, homes: 0, revision: undefined, keptAtMs: nowMs, written: undefined };
  const record = parseRecord(AutoShare, (await store.config.get(keys.job(slug, 'auto')))?.value);
  if (record === undefined) return fresh;
  const { subject, stoodMs, homes, revision } = record;
  const standing = await store.config.get(keys.percent(slug, 'read'));
  if (standing?.revision !== revision) return fresh;
  return { ...fresh, revision, homes, atMs: subject === seen.subject ? nowMs - stoodMs : nowMs };
};

/** A share that somebody else has chosen ends the doubling of the dwell; evidence that begins anew does not. */
const changed = (known: Share, seen: Seen, nowMs: number): Share => {
  const since = { ...known, ...seen, atMs: nowMs };
  if (known.percent === seen.percent) return since;
  const ours = known.written?.percent === seen.percent ? known.written : undefined;
  return { ...since, homes: ours === undefined ? 0 : known.homes, revision: ours?.revision, written: undefined };
};

const keep = async ({ deps }: Leading, { revision, subject, atMs, homes }: Share): Promise<void> => {
  const { store, slug, runtime } = deps;
  if (revision === undefined) return;
  const record = { schema: 1, revision, subject, stoodMs: runtime.now() - atMs, homes };
  await store.config.put(keys.job(slug, 'auto'), JSON.stringify(record));
};

/** The share as it is now, and for how long. */
export const noteShare = async (leading: Leading, state: RouteState): Promise<Share> => {
  const seen = { percent: state.percent.read, subject: subjectOf(leading, state) };
  const known = shares.get(leading);
  const nowMs = leading.deps.runtime.now();
  const isSame = known?.percent === seen.percent && known.subject === seen.subject;
  if (known !== undefined && isSame && nowMs - known.keptAtMs < keepEveryMs) return known;
  const share = known === undefined ? await inherited(leading, seen) : isSame ? known : changed(known, seen, nowMs);
  const now = { ...share, keptAtMs: nowMs };
  shares.set(leading, now);
  // A successor then dwells for longer, no more.
  if (known !== undefined) await keep(leading, now).catch(() => undefined);
  return now;
};

export const awaitsEcho = ({ written, percent }: Share, nowMs: number): boolean =>
  written !== undefined && written.percent !== percent && nowMs - written.atMs < echoMs;

export const rememberShare = async (leading: Leading, { state, percent, revision, homes }: Written): Promise<void> => {
  const known = shares.get(leading);
  const nowMs = leading.deps.runtime.now();
  if (known === undefined) return;
  shares.set(leading, { ...known, homes, written: { percent, revision, atMs: nowMs } });
  const subject = subjectOf(leading, { ...state, percent: { ...state.percent, read: percent } });
  await keep(leading, { ...known, subject, revision, homes, atMs: nowMs });
};
