/**
 * A member's own brake, without the store and without waiting for the fleet: a burst of S0 or S1 stops its reads of the
 * other side at once. A running sum of likelihood ratios (CUSUM) forgets the good past and reacts in a few failures when
 * all fail, in some dozens at one in ten. Comparisons go on while it is open, so recovery is seen without risking reads:
 * after the cool-down a run of good ones closes it again. Each opening soon after the last doubles the cool-down.
 */
import type { Severity } from './types.ts';

export type BreakerOptions = {
  /** Share of failures that is normal, and one that must be stopped. */
  normalShare: number;
  burstShare: number;
  /** Evidence needed, as a probability ratio: on average at least so many normal requests between false alarms. */
  evidence: number;
  cooldownMs: number;
  maxCooldownMs: number;
  /** Good comparisons in a row, after the cool-down, that close it. */
  closeAfter: number;
};

export const defaultBreakerOptions: BreakerOptions = {
  normalShare: 0.01,
  burstShare: 0.1,
  evidence: 1000,
  cooldownMs: 30_000,
  maxCooldownMs: 15 * 60_000,
  closeAfter: 20,
};

export type BreakerState =
  | { kind: 'closed'; score: number; openings: number; sinceMs: number }
  /** Closed to reads; `good` comparisons in a row since the cool-down ended. */
  | { kind: 'open'; untilMs: number; good: number; openings: number };

export const closedBreaker: BreakerState = { kind: 'closed', score: 0, openings: 0, sinceMs: 0 };

const isFailure = (severity: Severity | 'none'): boolean => severity === 'S0' || severity === 'S1';

const open = (openings: number, nowMs: number, { cooldownMs, maxCooldownMs }: BreakerOptions): BreakerState => ({
  kind: 'open',
  untilMs: nowMs + Math.min(maxCooldownMs, cooldownMs * 2 ** openings),
  good: 0,
  openings: openings + 1,
});

type Now = { nowMs: number; options: BreakerOptions };
type Closed = Extract<BreakerState, { kind: 'closed' }>;

const whenClosed = (state: Closed, failed: boolean, { nowMs, options }: Now): BreakerState => {
  const { normalShare, burstShare, evidence, maxCooldownMs } = options;
  const step = failed ? Math.log(burstShare / normalShare) : Math.log((1 - burstShare) / (1 - normalShare));
  const score = Math.max(0, state.score + step);
  if (score < Math.log(evidence)) return { ...state, score };
  return open(nowMs - state.sinceMs > maxCooldownMs ? 0 : state.openings, nowMs, options);
};

export const stepBreaker = (
  state: BreakerState,
  severity: Severity | 'none',
  { nowMs, options }: Now,
): BreakerState => {
  const failed = isFailure(severity);
  if (state.kind === 'closed') return whenClosed(state, failed, { nowMs, options });
  if (nowMs < state.untilMs) return state;
  if (failed) return open(state.openings, nowMs, options);
  const good = state.good + 1;
  return good < options.closeAfter
    ? { ...state, good }
    : { kind: 'closed', score: 0, openings: state.openings, sinceMs: nowMs };
};

export const allowsReads = (state: BreakerState): boolean => state.kind === 'closed';
