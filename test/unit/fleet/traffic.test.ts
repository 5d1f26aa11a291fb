import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { severities } from '../../../src/compare/types.ts';
import { chartPoint } from '../../../src/fleet/chart-point.ts';
import type { RouteStatus } from '../../../src/fleet/fleet-status.ts';
import {
  addLines,
  bucketCount,
  bucketOfMs,
  edgeOf,
  emptyLine,
  growthOf,
  nextSeen,
  percentileMs,
  type Seen,
  severityNames,
  type TrafficLine,
  type TrafficRecord,
  trafficIn,
} from '../../../src/fleet/traffic.ts';
import { fitting, samplesIn } from '../../../src/fleet/watching.ts';

const line = (reads: number, latenciesMs: readonly number[] = []): TrafficLine => {
  const made = emptyLine();
  made.counts[0] = reads;
  for (const ms of latenciesMs) made.source[bucketOfMs(ms)]! += 1;
  return made;
};
const record = (member: string, upMs: number, products: TrafficLine, boot = 'b1'): TrafficRecord => ({
  schema: 1,
  member,
  boot,
  upMs,
  routes: { products },
});
const after = (...looks: TrafficRecord[][]): Seen =>
  looks.reduce<Seen>((seen, records) => nextSeen(seen, records), new Map());
const ratesOf = (seen: Seen) =>
  growthOf(seen, 'products').map(({ elapsedMs, line: { counts } }) => [elapsedMs, counts[0]]);

describe('buckets of latencies', () => {
  it('hold every time up to ten seconds within a quarter', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.0501, max: 10_000, noNaN: true }), (ms) => {
        const bucket = bucketOfMs(ms);
        expect(edgeOf(bucket)).toBeGreaterThanOrEqual(ms * (1 - 1e-9));
        expect(edgeOf(bucket - 1)).toBeLessThanOrEqual(ms * (1 + 1e-9));
      }),
    );
  });

  it.each([
    [0, 0],
    [-1, 0],
    [Number.NaN, 0],
    [1e12, bucketCount - 1],
  ])('take %d for bucket %d', (ms, bucket) => {
    expect(bucketOfMs(ms)).toBe(bucket);
  });

  it('give percentiles that are off by a quarter at most', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.06, max: 5000, noNaN: true }), { minLength: 1, maxLength: 60 }),
        (times) => {
          const sorted = times.toSorted((a, b) => a - b);
          for (const share of [0.5, 0.95, 0.99]) {
            const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
            const told = percentileMs(line(0, times).source, share)!;
            expect(told / exact).toBeGreaterThan(1 / 1.26);
            expect(told / exact).toBeLessThan(1.26);
          }
        },
      ),
    );
  });

  it('have no percentile when nothing was counted', () => {
    expect(percentileMs(emptyLine().source, 0.5)).toBeUndefined();
  });
});

describe('what members count', () => {
  it('names the severities of the comparison in their order', () => {
    expect(severityNames).toEqual(['none', ...severities]);
  });

  it.each<[string, Seen, (number | undefined)[][]]>([
    ['nothing of a member seen once', after([record('a', 1000, line(500))]), []],
    [
      'what grew between two looks, in its own time',
      after([record('a', 1000, line(5))], [record('a', 3000, line(25))]),
      [[2000, 20]],
    ],
    [
      'nothing twice when a look finds the same record',
      after([record('a', 1000, line(5))], [record('a', 1000, line(5))]),
      [],
    ],
    [
      'the last three steps only',
      after(...[0, 1, 2, 3, 4, 5].map((i) => [record('a', i * 1000, line(i * 10))])),
      [[3000, 30]],
    ],
    ['nothing from before a restart', after([record('a', 9000, line(900))], [record('a', 500, line(3), 'b2')]), []],
    [
      'from the restart on',
      after([record('a', 9000, line(900))], [record('a', 500, line(3), 'b2')], [record('a', 2500, line(7), 'b2')]),
      [[2000, 4]],
    ],
    ['nothing of a member that is gone', after([record('a', 1, line(1))], [record('a', 2, line(2))], []), []],
  ])('tells %s', (_, seen, expected) => {
    expect(ratesOf(seen)).toEqual(expected);
  });

  it('counts a route that a member first served later', () => {
    const before = { ...record('a', 1000, line(0)), routes: {} };
    expect(ratesOf(after([before], [record('a', 2000, line(8))]))).toEqual([[1000, 8]]);
  });

  it('leaves a record out that cannot be read', () => {
    const good = record('a', 1, line(1));
    const entries = [JSON.stringify(good), '{', '{"schema":2}', JSON.stringify({ ...good, upMs: -1 })];
    expect(trafficIn(entries.map((value, i) => ({ key: String(i), value, revision: i })))).toEqual([good]);
  });

  it('adds up in any order', () => {
    expect(addLines([line(1, [3]), line(2, [9])])).toEqual(addLines([line(2, [9]), line(1, [3])]));
  });
});

describe('a point of the charts', () => {
  const route = {
    copies: { pending: 3, oldestPendingMs: 40 },
    tail: { lagSeconds: null },
    verdict: null,
  } as unknown as RouteStatus;

  it('sums the rates of members with different clocks', () => {
    const seen = after(
      [record('a', 0, line(0)), record('b', 50_000, line(100))],
      [record('a', 2000, line(20)), record('b', 54_000, line(140))],
    );
    expect(chartPoint(route, growthOf(seen, 'products')).rates[0]).toBe(20);
  });

  it('has gaps where nobody measured, and never a zero', () => {
    expect(chartPoint(route, [])).toMatchObject({
      source: [null, null, null],
      target: [null, null, null],
      lagSeconds: null,
      pending: 3,
      evidence: [null, null, null],
    });
  });
});

describe('evidence', () => {
  it('is the strongest of each group, in parts of its limit', () => {
    const eValues = [
      { severity: 'S1', value: 5, limit: 10 },
      { severity: 'S4', value: 30, limit: 10 },
      { severity: 'S5', value: 1, limit: 10 },
      { severity: 'S8', value: 1, limit: 0 },
    ];
    const route = { copies: {}, tail: {}, verdict: { eValues } } as unknown as RouteStatus;
    expect(chartPoint(route, []).evidence).toEqual([0.5, 3, null]);
  });
});

describe('samples of mismatches', () => {
  const sample = (id: string, severity: string, at: string) => ({ id, severity, at });
  const some = [sample('a', 'S8', '3'), sample('b', 'S8', '4'), sample('c', 'S1', '1'), sample('d', 'S4', '2')];

  it('fit the gravest first into a bound', () => {
    const bytes = JSON.stringify(some[0]).length;
    expect(fitting(some, 3 * bytes).map(({ id }) => id)).toEqual(['c', 'd', 'b']);
    expect(fitting(some, bytes - 1)).toEqual([]);
  });

  it('are put together from all members that can be read', () => {
    const entry = (member: string, samples: object[]) => ({
      key: `found.${member}`,
      value: JSON.stringify({ schema: 1, member, routes: { products: samples } }),
      revision: 1,
    });
    const entries = [entry('m1', [some[0]!]), entry('m2', [some[2]!]), { key: 'found.m3', value: '{', revision: 1 }];
    expect(samplesIn(entries, 'products').map(({ id, member }) => [id, member])).toEqual([
      ['c', 'm2'],
      ['a', 'm1'],
    ]);
    expect(samplesIn(entries, 'others')).toEqual([]);
  });
});
