import { describe, expect, it } from 'vitest';
import { queryShape, ShapeRegistry } from '../../../src/compare/shape.ts';
import type { ComparableApi } from '../../../src/compare/types.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';
import { allKinds } from '../../fixtures/compare/queries.ts';
import { comparedRequest } from '../../fixtures/compare/shop.ts';

const shape = (body: unknown, { path = '/shop/_search', query = '', api = 'search' as ComparableApi } = {}) =>
  queryShape(api, { method: 'POST', path, query, body: Buffer.from(JSON.stringify(body)) });
const print = (...given: Parameters<typeof shape>) => shape(...given).fingerprint;

const composite = (after: object) => ({ aggs: { c: { composite: { sources: [], after } } } });
const filters = (given: object) => ({ aggs: { f: { filters: { filters: given } } } });

describe('requests of one shape', () => {
  it.each<[string, unknown, unknown]>([
    ['other words', { query: { match: { title: 'red' } } }, { query: { match: { title: 'blue hat' } } }],
    ['other order of keys', { size: 5, query: { match_all: {} } }, { query: { match_all: {} }, size: 7 }],
    ['more values', { query: { terms: { sku: ['a'] } } }, { query: { terms: { sku: ['a', 'b', 'c'] } } }],
    [
      'more clauses of one kind',
      { query: { bool: { should: [{ term: { a: 1 } }] } } },
      { query: { bool: { should: [{ term: { a: 1 } }, { term: { a: 2 } }] } } },
    ],
    [
      'another name of the aggregation',
      { aggs: { x: { terms: { field: 'a' } } } },
      { aggs: { y: { terms: { field: 'a' } } } },
    ],
    ['a literal of a field that is called id', { query: { term: { id: 'A-17' } } }, { query: { term: { id: 'B-4' } } }],
    ['literals of it', { query: { terms: { id: ['A-17'] } } }, { query: { terms: { id: ['B-4', 'B-5'] } } }],
    ['a literal of a field called path', { query: { match: { path: '/a' } } }, { query: { match: { path: '/b' } } }],
    ['a literal of a field called size', { query: { term: { size: 4 } } }, { query: { term: { size: 4000 } } }],
    [
      'a document that is looked up',
      { query: { terms: { u: { index: 'users', id: '1', path: 'p' } } } },
      { query: { terms: { u: { index: 'users', id: '2', path: 'p' } } } },
    ],
    ['a point in time', { pit: { id: 'a' } }, { pit: { id: 'b' } }],
    ['parameters of a script', { params: { type: 'a' } }, { params: { type: 'b' } }],
    ['keys of maps in parameters', { params: { boosts: { ada: 1 } } }, { params: { boosts: { bob: 2, eve: 3 } } }],
    ['the key that a page of buckets follows', composite({ type: 'a' }), composite({ type: 'b' })],
    ['names of the sources in it', composite({ brand: 'a' }), composite({ city: 'b' })],
    ['names of filters', filters({ ada: { term: { a: 1 } } }), filters({ bob: { term: { a: 2 } } })],
    ['literals of filters without names', filters([{ term: { type: 'a' } }]), filters([{ term: { type: 'b' } }])],
    [
      'a clause over first spans',
      { query: { span_first: { match: { span_term: { type: 'a' } } } } },
      { query: { span_first: { match: { span_term: { type: 'b' } } } } },
    ],
  ])('differ in %s', (_, a, b) => {
    expect(print(a)).toBe(print(b));
  });

  it('address indices that differ in digits', () => {
    expect(print({}, { path: '/logs-2026.01.01/_search' })).toBe(print({}, { path: '/logs-2025.12.31/_search' }));
  });

  it('read other documents by id', () => {
    const get = (id: string) => queryShape('get', { method: 'GET', path: `/shop/_doc/${id}`, query: '' });
    expect(get('a')).toEqual(get('b'));
  });
});

describe('requests of different shapes', () => {
  const base = { query: { match: { title: 'x' } }, size: 10 };
  it.each<[string, unknown]>([
    ['another field', { query: { match: { body: 'x' } }, size: 10 }],
    ['another clause', { query: { match_phrase: { title: 'x' } }, size: 10 }],
    ['a much larger page', { ...base, size: 1000 }],
    ['a sort', { ...base, sort: ['price'] }],
    ['an aggregation', { ...base, aggs: { a: { avg: { field: 'price' } } } }],
  ])('have %s', (_, other) => {
    expect(print(other)).not.toBe(print(base));
  });
  it.each<[string, unknown, unknown]>([
    ['terms of another field', { aggs: { a: { terms: { field: 'a' } } } }, { aggs: { a: { terms: { field: 'b' } } } }],
    [
      'terms of another field below a filter called terms',
      { aggs: { terms: { filter: { term: { a: 1 } }, aggs: { x: { terms: { field: 'a' } } } } } },
      { aggs: { terms: { filter: { term: { a: 1 } }, aggs: { x: { terms: { field: 'b' } } } } } },
    ],
    [
      'another field that is suggested from',
      { suggest: { s: { text: 'a', term: { field: 'title' } } } },
      { suggest: { s: { text: 'a', term: { field: 'body' } } } },
    ],
    ['another stored template', { id: 'top_sellers' }, { id: 'by_brand' }],
    [
      'another operator',
      { query: { match: { title: { query: 'x', operator: 'and' } } } },
      { query: { match: { title: { query: 'x', operator: 'or' } } } },
    ],
  ])('ask for %s', (_, a, b) => {
    expect(print(a)).not.toBe(print(b));
  });

  const multi = (...headers: object[]) => {
    const body = headers.map((header) => `${JSON.stringify(header)}\n${JSON.stringify(base)}\n`).join('');
    return queryShape('msearch', { method: 'POST', path: '/_msearch', query: '', body: Buffer.from(body) });
  };

  it('search other indices in an msearch', () => {
    const one = multi({ index: 'logs-2026.01.01' });
    expect(one.label).toBe('msearch logs-#.#.# match(title)');
    expect(multi({ index: ['logs-2025.12.31'] })).toEqual(one);
    for (const other of [multi({ index: 'shop' }), multi({}), multi({ index: ['logs-2026.01.01', 'shop'] })])
      expect(other.fingerprint).not.toBe(one.fingerprint);
    expect(multi({}, { index: 'shop' }).fingerprint).not.toBe(multi({}).fingerprint);
  });

  it('use another API or index', () => {
    expect(print(base, { api: 'count' })).not.toBe(print(base));
    expect(print(base, { path: '/other/_search' })).not.toBe(print(base));
  });
});

describe('labels', () => {
  it('name clauses, fields and kinds of aggregations', () => {
    const body = {
      query: { bool: { must: [{ match: { title: 'secret' } }], filter: [{ range: { price: { lte: 5 } } }] } },
      aggs: { x: { terms: { field: 'brand' } } },
    };
    expect(shape(body).label).toBe('search shop bool match(title) range(price) agg:terms');
  });

  it('hold no keys of maps that are called like clauses', () => {
    const script = { source: 's', params: { match: { secret: 1 }, term: { secret: 2 } } };
    const body = {
      query: { script_score: { query: { span_first: { match: { span_term: { secret: 'a' } } } }, script } },
    };
    expect(shape(body).label).toBe('search shop script_score');
  });

  it('hold no literal of any request and stay short', () => {
    for (const kind of allKinds(seeded(4), 100)) {
      const { label } = queryShape(kind.api, comparedRequest('shop', kind));
      expect(label.length).toBeLessThanOrEqual(96);
      expect(label).not.toMatch(/user-|SKU-|brand-\d|kaka/);
    }
  });
});

describe('the registry of shapes', () => {
  it('tells apart as many as its cap, for ever, and calls the rest other', () => {
    const registry = new ShapeRegistry(2);
    const [a, b, c] = ['a', 'b', 'c'].map((fingerprint) => ({ fingerprint, label: fingerprint }));
    expect([a!, b!, c!, a!, c!].map((one) => registry.admit(one).label)).toEqual(['a', 'b', 'other', 'a', 'other']);
    expect(registry.shapes).toEqual([a, b]);
  });

  it('needs one shape per kind of request, however many requests', () => {
    const registry = new ShapeRegistry(500);
    const random = seeded(9);
    for (let i = 0; i < 20; i++)
      for (const kind of allKinds(random, 100)) registry.admit(queryShape(kind.api, comparedRequest('shop', kind)));
    expect(registry.shapes.length).toBeLessThan(allKinds(random, 100).length * 1.5);
  });
});
