/**
 * Listed processes that nobody hears: they lost the store before this leader began, and may write on. One is enough to
 * keep a switch off its fast path; behind the fence it is struck off the list. Until then its deletes may be on the
 * follower still, so it calls for a sweep as any member does that was lost. Where no switch can come, in `off` and in
 * `final`, they are struck off as well, so that the list never grows for ever. Invariant: nobody is struck off who may
 * just be joining: whoever is silent for so long writes its key again before it is heard, see members.ts.
 */
import { type Membership, settleMs } from '../../coordination/membership.ts';
import type { Bucket, RouteState } from '../../coordination/ports.ts';
import { type ListedProcess, listProcesses, strikeProcesses } from '../../coordination/process-list.ts';
import { lostKey } from './events.ts';
import type { Leading, Unheard } from './leading.ts';

const everyTurns = 10;
/** Members write their keys again after a silence of half of that. */
const strikeAfterMs = 16_000;

/** Pure. */
export const unheardOf = (listed: readonly ListedProcess[], { members }: Membership): ListedProcess[] => {
  const heard = new Set([...members.values()].map(({ heartbeat }) => heartbeat?.boot));
  return listed.filter(({ boot }) => !heard.has(boot));
};

/** Pure: of those that are unheard now, who has been for so long that it cannot be joining. */
export const longUnheard = (
  now: readonly ListedProcess[],
  known: readonly Unheard[],
  nowMs: number,
): readonly string[] => {
  const since = new Map(known.map(({ boot, sinceMs }) => [boot, sinceMs]));
  return now.flatMap(({ boot }) => (nowMs - (since.get(boot) ?? nowMs) >= strikeAfterMs ? [boot] : []));
};

/** Once they were missed by an earlier look as well: whoever was just joining has been heard since. */
const noteLost = async ({ job, unheard, deps }: Leading): Promise<void> => {
  const { events } = job.current();
  const missed = unheard.filter(({ sinceMs }) => deps.runtime.now() - sinceMs >= settleMs);
  const lost = missed.map(({ member, boot }) => lostKey(member, boot)).filter((key) => events[key] === undefined);
  if (lost.length > 0) await job.save({ events: { ...events, ...Object.fromEntries(lost.map((key) => [key, 1])) } });
};

const look = async (leading: Leading, bucket: Bucket, slug: string): Promise<ListedProcess[]> => {
  const { members, runtime } = leading.deps;
  const listed = await listProcesses(bucket, slug);
  // Whoever is on the list has been heard by now, or never will be.
  await members.refresh();
  const unheard = unheardOf(listed, members.view());
  const nowMs = runtime.now();
  const since = new Map(leading.unheard.map(({ boot, sinceMs }) => [boot, sinceMs]));
  leading.unheard = unheard.map((one) => ({ ...one, sinceMs: since.get(one.boot) ?? nowMs }));
  return unheard;
};

export const watchProcesses = async (leading: Leading, { slug, phase }: RouteState): Promise<void> => {
  const { members, runtime, store } = leading.deps;
  const { watchingSinceMs } = members.view();
  const isSettled = watchingSinceMs !== undefined && runtime.now() - watchingSinceMs >= settleMs;
  if (!isSettled || leading.turns++ % everyTurns !== 0) return;
  const unheard = await look(leading, store.config, slug);
  if (phase.phase === 'off' || phase.phase === 'final')
    await strikeProcesses(store.config, slug, longUnheard(unheard, leading.unheard, runtime.now()));
  else await noteLost(leading);
};
