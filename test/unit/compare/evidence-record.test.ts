import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  evidenceBounds,
  evidenceText,
  mostFrequent,
  parseEvidence,
  summaryOfRecord,
} from '../../../src/compare/evidence-record.ts';
import {
  addCounters,
  type Counters,
  emptyCounters,
  emptyLatency,
  emptySummary,
  type LatencyCounters,
  ratioBounds,
  type Summary,
} from '../../../src/compare/summary.ts';

const list = (length: number) => fc.array(fc.nat(2 ** 30), { minLength: length, maxLength: length });
const latency: fc.Arbitrary<LatencyCounters> = fc.record({
  pairs: fc.integer({ min: 1, max: 9 }),
  slower: fc.nat(),
  onlyOtherSlow: fc.nat(),
  onlyAuthoritySlow: fc.nat(),
  ratios: list(ratioBounds.length + 1),
});
const counters: fc.Arbitrary<Counters> = fc
  .record({
    compared: fc.nat(),
    bySeverity: list(10),
    pairs: fc.nat(),
    baseline: list(10),
    onlyOther: list(10),
    onlyBaseline: list(10),
    latency,
    unasked: fc.nat(),
    unstable: fc.nat(),
  })
  .chain((made) => fc.constantFrom(made, emptyCounters()));
const fingerprint = fc.nat().map((n) => n.toString(16).padStart(16, '0'));
const shapes = fc.dictionary(
  fc.oneof(fingerprint, fc.constant('other')),
  fc.record({
    label: fc.string({ unit: 'grapheme', maxLength: 96 }),
    counters,
    lately: fc.array(fc.record({ slot: fc.nat(), counters: latency }), { maxLength: 5 }),
  }),
  { maxKeys: 60 },
);
const summary: fc.Arbitrary<Summary> = fc.record({
  schema: fc.constant(1 as const),
  subject: fc.string(),
  lastAtMs: fc.nat(),
  windows: fc.array(fc.record({ slot: fc.nat(), counters }), { maxLength: 24 }),
  shapes,
});
const teller = { member: 'pod-1', boot: 'b' };
const total = (of: Summary['shapes']): Counters =>
  Object.values(of).reduce((sum, shape) => addCounters(sum, shape.counters), emptyCounters());

describe('the evidence of one process as a record', () => {
  it('reads back as what was counted, never longer than its bound, and no shape is lost from the sum', () => {
    fc.assert(
      fc.property(summary, (made) => {
        const text = evidenceText(made, teller);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(evidenceBounds.maxBytes);
        const read = summaryOfRecord(parseEvidence(text)!);
        expect({ ...read, shapes: {} }).toEqual({ ...made, shapes: {} });
        expect(total(read.shapes)).toEqual(total(made.shapes));
      }),
      { numRuns: 200 },
    );
  });

  it('keeps the most frequent shapes apart, whatever they show', () => {
    const shape = (compared: number, S4: number) => ({
      label: `n=${compared}`,
      lately: [],
      counters: { ...emptyCounters(), compared, bySeverity: [0, 0, 0, 0, S4, 0, 0, 0, 0, 0] },
    });
    const kept = mostFrequent({ a: shape(10, 10), b: shape(500, 0), c: shape(20, 0), other: shape(5, 1) }, 2);
    expect(
      Object.entries(kept).map(
        ([
          name,
          {
            counters: { compared, bySeverity },
          },
        ]) => [name, compared, bySeverity[4]],
      ),
    ).toEqual([
      ['b', 500, 0],
      ['c', 20, 0],
      ['other', 15, 11],
    ]);
  });

  it('tells the latencies of a shape by window, and leaves out those of rarer shapes first where there is no room', () => {
    const lately = Array.from({ length: 20 }, (_, i) => ({
      slot: 1e8 + i,
      counters: { ...emptyLatency(), pairs: 1000 + i, ratios: Array.from({ length: 13 }, () => 1e4) },
    }));
    const shapesOf = (count: number): Summary['shapes'] =>
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          i.toString(16).padStart(16, '0'),
          { label: 's', counters: { ...emptyCounters(), compared: 1000 - i }, lately },
        ]),
      );
    const told = (count: number) =>
      Object.values(
        summaryOfRecord(parseEvidence(evidenceText({ ...emptySummary('1'), shapes: shapesOf(count) }, teller))!).shapes,
      );
    expect(told(2).map((shape) => shape.lately)).toEqual([lately, lately]);
    const many = told(32);
    expect(many).toHaveLength(32);
    const inWindows = many.map((shape) => shape.lately.length > 0);
    expect(inWindows[0]).toBe(true);
    expect(inWindows).toEqual(inWindows.toSorted((a, b) => Number(b) - Number(a)));
    expect(inWindows.at(-1)).toBe(false);
  });

  it('of a quiet route is small', () => {
    const quiet: Summary = {
      ...emptySummary('3 dual 1 0'),
      windows: Array.from({ length: 12 }, (_, slot) => ({ slot, counters: { ...emptyCounters(), compared: 9000 } })),
    };
    expect(evidenceText(quiet, teller).length).toBeLessThan(600);
  });

  it.each([
    '',
    'oops',
    '{}',
    '{"schema":2}',
    JSON.stringify({ ...JSON.parse(evidenceText(emptySummary('s'), teller)), more: 1 }),
  ])('that cannot be read is none: %s', (text) => expect(parseEvidence(text)).toBeUndefined());
});
