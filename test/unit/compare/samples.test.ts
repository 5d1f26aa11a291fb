import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SampleHead, SampleReservoir } from '../../../src/compare/samples.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';

const options = { perCell: 3, maxSamples: 8, maxBytes: 1000, maxAgeMs: 100, maxHeld: 2 };
const sample = (id: string, more: Partial<SampleHead> = {}): SampleHead => ({
  id,
  shape: 'a',
  severity: 'S4',
  atMs: 0,
  bytes: 10,
  ...more,
});

describe('the sample reservoir', () => {
  it('keeps a bounded number per shape and severity, and always the newest', () => {
    const reservoir = new SampleReservoir(options);
    const random = seeded(2);
    for (let i = 0; i < 50; i++) reservoir.add(sample(String(i), { atMs: i }), random());
    expect(reservoir.size).toBe(3);
    expect(reservoir.list()[0]!.id).toBe('49');
  });

  it('prefers new ones: the kept are on average much younger than the seen', () => {
    const random = seeded(6);
    const kept = Array.from({ length: 200 }, () => {
      const reservoir = new SampleReservoir({ ...options, perCell: 5 });
      for (let i = 0; i < 100; i++) reservoir.add(sample(String(i)), random());
      return reservoir.list().map(({ id }) => Number(id));
    }).flat();
    expect(kept.reduce((sum, id) => sum + id, 0) / kept.length).toBeGreaterThan(90);
    expect(Math.min(...kept)).toBeLessThan(90);
  });

  it('does not let a frequent mismatch push out a rare one', () => {
    const reservoir = new SampleReservoir(options);
    reservoir.add(sample('rare', { severity: 'S1' }), 0);
    for (let i = 0; i < 100; i++) reservoir.add(sample(`${i}`, { shape: `s${i % 5}`, severity: 'S9' }), 0.5);
    expect(reservoir.get('rare')).toBeDefined();
    expect(reservoir.size).toBe(options.maxSamples);
  });

  it('keeps the last ones that somebody looked at, within the bounds', () => {
    const reservoir = new SampleReservoir(options);
    for (const id of ['a', 'b', 'c']) reservoir.add(sample(id), 0);
    for (const id of ['a', 'b', 'c']) expect(reservoir.hold(id)?.id).toBe(id);
    for (let i = 0; i < 100; i++) reservoir.add(sample(String(i)), i / 100);
    expect(['a', 'b', 'c'].filter((id) => reservoir.get(id))).toEqual(['b', 'c']);
    expect(reservoir.size).toBe(options.perCell + options.maxHeld);
    reservoir.add(sample('large', { bytes: options.maxBytes }), 0);
    expect(reservoir.list().map(({ id }) => id)).toEqual(['large']);
  });

  it('replaces a sample of the same id', () => {
    const reservoir = new SampleReservoir(options);
    reservoir.add(sample('x', { bytes: 10 }), 0);
    reservoir.add(sample('x', { bytes: 20, severity: 'S1' }), 0);
    expect([reservoir.size, reservoir.bytes, reservoir.list({ severity: 'S1' }).length]).toEqual([1, 20, 1]);
  });

  it('lists by severity and shape, newest first', () => {
    const reservoir = new SampleReservoir(options);
    reservoir.add(sample('1', { shape: 'a' }), 0);
    reservoir.add(sample('2', { shape: 'b' }), 0);
    reservoir.add(sample('3', { shape: 'a', severity: 'S1' }), 0);
    expect(reservoir.list().map(({ id }) => id)).toEqual(['3', '2', '1']);
    expect(reservoir.list({ shape: 'a' }).map(({ id }) => id)).toEqual(['3', '1']);
    expect(reservoir.list({ severity: 'S4', shape: 'b' }).map(({ id }) => id)).toEqual(['2']);
  });

  it('drops what is too old, and refuses what is too large', () => {
    const reservoir = new SampleReservoir(options);
    reservoir.add(sample('old', { atMs: 0 }), 0);
    reservoir.add(sample('new', { atMs: 90 }), 0);
    reservoir.add(sample('huge', { bytes: 1001 }), 0);
    reservoir.expire(150);
    expect(reservoir.list().map(({ id }) => id)).toEqual(['new']);
  });

  it('holds every bound after any sequence of additions', () => {
    const one = fc.record({
      id: fc.nat(40).map(String),
      shape: fc.constantFrom('a', 'b', 'c'),
      severity: fc.constantFrom('S0', 'S4', 'S9' as const),
      atMs: fc.nat(1000),
      bytes: fc.nat(400),
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(one, fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 60 }),
        (list) => {
          const reservoir = new SampleReservoir(options);
          for (const [head, random] of list) {
            reservoir.add(head, random);
            const kept = reservoir.list();
            expect(kept.length).toBeLessThanOrEqual(options.maxSamples);
            expect(reservoir.bytes).toBe(kept.reduce((sum, { bytes }) => sum + bytes, 0));
            expect(reservoir.bytes).toBeLessThanOrEqual(options.maxBytes);
            expect(reservoir.get(head.id)).toEqual(head);
            const cells = Map.groupBy(kept, ({ shape, severity }) => shape + severity);
            for (const cell of cells.values()) expect(cell.length).toBeLessThanOrEqual(options.perCell);
          }
        },
      ),
    );
  });
});
