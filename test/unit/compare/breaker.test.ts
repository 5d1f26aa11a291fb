import { describe, expect, it } from 'vitest';
import {
  allowsReads,
  type BreakerState,
  closedBreaker,
  defaultBreakerOptions as options,
  stepBreaker,
} from '../../../src/compare/breaker.ts';
import type { Severity } from '../../../src/compare/types.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';

const feed = (state: BreakerState, severities: readonly (Severity | 'none')[], nowMs: number): BreakerState =>
  severities.reduce((now, severity) => stepBreaker(now, severity, { nowMs, options }), state);
const times = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);

/** Comparisons until it opens at a given share of failures, at most `most`. */
const until = (share: number, most: number, random: () => number): number => {
  let state = closedBreaker;
  for (let n = 1; n <= most; n++) {
    state = stepBreaker(state, random() < share ? 'S0' : 'none', { nowMs: 0, options });
    if (!allowsReads(state)) return n;
  }
  return Number.POSITIVE_INFINITY;
};

describe('the local breaker', () => {
  it('stops reads after a handful of failures in a row', () => {
    expect(allowsReads(feed(closedBreaker, times(2, 'S0' as const), 0))).toBe(true);
    expect(allowsReads(feed(closedBreaker, times(4, 'S1' as const), 0))).toBe(false);
  });

  it('does so after a long good past as well', () => {
    const past = feed(closedBreaker, times(100_000, 'none' as const), 0);
    expect(allowsReads(feed(past, times(4, 'S0' as const), 0))).toBe(false);
  });

  it('is not moved by mismatches of content', () => {
    expect(feed(closedBreaker, times(1000, 'S4' as const), 0)).toEqual(closedBreaker);
  });

  it('opens within some dozens of comparisons when one in ten fails', () => {
    const random = seeded(3);
    const runs = Array.from({ length: 500 }, () => until(0.1, 5000, random)).sort((a, b) => a - b);
    expect(runs[250]).toBeLessThanOrEqual(60);
    expect(runs.at(-1)).toBeLessThan(1000);
  });

  it('stays closed for thousands of comparisons at the normal share', () => {
    const random = seeded(8);
    const opened = Array.from({ length: 200 }, () => until(0.01, 2000, random)).filter(Number.isFinite);
    expect(opened.length).toBeLessThan(200 * 0.25);
  });

  const opened = feed(closedBreaker, times(4, 'S0' as const), 1000);
  const after = 1000 + options.cooldownMs;

  it('stays open during the cool-down, however good the comparisons are', () => {
    expect(allowsReads(feed(opened, times(100, 'none' as const), after - 1))).toBe(false);
  });

  it('closes after the cool-down on a run of good ones', () => {
    expect(allowsReads(feed(opened, times(options.closeAfter - 1, 'none' as const), after))).toBe(false);
    expect(allowsReads(feed(opened, times(options.closeAfter, 'none' as const), after))).toBe(true);
  });

  it('opens again for twice as long when a probe fails, up to a bound', () => {
    let state = opened;
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      const nowMs = state.kind === 'open' ? state.untilMs : 0;
      state = feed(state, ['none', 'S0'], nowMs);
      waits.push((state.kind === 'open' ? state.untilMs : 0) - nowMs);
    }
    expect(waits.slice(0, 3)).toEqual([2, 4, 8].map((factor) => factor * options.cooldownMs));
    expect(waits.at(-1)).toBe(options.maxCooldownMs);
  });

  it('forgets earlier openings after a long time closed', () => {
    const closed = feed(opened, times(options.closeAfter, 'none' as const), after);
    const soon = feed(closed, times(4, 'S0' as const), after + 1);
    const late = feed(closed, times(4, 'S0' as const), after + options.maxCooldownMs + 1);
    expect(soon).toMatchObject({ untilMs: after + 1 + 2 * options.cooldownMs });
    expect(late).toMatchObject({ untilMs: after + options.maxCooldownMs + 1 + options.cooldownMs });
  });
});
