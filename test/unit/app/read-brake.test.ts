import { describe, expect, it } from 'vitest';
import { createReadBrake } from '../../../src/app/read-brake.ts';
import { defaultBreakerOptions } from '../../../src/compare/breaker.ts';
import type { Severity } from '../../../src/compare/types.ts';
import type { Side } from '../../../src/coordination/records.ts';

const setUp = () => {
  const clock = { nowMs: 0 };
  const told: [string, boolean][] = [];
  const brake = createReadBrake({ now: () => clock.nowMs, changed: (slug, on) => told.push([slug, on]) });
  const note = (times: number, severity: Severity | 'none', authority: Side = 'source', slug = 'products') => {
    for (let i = 0; i < times; i++)
      brake.note({ slug, authority, observation: { severity, differences: [], counts: {} } });
  };
  return { clock, told, brake, note };
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

  it('begins anew when the other side became the follower', () => {
    const { brake, note } = setUp();
    note(10, 'S0');
    note(1, 'none', 'target');
    expect(brake.allows('products')).toBe(true);
  });
});
