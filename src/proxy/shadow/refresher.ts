/**
 * Refreshes a route's indices on both sides before a mismatch is asked again, at most once per route and interval, however
 * many samples wait for it. A sample that comes while one runs waits for the next one, because its writes may be younger.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { type Side, sides } from '../../coordination/records.ts';
import { pause, type Timers } from '../../coordination/timers.ts';
import type { Transports } from '../../upstream/types.ts';
import { shadowHeader } from './side-asker.ts';

export type RefresherDeps = {
  readonly transports: Transports;
  readonly now: () => number;
  readonly timers: Timers;
  readonly stopping: AbortSignal;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
};

type Slot = { lastMs: number; next: Promise<void> | undefined };

const defaults = { intervalMs: 1000, timeoutMs: 10_000 };

export const createRefresher = (deps: RefresherDeps) => {
  const { intervalMs, timeoutMs } = { ...defaults, ...deps };
  const slots = new Map<string, Slot>();

  const refreshSide = async ({ spec }: RouteState, side: Side): Promise<void> => {
    const names = spec.indices.map((pair) => encodeURIComponent(pair[side])).join(',');
    try {
      await deps.transports[side].request({
        method: 'POST',
        path: `/${names}/_refresh`,
        headers: { [shadowHeader]: '1', 'x-opaque-id': 'crossfade-shadow' },
        timeoutMs,
        signal: deps.stopping,
      });
    } catch {
      // A side that cannot be refreshed will show in the answers that follow.
    }
  };

  const turn = async (slot: Slot): Promise<void> => {
    const waitMs = slot.lastMs + intervalMs - deps.now();
    if (waitMs > 0) await pause(deps.timers, waitMs, deps.stopping);
  };

  const begin = async (slot: Slot, state: RouteState): Promise<void> => {
    await turn(slot);
    // From here on newcomers must not share this refresh.
    slot.next = undefined;
    slot.lastMs = deps.now();
    await Promise.all(sides.map((side) => refreshSide(state, side)));
  };

  return (state: RouteState): Promise<void> => {
    const slot = slots.get(state.slug) ?? { lastMs: Number.NEGATIVE_INFINITY, next: undefined };
    slots.set(state.slug, slot);
    slot.next ??= begin(slot, state);
    return slot.next;
  };
};
export type Refresh = ReturnType<typeof createRefresher>;
