import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareAnswers } from '../../../src/compare/compare.ts';
import { rankMetrics } from '../../../src/compare/rank-metrics.ts';
import { rulesFrom } from '../../../src/compare/rules.ts';
import type { ComparableApi } from '../../../src/compare/types.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';
import { answerOf, recorded, requestOf } from '../../fixtures/compare/records.ts';
import { bySort, compared, type Hit, json, page } from './support.ts';

const value = fc.jsonValue({ maxDepth: 2 });
const source = fc.dictionary(fc.string({ maxLength: 8 }), value, { maxKeys: 4 });

/** Hits with few distinct sort values, so that ties are frequent; sorted as a server would. */
const hits = fc
  .uniqueArray(fc.record({ id: fc.nat(30).map(String), price: fc.nat(4), source }), {
    selector: ({ id }) => id,
    maxLength: 12,
  })
  .map((list) =>
    list.toSorted((a, b) => a.price - b.price).map(({ id, price, source }): Hit => ({ id, sort: [price], source })),
  );

const scoredHits = fc
  .uniqueArray(fc.record({ id: fc.nat(30).map(String), score: fc.nat(5) }), { selector: ({ id }) => id, maxLength: 12 })
  .map((list) =>
    list.toSorted((a, b) => b.score - a.score).map(({ id, score }): Hit => ({ id, score: 1 + score / 4 })),
  );

const search = { body: { ...bySort, size: 12 } };
const relevance = { body: { query: { match: { title: 'x' } }, size: 12 } };

const permuteTies = (list: readonly Hit[], key: (hit: Hit) => unknown, seed: number): Hit[] => {
  const random = seeded(seed);
  return list
    .map((hit) => ({ hit, at: random() }))
    .sort((a, b) => (key(a.hit) === key(b.hit) ? a.at - b.at : list.indexOf(a.hit) - list.indexOf(b.hit)))
    .map(({ hit }) => hit);
};

describe('for any answer', () => {
  it('an answer equals itself', () => {
    fc.assert(
      fc.property(hits, fc.nat(30), (list, total) => {
        const answer = page(list, { total: list.length + total });
        expect(compared(answer, structuredClone(answer), search)).toMatchObject({
          severity: 'none',
          differences: [],
          metrics: { rbo: 1, jaccard: 1, overlap1: 1 },
        });
      }),
    );
  });

  it.each(['constructor', 'toString', 'valueOf', '__proto__', 'hasOwnProperty'])(
    'a name that every object inherits (%s) is data like any other',
    (name) => {
      const named = (inner: unknown) => JSON.parse(`{"${name}": ${JSON.stringify(inner)}}`) as Record<string, unknown>;
      const [hit, bucket] = [(more: object) => page([{ id: '1', more: { ...more } }]), { doc_count: 1, buckets: [] }];
      const sides = [
        [hit({ fields: named(1) }), hit({ fields: {} })],
        [hit({ inner_hits: named(page([])) }), hit({ inner_hits: {} })],
        [page([], { aggregations: named(bucket) }), page([], { aggregations: {} })],
        [
          { ...page([]), suggest: named([]) },
          { ...page([]), suggest: {} },
        ],
      ];
      for (const [a, b] of sides) {
        expect(compared(a, b).severity).not.toBe('none');
        expect(compared(b, a).severity).toBe(compared(a, b).severity);
        expect(compared(a, structuredClone(a)).severity).toBe('none');
      }
    },
  );

  it('permuting ties changes nothing, by fields or by score', () => {
    fc.assert(
      fc.property(hits, scoredHits, fc.integer({ min: 1 }), (byField, byScore, seed) => {
        const fields = permuteTies(byField, ({ sort }) => sort![0], seed);
        expect(compared(page(byField), page(fields), search)).toMatchObject({ severity: 'none', metrics: { rbo: 1 } });
        const scores = permuteTies(byScore, ({ score }) => score, seed);
        expect(compared(page(byScore), page(scores), relevance)).toMatchObject({
          severity: 'none',
          metrics: { rbo: 1 },
        });
      }),
    );
  });

  describe('with pages inside pages', () => {
    /** Buckets with few distinct counts, each with its own page; every hit of the outer page has inner hits. */
    const nested = fc.record({
      outer: fc.array(hits, { minLength: 1, maxLength: 4 }),
      counts: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
    });
    type Nested = { outer: readonly (readonly Hit[])[]; counts: readonly number[] };
    const inner = (list: readonly Hit[]) => ({ hits: page(list).hits });
    const asked = {
      body: {
        size: 10,
        sort: [{ price: 'asc' }],
        aggs: {
          brands: {
            terms: { field: 'brand', size: 20 },
            aggs: { best: { top_hits: { size: 12, sort: [{ price: 'asc' }] } } },
          },
        },
      },
    };
    const answer = ({ outer, counts }: Nested, seed?: number) => {
      const mixed = (list: readonly Hit[]) =>
        seed === undefined ? list : permuteTies(list, ({ sort }) => sort![0], seed);
      const documents = outer.map((list, i): Hit => ({
        id: `d${i}`,
        sort: [1],
        more: { inner_hits: { offers: inner(mixed(list)) } },
      }));
      const buckets = counts.map((doc_count, i) => ({
        key: `b${i}`,
        doc_count,
        best: inner(mixed(outer[i % outer.length]!)),
      }));
      const brands = { doc_count_error_upper_bound: 0, sum_other_doc_count: 0 };
      return page(mixed(documents), {
        aggregations: { brands: { ...brands, buckets: seed === undefined ? buckets : buckets.toReversed() } },
      });
    };

    it('permuting ties at any depth changes nothing, nor does the order of buckets of one list', () => {
      fc.assert(
        fc.property(nested, fc.integer({ min: 1 }), (made, seed) => {
          expect(compared(answer(made), answer(made, seed), asked)).toMatchObject({
            severity: 'none',
            differences: [],
          });
        }),
      );
    });

    it('severity and counts are the same seen from either side', () => {
      fc.assert(
        fc.property(nested, nested, (a, b) => {
          const [there, back] = [compared(answer(a), answer(b), asked), compared(answer(b), answer(a), asked)];
          expect(back.severity).toBe(there.severity);
          expect(back.counts).toEqual(there.counts);
        }),
      );
    });
  });

  describe('of every API that ranks', () => {
    const lines = [{ preference: 'p' }, search.body, {}, search.body];
    const ndjson = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const responses = (...lists: readonly Hit[][]) => ({
      took: 1,
      responses: lists.map((list) => ({ ...page(list), status: 200 })),
    });
    const observe = (api: ComparableApi, a: unknown, b: unknown) =>
      compareAnswers({
        api,
        request: {
          ...{ method: 'POST', path: '/shop/_search', query: '' },
          body: api.startsWith('msearch') ? ndjson : Buffer.from(JSON.stringify(search.body)),
        },
        ...{ authority: json(a), other: json(b), renameIndex: (name) => name, rules: rulesFrom(undefined) },
      });
    const answerIn = (api: ComparableApi, list: readonly Hit[], second: readonly Hit[]) =>
      api.startsWith('msearch') ? responses([...list], [...second]) : page(list, { total: 50 });
    const apis: ComparableApi[] = ['search', 'template_search', 'msearch', 'msearch_template'];

    it.each(apis)('permuting ties changes nothing: %s', (api) => {
      fc.assert(
        fc.property(hits, hits, fc.integer({ min: 1 }), (one, two, seed) => {
          const mixed = (list: readonly Hit[]) => permuteTies(list, ({ sort }) => sort![0], seed);
          expect(observe(api, answerIn(api, one, two), answerIn(api, mixed(one), mixed(two)))).toMatchObject({
            severity: 'none',
            differences: [],
          });
        }),
      );
    });

    it.each(apis)('severity and counts are the same seen from either side: %s', (api) => {
      fc.assert(
        fc.property(hits, hits, hits, (one, two, three) => {
          const [a, b] = [answerIn(api, one, two), answerIn(api, two, three)];
          const [there, back] = [observe(api, a, b), observe(api, b, a)];
          expect([back.severity, back.counts]).toEqual([there.severity, there.counts]);
        }),
      );
    });
  });

  describe('of every API without a ranking', () => {
    const doc = fc.oneof(
      fc.record({
        _index: fc.constant('shop'),
        _id: fc.constantFrom('1', '2'),
        found: fc.constant(true),
        _source: source,
      }),
      fc.record({ _index: fc.constant('shop'), _id: fc.constantFrom('1', '2'), found: fc.constant(false) }),
    );
    const capability = fc.record({
      type: fc.constantFrom('long', 'text'),
      searchable: fc.boolean(),
      aggregatable: fc.boolean(),
    });
    const answers: Partial<Record<ComparableApi, fc.Arbitrary<unknown>>> = {
      get: doc,
      mget: fc.record({ docs: fc.tuple(doc, doc) }),
      explain: fc.record({ _id: fc.constant('1'), matched: fc.boolean(), explanation: fc.record({ value: fc.nat() }) }),
      field_caps: fc.record({
        indices: fc.constant(['shop']),
        fields: fc.dictionary(fc.constantFrom('a', 'b'), fc.dictionary(fc.constantFrom('long', 'text'), capability)),
      }),
      count: fc.record({ count: fc.nat(3), _shards: fc.constant({ total: 1, successful: 1, skipped: 0, failed: 0 }) }),
      validate: fc.record({ valid: fc.boolean() }),
      analyze: fc.record({ tokens: fc.array(fc.record({ token: fc.constantFrom('a', 'b'), position: fc.nat(3) })) }),
    };
    it.each(Object.keys(answers) as ComparableApi[])('an answer equals itself, and severity has no side: %s', (api) => {
      const any = answers[api]!;
      fc.assert(
        fc.property(any, any, (a, b) => {
          expect(compared(a, structuredClone(a), { api }).severity).toBe('none');
          const [there, back] = [compared(a, b, { api }), compared(b, a, { api })];
          expect([back.severity, back.counts]).toEqual([there.severity, there.counts]);
        }),
      );
    });
  });

  it('severity and counts are the same seen from either side', () => {
    const totals = fc.oneof(
      fc.nat(40),
      fc.nat(40).map((n) => ({ value: n, relation: 'gte' })),
    );
    const pages = (kind: typeof hits) => fc.record({ list: kind, total: totals, shards: fc.constantFrom(1, 5) });
    const check = (given: object) => (a: { list: Hit[]; total: unknown; shards: number }, b: typeof a) => {
      const [left, right] = [page(a.list, a), page(b.list, b)];
      const [there, back] = [compared(left, right, given), compared(right, left, given)];
      expect(back.severity).toBe(there.severity);
      expect(back.counts).toEqual(there.counts);
      for (const [name, share] of Object.entries(there.metrics!))
        expect(back.metrics![name as 'rbo']).toBeCloseTo(share, 10);
    };
    fc.assert(fc.property(pages(hits), pages(hits), check(search)));
    fc.assert(fc.property(pages(scoredHits), pages(scoredHits), check(relevance)));
  });

  it('every difference is counted and none is kept beyond the bound', () => {
    fc.assert(
      fc.property(hits, hits, (a, b) => {
        const all = compared(page(a), page(b), { ...search, profile: { maxDifferences: 1000 } });
        const few = compared(page(a), page(b), { ...search, profile: { maxDifferences: 2 } });
        expect(Object.values(all.counts).reduce((sum, n) => sum + n, 0)).toBe(all.differences.length);
        expect(few.counts).toEqual(all.counts);
        expect(few.severity).toBe(all.severity);
        expect(few.differences).toEqual(all.differences.slice(0, 2));
      }),
    );
  });

  it('garbage never throws', () => {
    const rules = rulesFrom(undefined);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((part) => Buffer.from(part)),
      fc.jsonValue().map((part) => Buffer.from(JSON.stringify(part))),
      fc
        .record({
          hits: fc.jsonValue(),
          aggregations: fc.jsonValue(),
          suggest: fc.jsonValue(),
          responses: fc.jsonValue(),
          docs: fc.jsonValue(),
          _shards: fc.jsonValue(),
        })
        .map((part) => Buffer.from(JSON.stringify(part))),
    );
    const apis = fc.constantFrom(
      'search',
      'msearch',
      'get',
      'mget',
      'count',
      'field_caps',
      'termvectors',
      'rank_eval',
      'template_search' as const,
    );
    fc.assert(
      fc.property(apis, bytes, bytes, bytes, (api, body, a, b) => {
        const request = { method: 'POST', path: '/_search', query: '', body };
        compareAnswers({
          api,
          request,
          authority: { status: 200, body: a },
          other: { status: 200, body: b },
          renameIndex: (name) => name,
          rules,
        });
      }),
      { numRuns: 500 },
    );
  });

  it('a damaged real answer never throws', () => {
    const records = recorded('3.8.0').filter(({ api }) => api === 'search');
    const rules = rulesFrom(undefined);
    fc.assert(
      fc.property(fc.constantFrom(...records), fc.nat(), (record, at) => {
        const body = Buffer.from(record.other.body);
        body[at % body.length] = 0x20;
        compareAnswers({
          api: record.api,
          request: requestOf(record),
          authority: answerOf(record.authority),
          other: { status: 200, body },
          renameIndex: (name) => name,
          rules,
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('rank metrics', () => {
  const ids = fc.uniqueArray(fc.nat(20).map(String), { maxLength: 15 });
  const flat = (list: string[]) => ({ ids: list, groups: list.map((_, i) => i) });

  it('lie in 0..1, are symmetric, and are 1 for equal lists only', () => {
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        const [there, back, same] = [
          rankMetrics(flat(a), flat(b), 0.9),
          rankMetrics(flat(b), flat(a), 0.9),
          rankMetrics(flat(a), flat(a), 0.9),
        ];
        for (const name of Object.keys(there) as (keyof typeof there)[]) {
          expect(there[name]).toBeGreaterThanOrEqual(0);
          expect(there[name]).toBeLessThanOrEqual(1 + 1e-12);
          expect(back[name]).toBeCloseTo(there[name], 12);
          expect(same[name]).toBeCloseTo(1, 12);
        }
        if (a.join() !== b.join()) expect(there.rbo).toBeLessThan(1);
      }),
    );
  });

  it('two empty lists agree, one empty list does not', () => {
    expect(rankMetrics(flat([]), flat([]), 0.9)).toEqual({
      overlap1: 1,
      overlap3: 1,
      overlap10: 1,
      overlapSize: 1,
      jaccard: 1,
      rbo: 1,
    });
    expect(rankMetrics(flat(['1']), flat([]), 0.9)).toEqual({
      overlap1: 0,
      overlap3: 0,
      overlap10: 0,
      overlapSize: 0,
      jaccard: 0,
      rbo: 0,
    });
  });

  it('weigh the first rank most: losing it costs more than losing the last', () => {
    const list = Array.from({ length: 10 }, (_, i) => String(i));
    const [first, last] = [flat(['x', ...list.slice(1)]), flat([...list.slice(0, 9), 'x'])];
    const [noFirst, noLast] = [rankMetrics(flat(list), first, 0.9), rankMetrics(flat(list), last, 0.9)];
    expect(noFirst.jaccard).toBe(noLast.jaccard);
    expect(noFirst.rbo).toBeLessThan(0.7);
    expect(noLast.rbo).toBeGreaterThan(0.98);
  });
});
