import { describe, expect, it } from 'vitest';
import { wilson } from '../../../src/compare/evalue.ts';
import {
  type Counters,
  emptyCounters,
  emptyLatency,
  emptySummary,
  type Summary,
} from '../../../src/compare/summary.ts';
import { judge } from '../../../src/compare/verdict.ts';
import { defaultVerdictOptions, VerdictOptions } from '../../../src/compare/verdict-options.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';
import { median, simulate, summaryOf, type Truth } from './simulation.ts';

const options = defaultVerdictOptions;

type Made = Partial<Omit<Counters, 'bySeverity' | 'baseline' | 'onlyOther' | 'onlyBaseline'>> & {
  by?: Record<number, number>;
  noise?: Record<number, number>;
};
const list = (sparse: Record<number, number> = {}) => Array.from({ length: 10 }, (_, rank) => sparse[rank] ?? 0);
const counters = ({ by, noise, ...more }: Made): Counters => ({
  ...emptyCounters(),
  ...more,
  bySeverity: list(by),
  baseline: list(noise),
});
const verdictOf = (made: Made, given = options) => judge(summaryOf(counters(made)), given, 1);

describe('a verdict', () => {
  it.each<[string, Made, string, RegExp]>([
    ['without any data', {}, 'hold', /0 of 500|no recent/],
    ['on too few clean comparisons', { compared: 400, pairs: 40 }, 'hold', /400 of 500/],
    ['on many clean comparisons', { compared: 3000, pairs: 300 }, 'promote', /every limit kept/],
    [
      'on clean comparisons that cannot yet prove the limits',
      { compared: 550, pairs: 55 },
      'hold',
      /not yet surely within/,
    ],
    ['on a failing other side', { compared: 300, by: { 0: 60 } }, 'rollback', /^S0 in 20.00 %/],
    ['on other statuses', { compared: 300, by: { 1: 60 } }, 'rollback', /^S1/],
    [
      'on missing hits, with a quiet baseline',
      { compared: 2000, pairs: 400, by: { 4: 200 } },
      'rollback',
      /^S4 in 10.00 %/,
    ],
    ['on missing hits before the baseline is large enough', { compared: 600, pairs: 60, by: { 4: 60 } }, 'hold', /S4/],
    [
      'on mismatches that the baseline explains',
      { compared: 4000, pairs: 2000, by: { 4: 320 }, noise: { 4: 160 } },
      'hold',
      /S4/,
    ],
    [
      'on scores and cosmetics only',
      { compared: 3000, pairs: 300, by: { 8: 1500, 9: 1500 } },
      'promote',
      /every limit/,
    ],
    [
      'on mismatches at the limit for very long',
      { compared: 60_000, pairs: 6000, by: { 4: 300 } },
      'inconclusive',
      /S4/,
    ],
  ])('%s', (_, made, verdict, reason) => {
    const judged = verdictOf(made);
    expect(judged.reason).toMatch(reason);
    expect(judged.verdict).toBe(verdict);
  });

  it('holds when comparisons stop coming, however good they were', () => {
    const summary = summaryOf(counters({ compared: 3000, pairs: 300 }));
    expect(judge(summary, options, 1 + options.staleMs + 1)).toMatchObject({
      verdict: 'hold',
      reason: 'no recent comparisons',
    });
  });

  it('stays rollback when comparisons stop coming', () => {
    const summary = summaryOf(counters({ compared: 300, by: { 0: 60 } }));
    expect(judge(summary, options, 1 + options.staleMs + 1).verdict).toBe('rollback');
  });

  it('can judge contents without a baseline when told that none is taken', () => {
    const made = { compared: 600, by: { 4: 60 } };
    expect(verdictOf(made).verdict).toBe('hold');
    expect(verdictOf(made, VerdictOptions.parse({ requireBaseline: false })).verdict).toBe('rollback');
  });

  it('leaves severities without a limit alone', () => {
    const lenient = VerdictOptions.parse({ limits: { S0: null } });
    expect(verdictOf({ compared: 3000, pairs: 300, by: { 0: 600 } }, lenient).verdict).toBe('promote');
  });
});

describe('one query shape among many', () => {
  const summary = (): Summary => ({
    ...summaryOf(counters({ compared: 5000, pairs: 500, by: { 1: 20 } })),
    shapes: {
      a1: { label: 'search shop match(title)', counters: counters({ compared: 4900, pairs: 480 }), lately: [] },
      b2: {
        label: 'search shop term(sku)',
        counters: counters({ compared: 100, pairs: 20, by: { 1: 20 } }),
        lately: [],
      },
    },
  });

  it('rolls back although the route as a whole is within its limits', () => {
    const judged = judge(summary(), options, 1);
    expect(judged).toMatchObject({ verdict: 'rollback', reason: expect.stringContaining('search shop term(sku)') });
    expect(judged.shapes[0]).toMatchObject({ shape: 'b2', worst: { severity: 'S1', isBeyond: true } });
    expect(judged.severities.every(({ isBeyond }) => !isBeyond)).toBe(true);
  });
});

describe('recent evidence', () => {
  const windows = (last: Counters): Summary['windows'] => [
    ...Array.from({ length: 6 }, (_, slot) => ({ slot, counters: counters({ compared: 20_000, pairs: 2000 }) })),
    { slot: 6, counters: last },
  ];
  it('is not hidden by a long good past', () => {
    const summary = {
      ...emptySummary('1'),
      lastAtMs: 1,
      windows: windows(counters({ compared: 400, pairs: 40, by: { 0: 40 } })),
    };
    expect(judge(summary, options, 1)).toMatchObject({
      verdict: 'rollback',
      reason: 'S0 in 0.03 % of comparisons and lately in more, limit 1.00 %',
    });
    const asOne = summaryOf(counters({ compared: 120_400, pairs: 12_040, by: { 0: 40 } }));
    expect(judge(asOne, options, 1).verdict).not.toBe('rollback');
  });
});

describe('latency', () => {
  const latency = (slower: number) => ({
    pairs: 1000,
    slower,
    onlyOtherSlow: 0,
    onlyAuthoritySlow: 0,
    ratios: [0, 0, 0, 0, 500, 0, 0, 0, 500, 0, 0, 0, 0],
  });
  const clean = { compared: 3000, pairs: 300 };

  it('bars promote when the other side is slower in most pairs', () => {
    expect(verdictOf({ ...clean, latency: latency(400) }).verdict).toBe('promote');
    expect(verdictOf({ ...clean, latency: latency(800) })).toMatchObject({
      verdict: 'hold',
      latency: { isSlower: true, medianRatio: 1 },
    });
  });

  it('rolls back only when asked to', () => {
    const strict = VerdictOptions.parse({ latency: { rollback: true } });
    expect(verdictOf({ ...clean, latency: latency(800) }, strict).verdict).toBe('rollback');
  });

  it('bars promote when the other side turns slower lately', () => {
    const windows = [
      { slot: 0, counters: counters({ compared: 30_000, pairs: 3000, latency: { ...latency(0), pairs: 30_000 } }) },
      { slot: 64, counters: counters({ latency: { ...latency(60), pairs: 60 } }) },
    ];
    expect(judge({ ...emptySummary('1'), lastAtMs: 1, windows }, options, 1)).toMatchObject({
      verdict: 'hold',
      reason:
        'slower beyond the tolerated ratio in 60 of 60 pairs lately; slow there only: 0, slow at the authority only: 0',
    });
  });

  it('sees a slow tail that medians hide', () => {
    const tail = { ...latency(100), onlyOtherSlow: 40, onlyAuthoritySlow: 3 };
    expect(verdictOf({ ...clean, latency: tail }).latency.isSlower).toBe(true);
    expect(verdictOf({ ...clean, latency: { ...tail, onlyAuthoritySlow: 38 } }).latency.isSlower).toBe(false);
  });
});

describe('samples that found no place in the queue', () => {
  const clean = counters({ compared: 3000, pairs: 300 });
  const crowded = (compared: number, unasked: number): Counters =>
    counters({ compared, pairs: compared / 10, unasked });
  const judged = (...windows: Counters[]) =>
    judge(
      { ...emptySummary('1'), lastAtMs: 1, windows: windows.map((one, slot) => ({ slot, counters: one })) },
      options,
      1,
    );

  it.each<[string, Counters[], 'promote' | 'hold', RegExp]>([
    ['none', [clean], 'promote', /every limit/],
    ['a few', [crowded(3000, 700)], 'promote', /every limit/],
    ['a third', [crowded(3000, 1500)], 'hold', /^33 % of 4500 samples were skipped as queue_full, so the other side/],
    ['most of the latest, behind many that did', [clean, crowded(100, 900)], 'hold', /^90 % of 1000 samples/],
    ['some of a handful, behind many that did', [clean, crowded(10, 10)], 'promote', /every limit/],
    ['most at first, and none since', [crowded(1000, 2000), crowded(3000, 0)], 'hold', /^33 % of 6000/],
    ['many at first, and none for long since', [crowded(1000, 500), crowded(3000, 0)], 'promote', /every limit/],
  ])('%s', (_, windows, verdict, reason) => {
    const { reason: said, ...found } = judged(...windows);
    expect(said).toMatch(reason);
    expect(found.verdict).toBe(verdict);
  });

  it('do not keep a slower side from being called so', () => {
    const slow = { ...emptyLatency(), pairs: 1000, slower: 900 };
    expect(judged({ ...crowded(3000, 9000), latency: slow }).reason).toMatch(/^slower/);
  });
});

describe('samples that only documents under way explain', () => {
  const of = (compared: number, unstable: number): Counters => counters({ compared, pairs: compared / 10, unstable });
  const shape = (label: string, one: Counters) => ({ label, counters: one, lately: [] });
  const judged = (windows: Counters[], shapes: Record<string, Counters> = {}) =>
    judge(
      {
        ...{ ...emptySummary('1'), lastAtMs: 1, windows: windows.map((one, slot) => ({ slot, counters: one })) },
        shapes: Object.fromEntries(Object.entries(shapes).map(([label, one]) => [label, shape(label, one)])),
      },
      { ...options, requireBaseline: false },
      1,
    );

  it.each<[string, Counters[], Record<string, Counters>, 'promote' | 'hold', RegExp]>([
    ['none', [of(3000, 0)], {}, 'promote', /every limit/],
    ['a few', [of(3000, 100)], { a: of(3000, 100) }, 'promote', /every limit/],
    ['many', [of(3000, 2000)], {}, 'hold', /^40 % of 5000 samples were skipped as unstable/],
    ['most of the latest', [of(3000, 0), of(100, 900)], {}, 'hold', /^90 % of 1000 samples were/],
    [
      'all of a frequent shape',
      [of(3000, 100)],
      { a: of(3000, 0), b: of(0, 100) },
      'hold',
      /^100 % of 100 samples of the shape b were skipped/,
    ],
    ['all of a rare shape', [of(3000, 9)], { a: of(3000, 0), b: of(0, 9) }, 'promote', /every limit/],
  ])('bar promote where they are many: %s', (_, windows, shapes, verdict, reason) => {
    const { reason: said, ...found } = judged(windows, shapes);
    expect(said).toMatch(reason);
    expect(found.verdict).toBe(verdict);
  });

  it('are no reason to roll back', () => {
    expect(judged([of(3000, 1e6)], { a: of(0, 1e6) }).verdict).toBe('hold');
  });
});

describe('simulated operation with a look every 200 comparisons', () => {
  const runs = (truth: Truth, count: number, more: { samples?: number; options?: VerdictOptions } = {}) => {
    const random = seeded(Math.round(1e6 * (truth.bad + 3 * truth.noise)) + 11);
    return Array.from({ length: count }, () => simulate(truth, { samples: 3000, look: 200, options, random, ...more }));
  };
  const rolledBack = (results: ReturnType<typeof runs>) => results.flatMap(({ rollbackAt }) => rollbackAt ?? []);

  it.each<[string, Truth]>([
    ['failures exactly at their limit', { rank: 0, bad: 0.01, noise: 0, baseline: 0.1 }],
    ['mismatches exactly at their limit', { rank: 4, bad: 0.005, noise: 0.001, baseline: 0.1 }],
    ['mismatches at their limit under noise', { rank: 4, bad: 0.005, noise: 0.01, baseline: 0.1 }],
    ['noise far above every limit', { rank: 4, bad: 0, noise: 0.08, baseline: 0.1 }],
  ])(
    'rolls back in surely less than alpha of 700 runs: %s',
    (_, truth) => {
      const found = rolledBack(runs(truth, 700));
      // The upper end of the binomial interval at 99 %, so that luck does not pass for proof.
      expect(wilson({ hits: found.length, trials: 700 }).high).toBeLessThanOrEqual(options.alpha);
    },
    120_000,
  );

  it.each<[string, Truth, number]>([
    ['one failure in ten', { rank: 0, bad: 0.1, noise: 0, baseline: 0.1 }, 200],
    ['one failure in twenty', { rank: 0, bad: 0.05, noise: 0, baseline: 0.1 }, 600],
    ['missing hits in one answer of twenty', { rank: 4, bad: 0.05, noise: 0.001, baseline: 0.1 }, 1200],
    ['the same with a full baseline', { rank: 4, bad: 0.05, noise: 0.001, baseline: 1 }, 600],
  ])('detects %s', (_, truth, expected) => {
    const found = rolledBack(runs(truth, 60, { samples: 8000 }));
    expect(found.length).toBe(60);
    expect(median(found)).toBeLessThanOrEqual(expected);
  });

  it('promotes a side that is as good as the authority, and soon', () => {
    const promoted = runs({ rank: 4, bad: 0, noise: 0, baseline: 0.1 }, 20).map(
      ({ promoteAt }) => promoteAt ?? Number.POSITIVE_INFINITY,
    );
    expect(Math.max(...promoted)).toBeLessThanOrEqual(1400);
  });

  it('promotes a side beyond its limit in at most promoteAlpha of the runs', () => {
    const promoted = runs({ rank: 4, bad: 0.006, noise: 0.001, baseline: 0.1 }, 200).filter(
      ({ promoteAt }) => promoteAt !== undefined,
    );
    expect(promoted.length).toBeLessThanOrEqual(options.promoteAlpha * 200);
  });
});
