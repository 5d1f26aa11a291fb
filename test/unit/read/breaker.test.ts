import { describe, expect, it } from 'vitest';
import {
  askBreaker,
  type BreakerSettings,
  type BreakerState,
  closedBreaker,
  createBreaker,
  settleBreaker,
} from '../../../src/proxy/read/breaker.ts';

const settings: BreakerSettings = { failures: 3, openMs: 100, maxOpenMs: 350 };
const open = (untilMs: number, openMs = 100): BreakerState => ({ kind: 'open', untilMs, openMs });
const halfOpen = (probeUntilMs: number, openMs = 100): BreakerState => ({ kind: 'half_open', probeUntilMs, openMs });

describe('asking the breaker', () => {
  it.each<[string, BreakerState, number, boolean, BreakerState]>([
    ['a closed breaker admits', closedBreaker, 0, true, closedBreaker],
    ['an open breaker refuses before its time', open(50), 49, false, open(50)],
    ['an open breaker lets one probe through at its time', open(50), 50, true, halfOpen(150)],
    ['a half-open breaker refuses while the probe may still report', halfOpen(150), 149, false, halfOpen(150)],
    ['a probe that never reported is replaced', halfOpen(150), 150, true, halfOpen(250)],
  ])('%s', (_title, state, nowMs, admitted, next) => {
    expect(askBreaker(state, nowMs)).toEqual({ admitted, state: next });
  });
});

describe('settling a result', () => {
  it.each<[string, BreakerState, 'success' | 'failure', BreakerState]>([
    ['a first failure is counted', closedBreaker, 'failure', { kind: 'closed', failures: 1 }],
    ['a success forgets failures', { kind: 'closed', failures: 2 }, 'success', closedBreaker],
    ['the last tolerated failure opens', { kind: 'closed', failures: 2 }, 'failure', open(1100)],
    ['a late success does not close an open breaker', open(1500), 'success', open(1500)],
    ['a late failure does not prolong an open breaker', open(1500), 'failure', open(1500)],
    ['a good probe closes', halfOpen(1100), 'success', closedBreaker],
    ['a bad probe doubles the pause', halfOpen(1100), 'failure', open(1200, 200)],
    ['the pause has an upper bound', halfOpen(1100, 300), 'failure', open(1350, 350)],
  ])('%s', (_title, state, result, next) => {
    expect(settleBreaker(state, result, { nowMs: 1000, settings })).toEqual(next);
  });
});

it('a breaker in use opens, probes and closes, and tells of each change', () => {
  let nowMs = 0;
  const changes: string[] = [];
  const breaker = createBreaker({ nowMs: () => nowMs, settings, changed: (kind) => changes.push(kind) });
  for (let i = 0; i < settings.failures; i++) {
    expect(breaker.admit()).toBe(true);
    breaker.settle('failure');
  }
  expect(breaker.admit()).toBe(false);
  nowMs = 100;
  expect([breaker.admit(), breaker.admit()]).toEqual([true, false]);
  breaker.settle('success');
  expect(breaker.admit()).toBe(true);
  expect(changes).toEqual(['open', 'half_open', 'closed']);
});
