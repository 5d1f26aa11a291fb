import { describe, expect, it } from 'vitest';
import { compareAnswers } from '../../../src/compare/compare.ts';
import { guessApi } from '../../../src/compare/guess-api.ts';
import { pathText, rulesFrom } from '../../../src/compare/rules.ts';
import type { Answer, Observation } from '../../../src/compare/types.ts';
import { answerOf, type RecordedAnswer, recorded, requestOf } from '../../fixtures/compare/records.ts';

const rules = rulesFrom(undefined);
const renameIndex = (name: string) => name.replace('-on-target', '');

const observe = (record: RecordedAnswer, authority: Answer, other: Answer): Observation =>
  compareAnswers({ api: record.api, request: requestOf(record), authority, other, renameIndex, rules });

// oxlint-disable-next-line typescript/no-explicit-any -- a recorded answer is edited freely
type Editable = any;
type Change = {
  of: string;
  what: string;
  edit: (body: Editable) => void;
  expected: string;
};

const renameIndices = (value: Editable): void => {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value as Record<string, Editable>)) {
    if (name === '_index') value[name] = `${inner}-on-target`;
    else renameIndices(inner);
  }
};
const shiftScores = (hits: Editable[], factor: number): void => {
  for (const hit of hits) hit._score *= factor;
};

const changes: Change[] = [
  {
    of: 'all',
    what: 'a shard failed',
    edit: (b) => Object.assign(b._shards, { failed: 1, successful: 0 }),
    expected: 'S2 partial _shards',
  },
  {
    of: 'all',
    what: 'the search timed out',
    edit: (b) => Object.assign(b, { timed_out: true }),
    expected: 'S2 partial _shards',
  },
  {
    of: 'match',
    what: 'one document fewer in the total',
    edit: (b) => b.hits.total.value--,
    expected: 'S3 total hits.total',
  },
  {
    of: 'by_price',
    what: 'the cheapest document is missing',
    edit: (b) => b.hits.hits.shift(),
    expected: 'S4 missing_hit hits.hits.*',
  },
  {
    of: 'by_price',
    what: 'a foreign document comes first',
    edit: (b) => Object.assign(b.hits.hits[0], { _id: 'foreign' }),
    expected: 'S4 missing_hit hits.hits.*',
  },
  {
    of: 'match',
    what: 'the best match is missing',
    edit: (b) => b.hits.hits.shift(),
    expected: 'S4 missing_hit hits.hits.*',
  },
  {
    of: 'by_price',
    what: 'two documents with other prices change places',
    edit: (b) => ([b.hits.hits[0], b.hits.hits[1]] = [b.hits.hits[1], b.hits.hits[0]]),
    expected: 'S5 order hits.hits',
  },
  {
    of: 'multi_match',
    what: 'the ranking is turned round',
    edit: (b) => {
      const scores = b.hits.hits.map((hit: Editable) => hit._score);
      for (const [i, hit] of b.hits.hits.reverse().entries()) hit._score = scores[i];
    },
    expected: 'S5 order hits.hits',
  },
  {
    of: 'by_price',
    what: 'a field holds another value',
    edit: (b) => (b.hits.hits[0]._source.stock = 77),
    expected: 'S7 value hits.hits.*._source.stock',
  },
  {
    of: 'by_price',
    what: 'a number became text',
    edit: (b) => (b.hits.hits[0]._source.stock = '3'),
    expected: 'S7 type hits.hits.*._source.stock',
  },
  {
    of: 'by_price',
    what: 'a field is missing',
    edit: (b) => delete b.hits.hits[0]._source.brand,
    expected: 'S7 missing_field hits.hits.*._source.brand',
  },
  {
    of: 'by_date_source',
    what: 'a doc value differs',
    edit: (b) => (b.hits.hits[0].fields.brand = ['other']),
    expected: 'S7 value hits.hits.*.fields.brand.0',
  },
  {
    of: 'by_date_source',
    what: 'a sort value differs',
    edit: (b) => b.hits.hits[0].sort[0]++,
    expected: 'S7 sort_value hits.hits.*.sort.0',
  },
  {
    of: 'named',
    what: 'a named query matched no more',
    edit: (b) => b.hits.hits[0].matched_queries.pop(),
    expected: 'S7 matched hits.hits.*.matched_queries',
  },
  {
    of: 'nested',
    what: 'an inner hit is missing',
    edit: (b) => b.hits.hits[0].inner_hits.reviews.hits.total.value++,
    expected: 'S3 total hits.hits.*.inner_hits.reviews.hits.total',
  },
  {
    of: 'collapse',
    what: 'another document stands for a group',
    edit: (b) => Object.assign(b.hits.hits[0], { _id: 'x', sort: [0.5] }),
    expected: 'S4 missing_hit hits.hits.*',
  },
  {
    of: 'match',
    what: 'the scores moved',
    edit: (b) => shiftScores(b.hits.hits, 1.01),
    expected: 'S8 score hits.hits.*._score',
  },
  {
    of: 'highlight',
    what: 'a fragment differs',
    edit: (b) => (b.hits.hits[0].highlight.description[0] = '<em>x</em>'),
    expected: 'S9 value hits.hits.*.highlight.description.0',
  },
  {
    of: 'terms',
    what: 'a bucket counts one less',
    edit: (b) => b.aggregations.categories.buckets[0].doc_count--,
    expected: 'S6 bucket_count aggregations.categories.buckets.*.doc_count',
  },
  {
    of: 'terms',
    what: 'a bucket is missing',
    edit: (b) => b.aggregations.categories.buckets.shift(),
    expected: 'S6 missing_bucket aggregations.categories.buckets.*',
  },
  {
    of: 'terms',
    what: 'a sum inside differs',
    edit: (b) => (b.aggregations.categories.buckets[0].revenue.value *= 1.001),
    expected: 'S6 value aggregations.categories.buckets.*.revenue.value',
  },
  {
    of: 'terms_tail',
    what: 'the rest of the terms counts less',
    edit: (b) => b.aggregations.brands.sum_other_doc_count--,
    expected: 'S6 metric aggregations.brands.sum_other_doc_count',
  },
  {
    of: 'histogram',
    what: 'a bucket counts more',
    edit: (b) => b.aggregations.prices.buckets[1].doc_count++,
    expected: 'S6 bucket_count aggregations.prices.buckets.*.doc_count',
  },
  {
    of: 'date_histogram',
    what: 'a month is missing',
    edit: (b) => b.aggregations.months.buckets.pop(),
    expected: 'S6 missing_bucket aggregations.months.buckets.*',
  },
  {
    of: 'date_histogram',
    what: 'a derived value differs',
    edit: (b) => (b.aggregations.months.buckets[1].change.value += 5),
    expected: 'S6 value aggregations.months.buckets.*.change.value',
  },
  {
    of: 'date_histogram',
    what: 'the best month is another',
    edit: (b) => (b.aggregations.best.keys = ['x']),
    expected: 'S6 value aggregations.best.keys.0',
  },
  {
    of: 'ranges',
    what: 'a range counts more',
    edit: (b) => b.aggregations.bands.buckets[0].doc_count++,
    expected: 'S6 bucket_count aggregations.bands.buckets.*.doc_count',
  },
  {
    of: 'keyed_ranges',
    what: 'a keyed range counts more',
    edit: (b) => b.aggregations.bands.buckets.cheap.doc_count++,
    expected: 'S6 bucket_count aggregations.bands.buckets.cheap.doc_count',
  },
  {
    of: 'composite',
    what: 'the page ends elsewhere',
    edit: (b) => (b.aggregations.pages.after_key.brand = 'x'),
    expected: 'S6 value aggregations.pages.after_key.brand',
  },
  {
    of: 'metrics',
    what: 'an average differs',
    edit: (b) => (b.aggregations.mean.value += 1),
    expected: 'S6 value aggregations.mean.value',
  },
  {
    of: 'metrics',
    what: 'there was nothing to average',
    edit: (b) => (b.aggregations.mean.value = null),
    expected: 'S6 type aggregations.mean.value',
  },
  {
    of: 'metrics',
    what: 'a deviation differs',
    edit: (b) => (b.aggregations.spread.std_deviation *= 1.01),
    expected: 'S6 value aggregations.spread.std_deviation',
  },
  {
    of: 'sketches',
    what: 'a cardinality is far off',
    edit: (b) => (b.aggregations.brands.value += 9),
    expected: 'S6 metric aggregations.brands.value',
  },
  {
    of: 'sketches',
    what: 'a cardinality is off by its error',
    edit: (b) => (b.aggregations.skus.value += 3),
    expected: 'S9 metric aggregations.skus.value',
  },
  {
    of: 'sketches',
    what: 'the median is far off',
    edit: (b) => (b.aggregations.prices.values['50.0'] *= 1.3),
    expected: 'S6 metric aggregations.prices.values.50',
  },
  {
    of: 'sketches',
    what: 'the median is off by its error',
    edit: (b) => (b.aggregations.prices.values['50.0'] *= 1.01),
    expected: 'S9 metric aggregations.prices.values.50',
  },
  {
    of: 'filters',
    what: 'a filter counts less',
    edit: (b) => b.aggregations.split.buckets.dear.doc_count--,
    expected: 'S6 bucket_count aggregations.split.buckets.dear.doc_count',
  },
  {
    of: 'nested_aggs',
    what: 'nested documents are missing',
    edit: (b) => b.aggregations.reviews.doc_count--,
    expected: 'S6 value aggregations.reviews.doc_count',
  },
  {
    of: 'top_hits',
    what: 'a top hit is missing',
    edit: (b) => b.aggregations.best.buckets[0].cheapest.hits.hits.shift(),
    expected: 'S4 missing_hit aggregations.best.buckets.*.cheapest.hits.hits.*',
  },
  {
    of: 'typed_keys',
    what: 'a bucket counts less',
    edit: (b) => b.aggregations['sterms#categories'].buckets[0].doc_count--,
    expected: 'S6 bucket_count aggregations.sterms#categories.buckets.*.doc_count',
  },
  {
    of: 'geo',
    what: 'the centre moved',
    edit: (b) => (b.aggregations.centre.location.lat += 0.1),
    expected: 'S6 value aggregations.centre.location.lat',
  },
  {
    of: 'significant',
    what: 'the foreground differs',
    edit: (b) => b.aggregations.words.doc_count--,
    expected: 'S6 value aggregations.words.doc_count',
  },
  {
    of: 'suggest',
    what: 'a completion is missing',
    edit: (b) => b.suggest.done[0].options.shift(),
    expected: 'S4 missing_hit suggest.done.0.options.hits.hits.*',
  },
  { of: 'count', what: 'one fewer', edit: (b) => b.count--, expected: 'S3 total count' },
  {
    of: 'get',
    what: 'the document is missing',
    edit: (b) => Object.assign(b, { found: false, _source: undefined }),
    expected: 'S4 missing_document ',
  },
  {
    of: 'get',
    what: 'the document is stale',
    edit: (b) => (b._source.title = 'an older state'),
    expected: 'S7 value _source.title',
  },
  {
    of: 'get_source',
    what: 'the document is stale',
    edit: (b) => (b.title = 'an older state'),
    expected: 'S7 value _source.title',
  },
  {
    of: 'mget',
    what: 'a document is missing',
    edit: (b) => Object.assign(b.docs[0], { found: false, _source: undefined }),
    expected: 'S4 missing_document docs.*',
  },
  {
    of: 'msearch',
    what: 'an item failed',
    edit: (b) => (b.responses[1] = { error: { type: 'x' }, status: 503 }),
    expected: 'S0 status responses.1.status',
  },
  {
    of: 'msearch',
    what: 'an item lost hits',
    edit: (b) => b.responses[0].hits.total.value--,
    expected: 'S3 total responses.0.hits.total',
  },
  {
    of: 'explain',
    what: 'the document matches no more',
    edit: (b) => (b.matched = !b.matched),
    expected: 'S4 matched matched',
  },
  {
    of: 'field_caps',
    what: 'a field has another type',
    edit: (b) => (b.fields.price = { text: { type: 'text' } }),
    expected: 'S7 missing_field fields.price.double',
  },
  {
    of: 'field_caps',
    what: 'a field can no longer be searched',
    edit: (b) => (b.fields.price.double.searchable = false),
    expected: 'S7 value fields.price.double.searchable',
  },
  {
    of: 'pipelines',
    what: 'a moving average differs',
    edit: (b) => (b.aggregations.months.buckets[1].smooth.value += 1),
    expected: 'S6 value aggregations.months.buckets.*.smooth.value',
  },
  {
    of: 'pipelines',
    what: 'a ratio of two sums differs',
    edit: (b) => (b.aggregations.months.buckets[0].ratio.value *= 1.1),
    expected: 'S6 value aggregations.months.buckets.*.ratio.value',
  },
  {
    of: 'pipelines',
    what: 'a selector let a bucket go',
    edit: (b) => b.aggregations.months.buckets.pop(),
    expected: 'S6 missing_bucket aggregations.months.buckets.*',
  },
  {
    of: 'pipelines',
    what: 'the mean over all buckets differs',
    edit: (b) => b.aggregations.mean.value++,
    expected: 'S6 value aggregations.mean.value',
  },
  {
    of: 'pipelines',
    what: 'the spread over all buckets differs',
    edit: (b) => b.aggregations.spread.max++,
    expected: 'S6 value aggregations.spread.max',
  },
  {
    of: 'script_score',
    what: 'the nearest document is missing',
    edit: (b) => b.hits.hits.shift(),
    expected: 'S4 missing_hit hits.hits.*',
  },
  {
    of: 'script_score',
    what: 'the script computes other scores',
    edit: (b) => shiftScores(b.hits.hits.slice(0, 3), 1.001),
    expected: 'S8 score hits.hits.*._score',
  },
  {
    of: 'template',
    what: 'one document fewer in the total',
    edit: (b) => b.hits.total.value--,
    expected: 'S3 total hits.total',
  },
  {
    of: 'template',
    what: 'the cheapest document is missing',
    edit: (b) => b.hits.hits.shift(),
    expected: 'S4 missing_hit hits.hits.*',
  },
  {
    of: 'template',
    what: 'two documents with other prices change places',
    edit: (b) => ([b.hits.hits[0], b.hits.hits[1]] = [b.hits.hits[1], b.hits.hits[0]]),
    expected: 'S5 order hits.hits',
  },
  {
    of: 'templates',
    what: 'an item was refused',
    edit: (b) => (b.responses[1] = { error: { type: 'x' }, status: 400 }),
    expected: 'S1 status responses.1.status',
  },
  {
    of: 'templates',
    what: 'an item holds another document',
    edit: (b) => (b.responses[0].hits.hits[0]._source.stock = 77),
    expected: 'S7 value responses.0.hits.hits.*._source.stock',
  },
  {
    of: 'templates',
    what: 'a bucket of an item counts less',
    edit: (b) => b.responses[1].aggregations.brands.buckets[0].doc_count--,
    expected: 'S6 bucket_count responses.1.aggregations.brands.buckets.*.doc_count',
  },
  { of: 'validate', what: 'the query is no longer valid', edit: (b) => (b.valid = false), expected: 'S7 value valid' },
  {
    of: 'termvectors',
    what: 'a term is missing',
    edit: (b) => delete b.term_vectors.title.terms[Object.keys(b.term_vectors.title.terms)[0]!],
    expected: 'S7 missing_field term_vectors.title.terms.*',
  },
  {
    of: 'analyze',
    what: 'the analyzer keeps capitals',
    edit: (b) => (b.tokens[0].token = 'Two'),
    expected: 'S7 value tokens.0.token',
  },
];

const harmless: Change[] = [
  {
    of: 'all',
    what: 'took and shard counts',
    edit: (b) => Object.assign(b, { took: 999, _shards: { ...b._shards, skipped: 1 } }),
    expected: 'none',
  },
  { of: 'by_price', what: 'another index name', edit: renameIndices, expected: 'none' },
  { of: 'mget', what: 'another index name', edit: renameIndices, expected: 'none' },
  {
    of: 'get',
    what: 'versions of the cluster',
    edit: (b) => Object.assign(b, { _version: 99, _seq_no: 1, _primary_term: 8 }),
    expected: 'none',
  },
  {
    of: 'by_price',
    what: 'an explanation',
    edit: (b) => (b.hits.hits[0]._explanation = { value: 1 }),
    expected: 'none',
  },
  {
    of: 'terms',
    what: 'sums in their last digits',
    edit: (b) => (b.aggregations.categories.buckets[0].revenue.value *= 1 + 1e-12),
    expected: 'none',
  },
  { of: 'constant', what: 'another order of ties', edit: (b) => b.hits.hits.reverse(), expected: 'none' },
  {
    of: 'explain',
    what: 'how the score came about',
    edit: (b) => Object.assign(b, { explanation: { value: 9, description: 'otherwise', details: [] } }),
    expected: 'none',
  },
  { of: 'template', what: 'another index name', edit: renameIndices, expected: 'none' },
  {
    of: 'pipelines',
    what: 'a moving average in its last digits',
    edit: (b) => (b.aggregations.months.buckets[1].smooth.value *= 1 + 1e-12),
    expected: 'none',
  },
  {
    of: 'termvectors',
    what: 'statistics of the shard',
    edit: (b) => (b.term_vectors.title.field_statistics.doc_count = 1),
    expected: 'none',
  },
];

const editedCopy = (record: RecordedAnswer, edit: Change['edit']): Answer => {
  const body = JSON.parse(record.authority.body);
  edit(body);
  return answerOf({ status: record.authority.status, body: JSON.stringify(body) });
};

const pattern = (expected: string): RegExp =>
  new RegExp(`^${expected.replace(/[.#]/g, '\\$&').replaceAll('*', '[^ ]+')}$`);

for (const version of ['2.19.6', '3.8.0']) {
  const records = recorded(version);
  const named = (name: string): RecordedAnswer => {
    const found = records.find((record) => record.name === name);
    if (!found) throw new Error(`no recorded answer ${name}`);
    return found;
  };

  describe(`answers recorded from OpenSearch ${version}`, () => {
    it.each(records.map((record) => [record.name, record] as const))('%s equals itself', (_, record) => {
      const same = answerOf(record.authority);
      const observation = observe(record, same, answerOf(record.authority));
      expect(observation).toMatchObject({ severity: 'none', differences: [] });
      expect(observation.discard).toBeUndefined();
      for (const share of Object.values(observation.metrics ?? {})) expect(share).toBe(1);
    });

    it.each(records.map((record) => [record.name, record] as const))(
      '%s from one shard and from five shards with leftovers differs at most in scores',
      (_, record) => {
        const observation = observe(record, answerOf(record.authority), answerOf(record.other));
        expect(observation.differences.filter(({ severity }) => severity < 'S8')).toEqual([]);
        expect(observation.discard).toBeUndefined();
      },
    );

    it.each(changes.map((change) => [change.of, change.what, change.expected, change] as const))(
      '%s: %s is found as %s',
      (_, __, expected, change) => {
        const record = named(change.of);
        const observation = observe(record, answerOf(record.authority), editedCopy(record, change.edit));
        const worst = observation.differences[0];
        expect(worst && `${worst.severity} ${worst.kind} ${pathText(worst.path)}`).toMatch(pattern(expected));
        expect(observation.severity).toBe(expected.slice(0, 2));
      },
    );

    it.each(changes.map((change) => [change.of, change.what, change] as const))(
      '%s: %s has the same severity seen from the other side',
      (_, __, change) => {
        const record = named(change.of);
        const [before, after] = [answerOf(record.authority), editedCopy(record, change.edit)];
        const [there, back] = [observe(record, before, after), observe(record, after, before)];
        // A failing or partial authority judges nobody; everything else is symmetric.
        if (there.severity === 'S0' || there.severity === 'S2')
          expect(back.discard ?? back.severity).toMatch(/authority_|none/);
        else expect(back.severity).toBe(there.severity);
      },
    );

    it.each(harmless.map((change) => [change.of, change.what, change] as const))(
      '%s: %s is no difference',
      (_, __, change) => {
        const record = named(change.of);
        const observation = observe(record, answerOf(record.authority), editedCopy(record, change.edit));
        expect(observation.differences).toEqual([]);
      },
    );
  });
}

/** Both layouts hold the same vectors, in one shard and in five, each of which brings its own nearest. */
describe('answers of the k-NN plugin', () => {
  const records = recorded('3.5.0-neighbours-l2');
  const wrongSpace = recorded('3.5.0-neighbours-innerproduct');
  const named = (name: string, among = records): RecordedAnswer => among.find((one) => one.name === name)!;
  const approximate = records.map(({ name }) => name).filter((name) => !name.startsWith('exact_'));
  const sideWith = (record: RecordedAnswer, edit: (hits: Editable[]) => void): Answer => {
    const body = JSON.parse(record.authority.body) as Editable;
    edit(body.hits.hits);
    return answerOf({ status: 200, body: JSON.stringify(body) });
  };
  const replace = (hits: Editable[], count: number): void => {
    for (const [i, hit] of hits.slice(0, count).entries()) hit._id = `other${i}`;
  };

  it.each(records.map(({ name }) => [name] as const))('%s: equal vectors are no mismatch', (name) => {
    const record = named(name);
    expect(['none', 'S8', 'S9']).toContain(
      observe(record, answerOf(record.authority), answerOf(record.other)).severity,
    );
  });

  it.each(approximate.map((name) => [name] as const))('%s: another measure of distance is found', (name) => {
    const record = named(name, wrongSpace);
    const found = observe(record, answerOf(record.authority), answerOf(record.other));
    expect([found.severity, found.differences.some(({ kind }) => kind === 'recall')]).toEqual(['S4', true]);
  });

  it.each(
    approximate.flatMap((name) =>
      (
        [
          ['the same in another order', (hits) => hits.reverse(), ['none', 'S8', 'S9']],
          ['one is another', (hits) => replace(hits, 1), ['S9']],
          ['four of ten are others', (hits) => replace(hits, Math.ceil(hits.length * 0.4)), ['S4']],
          ['one holds another price', (hits) => (hits[1]._source.price += 1), ['S7']],
        ] as [string, (hits: Editable[]) => void, string[]][]
      ).map((row) => [name, ...row] as const),
    ),
  )('%s: %s', (name, _what, edit, severities) => {
    const record = named(name);
    const [authority, other] = [answerOf(record.authority), sideWith(record, edit)];
    const [there, back] = [observe(record, authority, other), observe(record, other, authority)];
    expect(severities).toContain(there.severity);
    expect(back.severity).toBe(there.severity);
  });
});

/**
 * Written by hand after the plugin's documentation: no cluster that tests can start has the plugin for hybrid queries. A score is
 * 1 / (1 + squared distance); the total counts what the shards collected.
 */
describe('answers of the k-NN plugin in hybrid queries, written by hand', () => {
  const ids = Array.from({ length: 10 }, (_, i) => `v${i}`);
  const answer = (found: readonly string[], total = 10, price = 7) =>
    answerOf({
      status: 200,
      body: JSON.stringify({
        took: 4,
        timed_out: false,
        _shards: { total: 1, successful: 1, skipped: 0, failed: 0 },
        hits: {
          total: { value: total, relation: 'eq' },
          max_score: 0.98,
          hits: found.map((_id, i) => ({ _index: 'shop', _id, _score: 0.98 / (1 + i), _source: { sku: _id, price } })),
        },
      }),
    });
  const knn = { knn: { vector: { vector: [0.5, 1.25], k: 10 } } };
  const queries = {
    hybrid: { size: 10, query: { hybrid: { queries: [{ match: { title: 'red' } }, knn] } } },
  };
  const compare = (query: keyof typeof queries, authority: Answer, other: Answer): Observation =>
    compareAnswers({
      api: 'search',
      request: { method: 'POST', path: '/shop/_search', query: '', body: Buffer.from(JSON.stringify(queries[query])) },
      ...{ authority, other, renameIndex, rules },
    });
  const replaced = (count: number) => [...ids.slice(count), ...Array.from({ length: count }, (_, i) => `w${i}`)];

  describe.each(Object.keys(queries) as (keyof typeof queries)[])('%s', (query) => {
    it.each<[string, Answer, string, string | undefined]>([
      ['the same neighbours', answer(ids), 'none', undefined],
      ['the same in another order', answer(ids.toReversed()), 'S8', undefined],
      ['another total', answer(ids, 14), 'none', undefined],
      ['one of ten is another', answer(replaced(1)), 'S8', undefined],
      ['four of ten are others', answer(replaced(4)), 'S4', 'recall'],
      ['a neighbour holds another price', answer(ids, 10, 8), 'S7', 'value'],
    ])('%s', (_title, other, severity, kind) => {
      const [there, back] = [compare(query, answer(ids), other), compare(query, other, answer(ids))];
      // Below the floor of recall neighbours count; above it, and in their order and scores, they are approximate.
      expect(severity === 'S8' ? ['S8', 'S9'] : [severity]).toContain(there.severity);
      expect(back.severity).toBe(there.severity);
      if (kind !== undefined) expect(there.differences[0]?.kind).toBe(kind);
    });
  });
});

describe('the API of an answer', () => {
  it.each(recorded('3.8.0').map((record) => [record.name, record] as const))(
    'of %s is told by its form',
    (name, record) => {
      // A bare document has no form of its own, and what a template asked for looks like what it became.
      const expected = name === 'get_source' ? 'search' : record.api.replace(/^template_|_template$/, '');
      expect(guessApi(JSON.parse(record.authority.body))).toBe(expected);
    },
  );
});
