/**
 * Listed processes that nobody hears: they lost the store before this leader began, and may write on. One is enough to
 * keep a switch off its fast path; behind the fence it is struck off the list. Until then its deletes may be on the
 * follower still, so it calls for a sweep as any member does that was lost. In `final`, where no switch can come, they are
 * struck off as well. In `off` only those are whose member runs again: the others may write past every alias, and nothing
 * else tells of them (plain-writers.ts). Invariant: nobody is struck off who may just be joining: whoever is silent for so
 * long writes its key again before it is heard, see members.ts.
 */
import { type Membership, settleMs } from '../../coordination/membership.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type ListedProcess, listProcesses, strikeProcesses } from '../../coordination/process-list.ts';
import { withLost } from './events.ts';
import type { Leading, Unheard } from './leading.ts';
import { isReplaced } from './plain-writers.ts';

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

/**
 * Once they were missed by an earlier look as well: whoever was just joining has been heard since. And once by each leader,
 * because in time such an event is kept in a sum only.
 */
const noteLost = async ({ job, unheard, countedLost, deps }: Leading): Promise<void> => {
  const { events } = job.current();
  const isMissed = ({ boot, sinceMs }: Unheard): boolean =>
    !countedLost.has(boot) && deps.runtime.now() - sinceMs >= settleMs;
  const missed = unheard.filter(isMissed);
  const counted = withLost(events, missed);
  if (counted !== events) await job.save({ events: { ...counted } });
  for (const { boot } of missed) countedLost.add(boot);
};

/** Listed now, and not heard. */
export const lookForUnheard = async ({ deps }: Pick<Leading, 'deps'>): Promise<ListedProcess[]> => {
  const { members, store, slug } = deps;
  const listed = await listProcesses(store.config, slug);
  // Whoever is on the list has been heard by now, or never will be.
  await members.refresh();
  return unheardOf(listed, members.view());
};

const look = async (leading: Leading): Promise<ListedProcess[]> => {
  const { runtime } = leading.deps;
  const unheard = await lookForUnheard(leading);
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
  const unheard = await look(leading);
  if (phase.phase !== 'off' && phase.phase !== 'final') return noteLost(leading);
  const gone = phase.phase === 'off' ? unheard.filter((one) => isReplaced(one, members.view())) : unheard;
  await strikeProcesses(store.config, slug, longUnheard(gone, leading.unheard, runtime.now()));
};
