import { describe, expect, it } from 'vitest';
import { compared, lines, page } from './support.ts';

type Aggs = Record<string, unknown>;
const answers = (authority: Aggs, other: Aggs, aggs?: Aggs, profile?: unknown) =>
  compared(page([], { aggregations: authority }), page([], { aggregations: other }), {
    body: { size: 0, ...(aggs && { aggs }) },
    profile,
  });

type Terms = { counts: Record<string, number>; rest?: number; error?: number };
const terms = ({ counts, rest = 0, error = 0 }: Terms) => ({
  doc_count_error_upper_bound: error,
  sum_other_doc_count: rest,
  buckets: Object.entries(counts).map(([key, doc_count]) => ({ key, doc_count })),
});
const asked = (more: object = {}) => ({ t: { terms: { field: 'brand', size: 3, ...more } } });

describe('top buckets of terms', () => {
  const rows: [what: string, a: Terms, b: Terms, expected: string[], order?: object][] = [
    ['equal', { counts: { x: 5, y: 3 } }, { counts: { y: 3, x: 5 } }, []],
    [
      'complete lists must be equal',
      { counts: { x: 5, y: 3 } },
      { counts: { x: 5, y: 2 } },
      ['S6 bucket_count aggregations.t.buckets.y.doc_count', 'S6 metric aggregations.t.sum_other_doc_count'],
    ],
    [
      'a count short by no more than both error bounds',
      { counts: { x: 50, y: 30 }, rest: 20, error: 2 },
      { counts: { x: 47, y: 30 }, rest: 23, error: 1 },
      [],
    ],
    [
      'a count short by more',
      { counts: { x: 50, y: 30 }, rest: 20, error: 2 },
      { counts: { x: 46, y: 30 }, rest: 24, error: 1 },
      ['S6 bucket_count aggregations.t.buckets.x.doc_count'],
    ],
    [
      'another bucket at the tail, below the cut',
      { counts: { x: 50, y: 30 }, rest: 40, error: 2 },
      { counts: { x: 50, z: 29 }, rest: 41, error: 2 },
      ['S9 missing_bucket aggregations.t.buckets.y', 'S9 extra_bucket aggregations.t.buckets.z'],
    ],
    [
      'a bucket missing that counts more than the cut',
      { counts: { x: 50, y: 30 }, rest: 40, error: 2 },
      { counts: { y: 30, z: 29 }, rest: 61, error: 2 },
      ['S6 missing_bucket aggregations.t.buckets.x', 'S9 extra_bucket aggregations.t.buckets.z'],
    ],
    [
      'counts that do not add up to the same',
      { counts: { x: 50 }, rest: 40, error: 2 },
      { counts: { x: 50 }, rest: 39, error: 2 },
      ['S6 metric aggregations.t.sum_other_doc_count'],
    ],
    [
      'a term without documents, left behind by a deleted one',
      { counts: { x: 50, y: 0 } },
      { counts: { x: 50, z: 0 } },
      ['S9 missing_bucket aggregations.t.buckets.y', 'S9 extra_bucket aggregations.t.buckets.z'],
      { min_doc_count: 0 },
    ],
    [
      'an order for which no bound is known',
      { counts: { x: 50 }, rest: 40, error: -1 },
      { counts: { z: 9 }, rest: 81, error: -1 },
      ['S9 missing_bucket aggregations.t.buckets.x', 'S9 extra_bucket aggregations.t.buckets.z'],
      { order: { mean: 'desc' } },
    ],
    [
      'an order by key, which is exact',
      { counts: { a: 50 }, rest: 40 },
      { counts: { b: 50 }, rest: 40 },
      ['S6 missing_bucket aggregations.t.buckets.a', 'S6 extra_bucket aggregations.t.buckets.b'],
      { order: { _key: 'asc' } },
    ],
    [
      'an empty list against one that is not',
      { counts: { x: 5 } },
      { counts: {} },
      ['S6 missing_bucket aggregations.t.buckets.x', 'S6 metric aggregations.t.sum_other_doc_count'],
    ],
  ];
  it.each(rows)('%s', (_, a, b, expected, order) => {
    expect(lines(answers({ t: terms(a) }, { t: terms(b) }, asked(order)))).toEqual(expected);
    expect(answers({ t: terms(b) }, { t: terms(a) }, asked(order)).severity).toBe(
      answers({ t: terms(a) }, { t: terms(b) }, asked(order)).severity,
    );
  });

  it('are recognised by their form when the request is not known', () => {
    const [a, b] = [terms({ counts: { x: 50 }, rest: 20, error: 5 }), terms({ counts: { x: 48 }, rest: 22, error: 5 })];
    expect(answers({ t: a }, { t: b }).severity).toBe('none');
  });

  it('excuse what is computed inside a bucket only where its count was approximate', () => {
    const of = (count: number, mean: number, error: number) => ({
      doc_count_error_upper_bound: error,
      sum_other_doc_count: 100 - count,
      buckets: [{ key: 'x', doc_count: count, mean: { value: mean } }],
    });
    const spec = { t: { terms: { field: 'brand', size: 1 }, aggs: { mean: { avg: { field: 'price' } } } } };
    expect(answers({ t: of(50, 10, 3) }, { t: of(48, 11, 3) }, spec).severity).toBe('S9');
    expect(answers({ t: of(100, 10, 0) }, { t: of(100, 11, 0) }, spec).severity).toBe('S6');
  });
});

describe('other kinds', () => {
  const bucket = (key: unknown, doc_count: number, more: object = {}) => ({ key, doc_count, ...more });
  const rows: [what: string, spec: Aggs, a: unknown, b: unknown, severity: string][] = [
    [
      'histogram buckets in full',
      { histogram: {} },
      { buckets: [bucket(0, 3), bucket(10, 2)] },
      { buckets: [bucket(0, 3)] },
      'S6',
    ],
    [
      'an empty bucket more',
      { histogram: {} },
      { buckets: [bucket(0, 3), bucket(10, 0)] },
      { buckets: [bucket(0, 3)] },
      'S9',
    ],
    [
      'keys as numbers or floats',
      { histogram: {} },
      { buckets: [bucket(1, 3)] },
      { buckets: [bucket(1.0, 3)] },
      'none',
    ],
    [
      'another format of a key',
      { date_histogram: {} },
      { buckets: [bucket(0, 3, { key_as_string: '1970' })] },
      { buckets: [bucket(0, 3, { key_as_string: '1970-01' })] },
      'S6',
    ],
    [
      'composite keys',
      { composite: {} },
      { buckets: [bucket({ a: 1, b: 2 }, 3)] },
      { buckets: [bucket({ b: 2, a: 1 }, 3)] },
      'none',
    ],
    [
      'another interval',
      { auto_date_histogram: {} },
      { buckets: [], interval: '1d' },
      { buckets: [], interval: '7d' },
      'S6',
    ],
    [
      'ranges without keys',
      { range: {} },
      { buckets: [{ to: 5, doc_count: 1 }] },
      { buckets: [{ to: 5, doc_count: 2 }] },
      'S6',
    ],
    [
      'filters without names',
      { filters: { filters: [] } },
      { buckets: [{ doc_count: 1 }, { doc_count: 2 }] },
      { buckets: [{ doc_count: 2 }, { doc_count: 1 }] },
      'S6',
    ],
    ['last digits of a sum', { sum: {} }, { value: 0.1 + 0.2 }, { value: 0.3 }, 'none'],
    [
      'formatted twins of those digits',
      { sum: {} },
      { value: 0.30000000000000004, value_as_string: '0.30000000000000004' },
      { value: 0.3, value_as_string: '0.3' },
      'none',
    ],
    ['a sum of debts and credits', { sum: {} }, { value: 0 }, { value: 2.8e-17 }, 'none'],
    ['an average of them', { weighted_avg: {} }, { value: 0 }, { value: -1e-12 }, 'none'],
    ['such a sum with a cent left', { sum: {} }, { value: 0 }, { value: 0.01 }, 'S6'],
    ['a least value that small', { min: {} }, { value: 0 }, { value: 2.8e-17 }, 'S6'],
    ['a sum off by a thousandth', { sum: {} }, { value: 1000 }, { value: 1001 }, 'S6'],
    [
      'a variance after cancellation',
      { extended_stats: {} },
      { sum: 5, variance: 1.00001 },
      { sum: 5, variance: 1.00002 },
      'none',
    ],
    ['a small cardinality off by one in fifty', { cardinality: {} }, { value: 50 }, { value: 51 }, 'S6'],
    ['a large cardinality off by 3 %', { cardinality: {} }, { value: 100_000 }, { value: 103_000 }, 'S9'],
    ['a large cardinality off by 10 %', { cardinality: {} }, { value: 100_000 }, { value: 110_000 }, 'S6'],
    [
      'percentiles displaced by one point',
      { percentiles: {} },
      { values: { '25.0': 25, '50.0': 50, '75.0': 75 } },
      { values: { '25.0': 25, '50.0': 51.4, '75.0': 75 } },
      'S9',
    ],
    [
      'percentiles displaced by ten points',
      { percentiles: {} },
      { values: { '25.0': 25, '50.0': 50, '75.0': 75 } },
      { values: { '25.0': 25, '50.0': 60, '75.0': 75 } },
      'S6',
    ],
    [
      'percentiles as a list',
      { percentiles: {} },
      { values: [{ key: 50, value: 50 }] },
      { values: [{ key: 50, value: 80 }] },
      'S6',
    ],
    [
      'a percentile alone, off by 3 %',
      { percentiles: {} },
      { values: { '95.0': 100 } },
      { values: { '95.0': 103 } },
      'S9',
    ],
    [
      'a percentile alone, off by a fifth',
      { percentiles: {} },
      { values: { '95.0': 100 } },
      { values: { '95.0': 120 } },
      'S6',
    ],
    ['percentiles of nothing', { percentiles: {} }, { values: { '50.0': null } }, { values: { '50.0': null } }, 'none'],
    [
      'percentile ranks off by one point',
      { percentile_ranks: {} },
      { values: { '100.0': 40 } },
      { values: { '100.0': 41 } },
      'S9',
    ],
    [
      'percentile ranks off by five points',
      { percentile_ranks: {} },
      { values: { '100.0': 40 } },
      { values: { '100.0': 45 } },
      'S6',
    ],
    [
      'a sample per shard',
      { sampler: {} },
      { doc_count: 50, mean: { value: 3 } },
      { doc_count: 250, mean: { value: 9 } },
      'S9',
    ],
    [
      'significant terms mostly alike',
      { significant_terms: {} },
      { doc_count: 9, bg_count: 90, buckets: ['a', 'b', 'c', 'd', 'e'].map((k) => bucket(k, 2)) },
      { doc_count: 9, bg_count: 95, buckets: ['a', 'b', 'c', 'x', 'y'].map((k) => bucket(k, 2)) },
      'S9',
    ],
    [
      'significant terms all different',
      { significant_terms: {} },
      { doc_count: 9, bg_count: 90, buckets: ['a', 'b', 'c', 'd', 'e'].map((k) => bucket(k, 2)) },
      { doc_count: 9, bg_count: 90, buckets: ['v', 'w', 'x', 'y', 'z'].map((k) => bucket(k, 2)) },
      'S6',
    ],
    [
      'significant terms with other counts',
      { significant_terms: {} },
      { doc_count: 9, bg_count: 90, buckets: [bucket('a', 2, { bg_count: 5 })] },
      { doc_count: 9, bg_count: 90, buckets: [bucket('a', 2, { bg_count: 6 })] },
      'S9',
    ],
    [
      'another format of the same date',
      { max: {} },
      { value: 1_700_000_000_000, value_as_string: '2023-11-14' },
      { value: 1_700_000_000_000, value_as_string: '14/11/2023' },
      'S6',
    ],
    [
      'a variance of one field of several',
      { matrix_stats: {} },
      { doc_count: 4, fields: [{ name: 'price', mean: 2, variance: 1 }] },
      { doc_count: 4, fields: [{ name: 'price', mean: 2, variance: 1.3 }] },
      'S6',
    ],
    [
      'the newest date, stale by minutes',
      { max: {} },
      { value: 1_700_000_000_000 },
      { value: 1_699_998_500_000 },
      'S6',
    ],
    ['the largest of large numbers', { max: {} }, { value: 2_000_000_001 }, { value: 2_000_000_000 }, 'S6'],
    ['the least price as a float decodes it', { min: {} }, { value: 19.99 }, { value: 19.990000000000002 }, 'none'],
    ['another least price', { min: {} }, { value: 19.99 }, { value: 19.990001 }, 'S6'],
    ['a count of values off by one', { value_count: {} }, { value: 5_000_000 }, { value: 5_000_001 }, 'S6'],
    ['an average of dates', { avg: {} }, { value: 1_700_000_000_000 }, { value: 1_700_000_000_001 }, 'none'],
    [
      'the largest in statistics',
      { stats: {} },
      { count: 9, max: 2_000_000_001, sum: 3e9 },
      { count: 9, max: 2_000_000_000, sum: 3e9 },
      'S6',
    ],
    [
      'the count in statistics',
      { extended_stats: {} },
      { count: 5_000_000, max: 1, sum: 3 },
      { count: 5_000_001, max: 1, sum: 3 },
      'S6',
    ],
    [
      'what a script calls its largest',
      { scripted_metric: {} },
      { value: { max: 1_700_000_000_000 } },
      { value: { max: 1_700_000_000_001 } },
      'none',
    ],
    ['the largest of sums', { max_bucket: {} }, { value: 2_000_000_001 }, { value: 2_000_000_000 }, 'none'],
    ['a filter that matches fewer', { filter: {} }, { doc_count: 9 }, { doc_count: 8 }, 'S6'],
    ['a kind nobody knows yet', { brand_new: {} }, { value: 1 }, { value: 2 }, 'S6'],
  ];
  it.each(rows)('%s', (_, spec, a, b, severity) => {
    expect(answers({ x: a }, { x: b }, { x: spec }).severity).toBe(severity);
    expect(answers({ x: b }, { x: a }, { x: spec }).severity).toBe(severity);
  });

  const inside = ['min', 'max', 'score', 'from', 'to', 'interval', 'bg_count'];
  it.each(inside)('inside a bucket are compared when their name is %s', (name) => {
    const of = (value: number) => ({ t: terms({ counts: {} }), f: { doc_count: 3, [name]: { value } } });
    const buckets = (value: number) => ({ h: { buckets: [bucket(0, 3, { [name]: { value } })] } });
    const aggs = { [name]: { avg: { field: 'price' } } };
    for (const asks of [undefined, { f: { filter: {}, aggs }, t: { terms: {} }, h: { histogram: {}, aggs } }]) {
      expect(lines(answers(of(1), of(2), asks))).toEqual([`S6 value aggregations.f.${name}.value`]);
      expect(lines(answers(buckets(1), buckets(2), asks))).toEqual([`S6 value aggregations.h.buckets.0.${name}.value`]);
    }
  });

  it.each(['key', 'meta', 'after_key', 'buckets'])('inside a bucket are compared when %s was asked for', (name) => {
    const of = (value: number) => ({ f: { doc_count: 3, [name]: { value } } });
    const aggs = { [name]: { avg: { field: 'price' } } };
    expect(answers(of(1), of(2), { f: { filter: {}, aggs } }).severity).toBe('S6');
    expect(answers(of(1), of(2), { f: { filter: {} } }).severity).toBe('none');
  });

  it('without names say by their position what differs', () => {
    const of = (count: number, from: number) => ({
      f: {
        buckets: [
          { doc_count: 1, from: { value: from } },
          { doc_count: count, from: { value: 2 } },
        ],
      },
    });
    const spec = { f: { filters: { filters: [] }, aggs: { from: { avg: { field: 'price' } } } } };
    expect(lines(answers(of(2, 1), of(3, 4), spec))).toEqual([
      'S6 value aggregations.f.buckets.0.from.value',
      'S6 bucket_count aggregations.f.buckets.1.doc_count',
    ]);
  });

  it('without the request are exact by the names of their members', () => {
    const of = (max: number, sum: number) => ({ s: { count: 9, min: 1, max, avg: sum / 9, sum } });
    expect(lines(answers(of(2_000_000_001, 5), of(2_000_000_000, 5)))).toEqual(['S6 value aggregations.s.max']);
    expect(answers(of(7, 2_000_000_001), of(7, 2_000_000_000)).severity).toBe('none');
    expect(answers({ s: { value: 2_000_000_001 } }, { s: { value: 2_000_000_000 } }).severity).toBe('none');
  });

  it('of several fields are compared without the request, too', () => {
    const of = (mean: number) => ({ m: { doc_count: 4, fields: [{ name: 'price', mean }] } });
    expect(lines(answers(of(2), of(3)))).toEqual(['S6 value aggregations.m.fields.0.mean']);
  });

  it('derived from an approximate neighbour are as approximate', () => {
    const of = (count: number, best: number) => ({
      t: { ...terms({ counts: { x: count }, rest: 100 - count, error: 3 }) },
      best: { value: best, keys: ['x'] },
    });
    const spec = { best: { max_bucket: { buckets_path: 't>_count' } }, t: { terms: { field: 'a', size: 1 } } };
    expect(answers(of(50, 50), of(48, 48), spec).severity).toBe('S9');
    expect(answers(of(50, 50), of(50, 48), spec).severity).toBe('S6');
  });

  it.each<[string, Aggs, object, object]>([
    [
      'percentiles',
      { percentiles: {} },
      { values: { '50.0': 100, '99.0': 200 } },
      { values: { '50.0': 101, '99.0': 201 } },
    ],
    ['a cardinality', { cardinality: {} }, { value: 100_000 }, { value: 101_000 }],
    ['a median deviation', { median_absolute_deviation: {} }, { value: 100 }, { value: 101 }],
  ])('derived from an estimate are as approximate: %s', (_, spec, a, b) => {
    const of = (estimate: object, best: number) => ({
      h: { buckets: [bucket(0, 3, { e: estimate })] },
      best: { value: best, keys: ['0'] },
    });
    const asks = { best: { max_bucket: { buckets_path: 'h>e' } }, h: { histogram: {}, aggs: { e: spec } } };
    expect(['none', 'S9']).toContain(answers(of(a, 100), of(b, 101), asks).severity);
    expect(answers(of(a, 100), of(a, 101), asks).severity).toBe('S6');
  });

  it('missing on one side are a mismatch', () => {
    expect(lines(answers({ x: { value: 1 }, y: { value: 1 } }, { x: { value: 1 } }))).toEqual([
      'S6 missing_field aggregations.y',
    ]);
    expect(compared(page([]), page([], { aggregations: {} })).severity).toBe('S6');
  });

  it('obey the rules of a profile', () => {
    const [a, b] = [{ x: { value: 100 } }, { x: { value: 104 } }];
    expect(answers(a, b, undefined, { tolerance: [{ path: 'aggregations.x', relative: 0.05 }] }).severity).toBe('none');
    expect(answers(a, b, undefined, { soft: ['aggregations.x.value'] }).severity).toBe('S9');
  });
});

describe('figures that cancel', () => {
  const extended = (value: number, more: object) => {
    const stats = { count: 10, min: value, max: value, avg: value, sum: 10 * value, sum_of_squares: 10 * value ** 2 };
    return { ...stats, ...more };
  };
  const spread = (variance: number) => {
    const std_deviation = Math.sqrt(variance);
    const bounds = { upper: 0.33 + 2 * std_deviation, lower: 0.33 - 2 * std_deviation };
    return extended(0.33, { variance, variance_sampling: variance * 1.1, std_deviation, std_deviation_bounds: bounds });
  };
  const signed = (sum: number) => ({ count: 4, min: -100, max: 100, avg: sum / 4, sum });
  const rows: [what: string, spec: Aggs, a: object, b: object, severity: string][] = [
    ['the spread of equal values', { extended_stats: {} }, spread(1.1e-15), spread(0), 'none'],
    ['a spread of values that are not', { extended_stats: {} }, spread(1e-10), spread(0), 'S6'],
    [
      'a bound where the average is as large as its distance',
      { extended_stats: {} },
      extended(2, { std_deviation: 1, std_deviation_bounds: { upper: 4, lower: 0 } }),
      extended(2, { std_deviation: 1.00001, std_deviation_bounds: { upper: 4.00002, lower: -0.00002 } }),
      'none',
    ],
    ['a sum of debts and credits', { stats: {} }, signed(1.4e-14), signed(0), 'none'],
    ['such a sum with a cent left', { stats: {} }, signed(0.01), signed(0), 'S6'],
  ];
  it.each(rows)('of one aggregation: %s', (_, spec, a, b, severity) => {
    expect(answers({ x: a }, { x: b }, { x: spec }).severity).toBe(severity);
    expect(answers({ x: b }, { x: a }, { x: spec }).severity).toBe(severity);
  });

  const derived: [what: string, spec: Aggs, sums: [number, number], a: number, b: number, severity: string][] = [
    ['the change between equal buckets', { derivative: { buckets_path: 'sum' } }, [1e6, 1e6], 1.2e-10, 0, 'none'],
    ['a change of a cent', { derivative: { buckets_path: 'sum' } }, [1e6, 1e6], 0.01, 0, 'S6'],
    ['a difference to an earlier bucket', { serial_diff: { buckets_path: 'sum' } }, [1e6, 1e6], 0, 1.2e-10, 'none'],
    ['one by a script', { bucket_script: { buckets_path: { a: 'sum' } } }, [1e6, 1e6 + 2e-10], 1.2e-10, 0, 'none'],
    ['a share by a script', { bucket_script: { buckets_path: { a: 'sum' } } }, [1e6, 1e6], 0.3, 0.3001, 'S6'],
    ['the change of something else', { derivative: { buckets_path: 'other' } }, [1e6, 1e6], 1.2e-10, 0, 'S6'],
    ['the change of a count', { derivative: { buckets_path: '_count' } }, [1e6, 1e6], 1, 0, 'S6'],
  ];
  const sum = { sum: { field: 'price' } };
  it.each(derived)('of others: %s', (_, spec, [first, second], a, b, severity) => {
    const of = (value: number, source: number) => ({
      h: { buckets: [{ key: 0, doc_count: 3, sum: { value: source }, d: { value } }] },
    });
    const asks = { h: { histogram: {}, aggs: { sum, d: spec } } };
    expect(answers(of(a, first), of(b, second), asks).severity).toBe(severity);
  });

  it('of buckets of another aggregation, with types in their names', () => {
    const of = (value: number) => ({
      'histogram#h': { buckets: [1e9, -1e9].map((part, key) => ({ key, doc_count: 3, 'sum#sum': { value: part } })) },
      'simple_value#d': { value },
    });
    const asks = { h: { histogram: {}, aggs: { sum } }, d: { sum_bucket: { buckets_path: 'h>sum' } } };
    const severity = (left: number) =>
      compared(page([], { aggregations: of(left) }), page([], { aggregations: of(0) }), {
        body: { aggs: asks },
        query: 'typed_keys=true',
      }).severity;
    expect([severity(1e-7), severity(10)]).toEqual(['none', 'S6']);
  });
});

describe('over approximate neighbours', () => {
  const knn = { knn: { v: { vector: [1], k: 10 } } };
  const aggs = {
    sum: { sum: { field: 'price' } },
    t: { terms: { field: 'brand' } },
    all: { global: {}, aggs: { sum: { sum: { field: 'price' } } } },
  };
  const of = (sum: number, all = 9) => ({
    sum: { value: sum },
    t: terms({ counts: { x: sum } }),
    all: { doc_count: all, sum: { value: all } },
  });
  const severity = (query: object, a: object, b: object) =>
    compared(page([], { aggregations: a }), page([], { aggregations: b }), { body: { size: 0, query, aggs } }).severity;

  it.each<[string, object]>([
    ['the nearest', knn],
    ['the nearest beside other matches', { bool: { should: [knn, { match: { a: 'b' } }] } }],
    ['a neural query', { neural: { v: { query_text: 'a', k: 10 } } }],
    ['a hybrid query', { hybrid: { queries: [{ match: { a: 'b' } }, knn] } }],
  ])('are cosmetic, but for those over all documents: %s', (_, query) => {
    expect(severity(query, of(1), of(2))).toBe('S9');
    expect(severity(query, of(1, 9), of(1, 8))).toBe('S6');
  });

  it('are exact where no neighbours are asked for', () => {
    expect(severity({ match_all: {} }, of(1), of(2))).toBe('S6');
  });
});
