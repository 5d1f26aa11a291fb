/**
 * A circuit breaker as a pure state machine: after repeated failures the follower is left alone for a while, then one
 * request probes it. Closed passes requests, open refuses them, half-open lets a single probe through.
 * Invariants: while open nothing is sent before `untilMs`; each failed probe doubles the pause up to `maxOpenMs`; a probe
 * that never reports (its client left) is replaced after one more pause, so the breaker cannot stay half-open for ever.
 * Results of requests that began before the breaker opened do not move it.
 */
export type BreakerSettings = {
  /** Consecutive failures that open it. */
  readonly failures: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
};

export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number; readonly openMs: number }
  | { readonly kind: 'half_open'; readonly probeUntilMs: number; readonly openMs: number };

export const defaultBreaker: BreakerSettings = { failures: 5, openMs: 1000, maxOpenMs: 60_000 };
export const closedBreaker: BreakerState = { kind: 'closed', failures: 0 };

/** Asks for permission; the state that comes back must be kept, because a probe is given out only once. */
export const askBreaker = (state: BreakerState, nowMs: number): { admitted: boolean; state: BreakerState } => {
  const probe = (openMs: number): { admitted: boolean; state: BreakerState } => ({
    admitted: true,
    state: { kind: 'half_open', probeUntilMs: nowMs + openMs, openMs },
  });
  switch (state.kind) {
    case 'closed':
      return { admitted: true, state };
    case 'open':
      return nowMs >= state.untilMs ? probe(state.openMs) : { admitted: false, state };
    case 'half_open':
      return nowMs >= state.probeUntilMs ? probe(state.openMs) : { admitted: false, state };
    default:
      return state satisfies never;
  }
};

export const settleBreaker = (
  state: BreakerState,
  result: 'success' | 'failure',
  { nowMs, settings }: { nowMs: number; settings: BreakerSettings },
): BreakerState => {
  switch (state.kind) {
    case 'closed': {
      if (result === 'success') return state.failures === 0 ? state : closedBreaker;
      const failures = state.failures + 1;
      if (failures < settings.failures) return { kind: 'closed', failures };
      return { kind: 'open', untilMs: nowMs + settings.openMs, openMs: settings.openMs };
    }
    case 'open':
      return state;
    case 'half_open': {
      if (result === 'success') return closedBreaker;
      const openMs = Math.min(settings.maxOpenMs, state.openMs * 2);
      return { kind: 'open', untilMs: nowMs + openMs, openMs };
    }
    default:
      return state satisfies never;
  }
};

/** Holds the state of one follower. `changed` tells of each opening and closing. */
export const createBreaker = (options: {
  nowMs: () => number;
  settings?: BreakerSettings;
  changed?: (kind: BreakerState['kind']) => void;
}) => {
  const settings = options.settings ?? defaultBreaker;
  let state: BreakerState = closedBreaker;
  const keep = (next: BreakerState) => {
    const moved = next.kind !== state.kind;
    state = next;
    if (moved) options.changed?.(next.kind);
  };
  return {
    admit: (): boolean => {
      const asked = askBreaker(state, options.nowMs());
      keep(asked.state);
      return asked.admitted;
    },
    /** Whether asking now would be admitted; takes no probe. */
    wouldAdmit: (): boolean => askBreaker(state, options.nowMs()).admitted,
    settle: (result: 'success' | 'failure'): void =>
      keep(settleBreaker(state, result, { nowMs: options.nowMs(), settings })),
    kind: (): BreakerState['kind'] => state.kind,
  };
};
export type Breaker = ReturnType<typeof createBreaker>;
