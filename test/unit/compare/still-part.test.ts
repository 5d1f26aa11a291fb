import { describe, expect, it } from 'vitest';
import { countsByDocument, withoutDocuments } from '../../../src/compare/still-part.ts';
import type { ComparableApi } from '../../../src/compare/types.ts';

const counts = (body: unknown, query = '', api: ComparableApi = 'search'): boolean =>
  countsByDocument(api, {
    ...{ method: 'POST', path: '/shop/_search', query },
    body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
  });
const aggregated = (aggregation: object) => ({ aggs: { a: aggregation } });
const terms = (more: object = {}) => ({ terms: { field: 'brand', ...more } });

describe('each document counts by itself in', () => {
  it.each<[string, unknown, string?, ComparableApi?]>([
    ['a search without a body', undefined],
    [
      'a page',
      { query: { match: { title: 'red' } }, sort: ['price'], post_filter: { term: { brand: 'acme' } } },
      'size=3',
    ],
    ['a count', { query: { term: { brand: 'acme' } } }, '', 'count'],
    ['terms by a list', { query: { terms: { brand: ['acme', 'other'] } } }],
    ['scores that a function changes', { query: { function_score: { query: { match_all: {} }, boost: 2 } } }],
    [
      'aggregations inside of others',
      {
        aggregations: {
          months: {
            date_histogram: { field: 'at', calendar_interval: 'month', min_doc_count: 0 },
            aggs: { brands: { ...terms(), aggs: { spread: { cardinality: { field: 'sku' } } } } },
          },
          ratio: { bucket_script: { buckets_path: {}, script: 'params.a / params.b' } },
        },
      },
    ],
    ['an application-chosen copy', {}, 'preference=session-7'],
  ])('%s', (_title, ...given) => {
    expect(counts(...given)).toBe(true);
  });

  it.each<[string, unknown, string?, ComparableApi?]>([
    ['a query in the path', {}, 'q=red'],
    ['a body in the path', undefined, 'source=%7B%7D'],
    ['a least score in the path', {}, 'min_score=2', 'count'],
    ['whichever copy is near', {}, 'preference=_local'],
    ['another API', {}, '', 'msearch'],
    ['a body that is no object', [1]],
    ['a query that is no object', { query: null }],
    ['parents by their children', { query: { bool: { must: [{ has_child: { type: 'c', query: {} } }] } } }],
    ['terms that stand in another document', { query: { terms: { brand: { index: 'brands', id: '1', path: 'x' } } } }],
    ['likeness to a document', { query: { more_like_this: { like: [{ _id: '1' }] } } }],
    ['a least score', { min_score: 1 }],
    ['a second ranking', { rescore: { query: {} } }],
    ['suggestions', { suggest: { s: { prefix: 'r', completion: { field: 'c' } } } }],
    ['a query that hides what it is', { query: { wrapper: { query: 'eyJ9' } } }],
    ['all documents whatever the query', aggregated({ global: {}, aggs: { a: terms() } })],
    ['statistics of the whole index', aggregated({ significant_terms: { field: 'brand' } })],
    ['a sample', aggregated({ sampler: { shard_size: 10 }, aggs: { a: terms() } })],
    ['children', aggregated({ children: { type: 'c' } })],
    ['terms of documents that do not match', aggregated(terms({ min_doc_count: 0 }))],
    ['a script that may read scores', aggregated({ max: { script: '_score' } })],
    ['a script of its own accord', aggregated({ scripted_metric: { map_script: '' } })],
    ['pages inside of buckets', aggregated({ ...terms(), aggs: { best: { top_hits: {} } } })],
    ['an aggregation that nobody knows', aggregated({ of_a_plugin: { field: 'brand' } })],
    ['a filter that looks beyond', aggregated({ filter: { has_parent: { parent_type: 'p', query: {} } } })],
  ])('not in %s', (_title, ...given) => {
    expect(counts(...given)).toBe(false);
  });
});

const key = (id: string, routing = ''): string => `shop\u0000${routing}\u0000${id}`;
const without = (body: string | undefined, ...keys: string[]): string => {
  const search = {
    path: '/shop/_search',
    query: 'routing=r',
    body: body === undefined ? undefined : Buffer.from(body),
  };
  const { body: made, ...rest } = withoutDocuments(search, keys);
  expect(rest).toEqual({ path: '/shop/_search', query: 'routing=r' });
  return String(made);
};
const but = (ids: string[], query = '{"match_all":{}}'): string =>
  `{"bool":{"must":[${query}],"must_not":[{"ids":{"values":${JSON.stringify(ids)}}}]}}`;

describe('the search without some documents', () => {
  it.each<[string, string | undefined, string]>([
    ['keeps the bytes of the query', '{"size":0,"query":{"term":{"n":9007199254740993}} }', 'n":9007199254740993'],
    ['keeps what stands before and behind', ' {"size" : 0,"query":{"a":{}}, "from":1.0}', '"from":1.0'],
    ['asks for all others where there is no query', '{ "size":0}', '"size":0'],
    ['does so with an empty body', '{ }', 'match_all'],
    ['does so without a body', undefined, 'match_all'],
  ])('%s', (_title, body, part) => {
    const made = without(body, key('b'));
    expect(made).toContain(part);
    const query: unknown = JSON.parse(body ?? '{}').query;
    expect(JSON.parse(made)).toEqual({
      ...JSON.parse(body ?? '{}'),
      query: JSON.parse(but(['b'], query === undefined ? undefined : JSON.stringify(query))),
    });
  });

  it('names each id once, as it is, whatever index or routing it has', () => {
    expect(without('{}', key('a"\u00e4'), key('b', 'r1'), key('b', 'r2'))).toBe(`{"query":${but(['a"\u00e4', 'b'])}}`);
  });
});
