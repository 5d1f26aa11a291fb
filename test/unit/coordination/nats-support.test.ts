import { describe, expect, it } from 'vitest';
import { Incarnation } from '../../../src/coordination/incarnation.ts';
import { leaseRefusal, serverRefusal } from '../../../src/coordination/nats-support.ts';

describe('a NATS server', () => {
  it.each([
    ['2.15.2', 3, true],
    ['2.12.0-RC.1', 3, true],
    ['2.9.21', 3, true],
    ['2.9.20', 3, false],
    ['2.9.10', 3, false],
    ['2.9.10', 1, true],
    ['2.9.0', 1, true],
    ['2.8.4', 1, false],
    ['1.4.1', 1, false],
    ['3.0.0', 5, true],
    ['2.10.0', 3, true],
    ['', 1, false],
    ['latest', 1, false],
  ])('of version %j with %d replicas is fit: %s', (version, replicas, fit) => {
    expect(serverRefusal(version, replicas) === undefined).toBe(fit);
  });

  it('is refused with the version and what to do', () => {
    expect(serverRefusal('2.9.10', 3)).toMatch(/2\.9\.10.*2\.9\.21/);
  });
});

describe('a bucket for leases', () => {
  it.each([
    [15_000, true],
    [60_000, true],
    [14_999, false],
    [0, false],
  ])('with a TTL of %d ms is fit: %s', (ttlMs, fit) => {
    expect(leaseRefusal({ bucket: 'crossfade_live', ttlMs }, 15_000) === undefined).toBe(fit);
  });
});

describe('the incarnation of a store', () => {
  const meta = (incarnation: string) => JSON.stringify({ schema: 1, incarnation });

  it('is pinned by the first one seen, and every other one is refused', () => {
    const incarnation = new Incarnation(undefined);
    expect(incarnation.judge(meta('one'))).toBeUndefined();
    expect(incarnation.pinned).toBe('one');
    expect(incarnation.judge(meta('two'))).toMatch(/another one/);
    expect(incarnation.judge(meta('two'))).not.toMatch(/\bone,|\btwo\b|not one\)/);
    expect(incarnation.judge(undefined)).toMatch(/lost/);
    expect(incarnation.judge('rubbish')).toMatch(/cannot be read/);
    expect(incarnation.judge(meta('one'))).toBeUndefined();
  });

  it('can be expected from the start', () => {
    expect(new Incarnation('one').judge(meta('two'))).toMatch(/another one/);
  });

  it('is not pinned by a store without one', () => {
    const incarnation = new Incarnation(undefined);
    expect(incarnation.judge(undefined)).toMatch(/no meta/);
    expect(incarnation.judge(meta('one'))).toBeUndefined();
  });
});
