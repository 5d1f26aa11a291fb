/**
 * Routes in which this process deleted by query what nobody could list beforehand: the follower shows it until a sweep has
 * passed, so this process's reads of the route stay at the authority. The leader counts such events by process, and says in its
 * record how many of them the last sweep covers. Invariant: reads go back only when a sweep that began after the
 * event was counted has ended, and the follower was refreshed after it.
 */
import { readSweep, type SweepSeen } from '../agent/leader-record.ts';
import { bootKey, totalEvents } from '../agent/leader/events.ts';
import { every, type Runtime } from '../agent/runtime.ts';
import type { Bucket, RouteState } from '../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../coordination/records.ts';

const lookEveryMs = 2_000;

export interface Unswept {
  /** The event is in the counts of this process already. */
  note(state: RouteState): void;
  has(state: RouteState): boolean;
  stop(): void;
}
export type UnsweptOptions = {
  member: string;
  boot: string;
  bucket: Pick<Bucket, 'get'>;
  /** What this process reports of the route, as the leader adds it up. */
  eventsOf: (slug: string) => number;
  refresh: (side: Side, index: string) => Promise<void>;
  runtime: Runtime;
};

/** `own`: events of this process when it was noted. `total`: of all, as soon as these are among them. */
type Debt = { readonly state: RouteState; readonly own: number; readonly total?: number };

/** undefined = paid. */
const afterLook = (debt: Debt, { events, coveredEvents }: SweepSeen, ownKey: string): Debt | undefined => {
  const isCounted = (events[ownKey] ?? 0) >= debt.own;
  const total = debt.total ?? (isCounted ? totalEvents(events) : undefined);
  if (total === undefined) return debt;
  return coveredEvents >= total ? undefined : { ...debt, total };
};

export const createUnswept = (options: UnsweptOptions): Unswept => {
  const { bucket, runtime, refresh } = options;
  const ownKey = bootKey(options.member, options.boot);
  const debts = new Map<string, Debt>();

  const refreshFollower = ({ spec, phase }: RouteState): Promise<unknown> => {
    const side = otherSide(authorityIn(phase.phase));
    return Promise.all(spec.indices.map((pair) => refresh(side, pair[side])));
  };
  const look = async (slug: string, debt: Debt): Promise<void> => {
    const next = afterLook(debt, await readSweep(bucket, slug), ownKey);
    if (next === undefined) await refreshFollower(debt.state);
    if (debts.get(slug) !== debt) return;
    if (next === undefined) debts.delete(slug);
    else debts.set(slug, next);
  };
  const stop = every(runtime, lookEveryMs, () => {
    // Without the store, or the follower, it stays as it is.
    for (const [slug, debt] of debts) void look(slug, debt).catch(() => undefined);
  });
  return {
    note: (state) => void debts.set(state.slug, { state, own: options.eventsOf(state.slug) }),
    // A switch of authority proves both sides equal.
    has: ({ slug, phase }) => debts.get(slug)?.state.phase.reign === phase.reign,
    stop,
  };
};
