import { describe, expect, it } from 'vitest';
import { createReadBrake } from '../../../src/app/read-brake.ts';
import { defaultBreakerOptions } from '../../../src/compare/breaker.ts';
import type { DifferenceKind, Severity } from '../../../src/compare/types.ts';
import { evidenceSubject } from '../../../src/coordination/evidence-subject.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { routeState } from '../../support/routes.ts';

const compared = routeState({ percent: { read: 25, shadow: 5 } });

const setUp = () => {
  const clock = { nowMs: 0 };
  const told: [string, boolean][] = [];
  const at = { state: compared };
  const brake = createReadBrake({
    state: () => at.state,
    isFilled: () => true,
    now: () => clock.nowMs,
    changed: (slug, on) => told.push([slug, on]),
  });
  const noteOf =
    (kind: DifferenceKind) =>
    (times: number, severity: Severity | 'none', drawnUnder = at.state) => {
      const subject = evidenceSubject(drawnUnder, true);
      const differences = severity === 'none' ? [] : [{ severity, kind, path: [] }];
      for (let i = 0; i < times; i++)
        brake.note({ slug: 'products', subject, observation: { severity, differences, counts: {} } });
    };
  return { clock, told, brake, note: noteOf('status'), noteContent: noteOf('value'), at };
};

describe("a member's own brake", () => {
  it('stops reads of the follower after a burst of failures, for that route only, and tells once', () => {
    const { brake, note, told } = setUp();
    note(1000, 'none');
    note(10, 'S0');
    expect(brake.allows('products')).toBe(false);
    expect(brake.allows('orders')).toBe(true);
    expect(told).toEqual([['products', true]]);
  });

  it('is not moved by mismatches, which the verdict judges', () => {
    const { brake, note } = setUp();
    note(100, 'S4');
    expect(brake.allows('products')).toBe(true);
  });

  it('is not moved by what documents hold, however grave a rule of the profile calls it', () => {
    const { brake, noteContent } = setUp();
    noteContent(100, 'S1');
    expect(brake.allows('products')).toBe(true);
  });

  it('lets reads through again after the cool-down and a run of good comparisons', () => {
    const { brake, note, clock, told } = setUp();
    note(10, 'S1');
    note(100, 'none');
    expect(brake.allows('products')).toBe(false);
    clock.nowMs = defaultBreakerOptions.cooldownMs + 1;
    note(defaultBreakerOptions.closeAfter, 'none');
    expect(brake.allows('products')).toBe(true);
    expect(told).toEqual([
      ['products', true],
      ['products', false],
    ]);
  });

  it.each<[string, Partial<RouteState>]>([
    ['the other side became the follower', { phase: { ...compared.phase, phase: 'target', reign: 2 } }],
    ['the route was reset and its share set again', { percent: { ...compared.percent, read: 10 } }],
    ['the route file changed', { specRevision: 9 }],
  ])('begins anew when %s, without waiting for a comparison, and tells', (_, change) => {
    const { brake, note, at, told } = setUp();
    note(10, 'S0');
    at.state = { ...at.state, ...change };
    expect(brake.allows('products')).toBe(true);
    expect(told.at(-1)).toEqual(['products', false]);
    note(10, 'S0', compared);
    expect(brake.allows('products')).toBe(true);
  });

  it('lets go after its time where nothing is compared any more, and does not stay on for ever', () => {
    const { brake, note, clock, at, told } = setUp();
    note(10, 'S0');
    at.state = { ...at.state, percent: { ...at.state.percent, shadow: 0 } };
    expect(brake.allows('products')).toBe(false);
    clock.nowMs = defaultBreakerOptions.cooldownMs;
    expect(brake.allows('products')).toBe(true);
    expect(told.at(-1)).toEqual(['products', false]);
  });
});
