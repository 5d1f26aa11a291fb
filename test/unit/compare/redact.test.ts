import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Redaction, redactAnswer, redactDifference, redactRequest } from '../../../src/compare/redact.ts';
import type { ComparedRequest } from '../../../src/compare/types.ts';
import { answerOf, recorded, requestOf } from '../../fixtures/compare/records.ts';
import { compared, comparing, json, page } from './support.ts';

const keyed = (key: string): Redaction => ({
  hash: (text) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 10),
  clearFields: [],
});
const redaction = keyed('key');
const clear = (...clearFields: string[]): Redaction => ({ ...redaction, clearFields });
const request = (path: string, query = '', body?: unknown): ComparedRequest => ({
  method: 'POST',
  path,
  query,
  ...(body !== undefined && { body: Buffer.from(JSON.stringify(body)) }),
});

describe('a redacted request', () => {
  it('keeps clauses, fields and options, and hides literals', () => {
    const body = {
      size: 5,
      query: { bool: { must: [{ match: { name: 'Ada Lovelace' } }, { range: { born: { gte: 1815 } } }] } },
      sort: [{ born: 'asc' }],
    };
    const text = redactRequest('search', request('/people/_search', '', body), redaction).body!;
    expect(text).not.toMatch(/Ada|1815/);
    const kept = JSON.parse(text);
    expect(kept).toMatchObject({
      size: 5,
      query: { bool: { must: [{ match: { name: /^#/ } }, { range: { born: {} } }] } },
    });
    expect(kept.sort).toEqual([{ born: 'asc' }]);
  });

  it.each<[string, object]>([
    ['a field called type', { query: { term: { type: 'secret' } } }],
    [
      'fields called path, format, unit and mode',
      {
        query: { bool: { must: ['path', 'format', 'unit', 'mode'].map((name) => ({ match: { [name]: 'secret' } })) } },
      },
    ],
    ['values of such a field', { query: { terms: { type: ['secret', 'secret2'] } } }],
    ['the edges of a range', { query: { range: { at: { from: 'secret', to: 'secret' } } } }],
    [
      'the edges of buckets',
      { aggs: { a: { range: { field: 'price', ranges: [{ from: 'secret', to: 'secret' }] } } } },
    ],
    ['a filter called term', { aggs: { a: { filters: { filters: { term: { match: { type: 'secret' } } } } } } }],
    ['a filter inside an aggregation', { aggs: { a: { filter: { term: { type: 'secret' } } } } }],
    ['a filter of the nearest', { query: { knn: { v: { k: 2, filter: { term: { type: 'secret' } } } } } }],
    ['a filter of a sort', { sort: [{ price: { nested: { path: 'p', filter: { term: { type: 'secret' } } } } }] }],
    [
      'filters without names',
      {
        aggs: {
          a: {
            filters: {
              filters: [
                'from',
                'type',
                'path',
                'size',
                'order',
                'mode',
                'unit',
                'format',
                'interval',
                'field',
                'distance',
              ].map((field) => ({ term: { [field]: 'secret' } })),
            },
          },
        },
      },
    ],
    ['names of filters', { aggs: { a: { filters: { filters: { secret: { term: { a: 1 } } } } } } }],
    [
      'the key that a page of buckets follows',
      { aggs: { a: { composite: { after: { type: 'secret', unit: 'secret' } } } } },
    ],
    ['a clause over spans', { query: { span_multi: { match: { prefix: { type: 'secret' } } } } }],
    ['a clause over first spans', { query: { span_first: { match: { span_term: { type: 'secret' } }, end: 3 } } }],
    [
      'a clause over spans in spans',
      {
        query: {
          span_containing: { little: { span_term: { type: 'secret' } }, big: { span_term: { unit: 'secret' } } },
        },
      },
    ],
    ['tokens of a sparse query', { query: { neural_sparse: { v: { query_tokens: { secret: 1.5 } } } } }],
    [
      'keys of maps that a script gets',
      { query: { script_score: { script: { source: 's', params: { boosts: { secret: 2, other: { secret: 3 } } } } } } },
    ],
    [
      'parameters of a script',
      { query: { script_score: { script: { source: 'secret', params: { type: 'secret' } } } } },
    ],
    [
      'a document to percolate',
      { query: { percolate: { field: 'q', document: { type: 'secret', unit: ['secret'] } } } },
    ],
    ['a document to compare with', { query: { more_like_this: { like: [{ doc: { type: 'secret' } }] } } }],
    ['a text to suggest from', { suggest: { type: { text: 'secret', term: { field: 'title' } } } }],
  ])('hides %s', (_, body) => {
    expect(redactRequest('search', request('/people/_search', '', body), redaction).body).not.toContain('secret');
  });

  it('keeps options where they are options', () => {
    const body = {
      from: 10,
      query: {
        bool: {
          must: [
            { multi_match: { fields: ['a'], type: 'phrase', operator: 'and' } },
            { nested: { path: 'p', score_mode: 'avg' } },
            { match: { title: { operator: 'and', fuzziness: 'AUTO' } } },
            { range: { at: { format: 'yyyy' } } },
          ],
        },
      },
      aggs: { type: { terms: { field: 'brand', size: 3 }, aggs: { a: { date_histogram: { fixed_interval: '1h' } } } } },
      suggest: { s: { term: { field: 'title', size: 2 } } },
      sort: [{ price: { order: 'asc', mode: 'min' } }, 'sku'],
    };
    expect(JSON.parse(redactRequest('search', request('/people/_search', '', body), redaction).body!)).toEqual(body);
  });

  it('shows literals of allowed fields, and no others for the names of options and clauses', () => {
    const body = {
      query: {
        bool: {
          must: [
            { match: { brand: { query: 'acme' } } },
            { term: { 'maker.city': 'Paris' } },
            { terms: { type: ['hidden'] } },
            { knn: { brand: { vector: [7], k: 2, filter: { term: { type: 'hidden' } } } } },
          ],
        },
      },
      suggest: { s: { text: 'hidden', completion: { field: 'title' } } },
    };
    const shown = (...fields: string[]) =>
      redactRequest('search', request('/people/_search', '', body), clear(...fields)).body!;
    expect(shown('query', 'must', 'text', 'filter', 'term', 'bool')).not.toMatch(/acme|Paris|hidden/);
    expect(shown('brand')).toContain('acme');
    expect(shown('brand')).not.toMatch(/Paris|hidden/);
    expect(shown('maker')).toContain('Paris');
    const percolated = { query: { percolate: { field: 'q', document: { brand: 'acme', type: 'hidden' } } } };
    const text = redactRequest('search', request('/people/_search', '', percolated), clear('brand', 'query')).body!;
    expect(text).toContain('"brand":"acme"');
    expect(text).not.toMatch(/hidden/);
  });

  it('hides ids in the path and values in the query', () => {
    expect(
      redactRequest('get', request('/people/_doc/ada%40example.org', 'routing=ada&realtime=true&q=secret'), redaction),
    ).toMatchObject({
      path: expect.stringMatching(/^\/people\/_doc\/#[\w-]+$/),
      query: expect.stringMatching(/^routing=#[\w-]+&realtime=true&q=#[\w-]+$/),
    });
    expect(redactRequest('search', request('/people/_search'), redaction).path).toBe('/people/_search');
  });

  it.each([
    ['/people/person/alice%40x.org', 'alice@x.org', /^\/people\/person\/#[\w-]+$/],
    ['/people/person/alice/_source', 'alice', /^\/people\/person\/#[\w-]+\/_source$/],
    ['/people/_doc/_alice', '_alice', /^\/people\/_doc\/#[\w-]+$/],
    ['/alice/_doc/alice', 'alice', /^\/alice\/_doc\/#[\w-]+$/],
  ])('hides the id that a path was understood to hold: %s', (path, id, expected) => {
    expect(redactRequest('get', { ...request(path), id }, redaction).path).toMatch(expected);
  });

  it.each(['/_search/template', '/people/_search/template', '/_msearch/template'])('keeps the path %s', (path) => {
    expect(redactRequest('template_search', request(path), redaction).path).toBe(path);
    expect(redactRequest('get', request('/people/_doc/template'), redaction).path).not.toContain('template');
  });

  it('of an msearch is redacted line by line', () => {
    const lines = {
      ...request('/_msearch'),
      body: Buffer.from('{"index":"people"}\n{"query":{"term":{"name":"Ada"}}}\n'),
    };
    const text = redactRequest('msearch', lines, redaction).body!;
    expect(text.split('\n').length).toBe(3);
    expect(text).not.toContain('Ada');
  });

  it('that is not JSON keeps nothing', () => {
    const yaml = { ...request('/people/_search'), body: Buffer.from('query: Ada') };
    expect(redactRequest('search', yaml, redaction).body).toMatch(/^#/);
  });
});

describe('a redacted answer', () => {
  const answer = page(
    [{ id: 'ada', score: 1.5, sort: ['Ada', 1815], source: { name: 'Ada', address: { city: 'London' } } }],
    {
      aggregations: {
        cities: { doc_count_error_upper_bound: 0, sum_other_doc_count: 0, buckets: [{ key: 'London', doc_count: 1 }] },
        keyed: { buckets: { London: { doc_count: 1 } } },
      },
    },
  );
  const redacted = (given: Redaction) => redactAnswer(request('/people/_search'), json(answer), given).body!;

  it('keeps counts, scores and structure, and hides documents, ids, sort values and keys', () => {
    const text = redacted(redaction);
    expect(text).not.toMatch(/ada|Ada|London|1815/);
    expect(JSON.parse(text)).toMatchObject({
      hits: { total: { value: 1 }, hits: [{ _score: 1.5, _index: 'shop' }] },
      aggregations: { cities: { buckets: [{ doc_count: 1 }] } },
    });
  });

  it('has the hashes of the values in the answer, and flags in clear', () => {
    const [a, b] = [page([{ id: '1', source: { name: 'Ada', n: 5 } }]), page([{ id: '1', source: { name: true } }])];
    const redacted = compared(a, b).differences.map((one) => redactDifference(one, redaction));
    const { body } = redactAnswer(request('/people/_search'), json(a), redaction);
    const source = JSON.parse(body!).hits.hits[0]._source;
    expect(redacted.map(({ authority, other }) => [authority, other])).toEqual([
      [source.name, 'true'],
      [source.n, undefined],
    ]);
  });

  it('of long values that begin alike has two hashes', () => {
    const long = (end: string) => page([{ id: '1', source: { text: `${'a'.repeat(500)}${end}` } }]);
    const [one] = compared(long('b'), long('c')).differences.map((found) => redactDifference(found, redaction));
    expect(one!.authority).not.toBe(one!.other);
  });

  it('shows allowed fields', () => {
    expect(redacted(clear('address.city'))).toContain('"city":"London"');
    expect(redacted(clear('address'))).toContain('"city":"London"');
    expect(redacted(clear('address.city'))).not.toContain('Ada');
  });

  it.each<[string, object]>([
    ['options', { suggest: { s: [{ text: 'a', options: [{ text: 'Ada', _source: { name: 'Ada' } }] }] } }],
    ['text', { suggest: { s: [{ text: 'Ada', options: [{ text: 'Ada', _source: { name: 'Ada' } }] }] } }],
    ['key', { aggregations: { c: { buckets: [{ key: 'Ada', doc_count: 1 }] } } }],
    ['from', { aggregations: { c: { buckets: [{ from: 1815, doc_count: 1 }] } } }],
    ['sort', { hits: { hits: [{ sort: ['Ada', 1815] }] } }],
    ['after_key', { aggregations: { c: { after_key: { name: 'Ada' }, buckets: [] } } }],
    ['name', { aggregations: { c: { after_key: { name: 'Ada' }, buckets: [{ key: { name: 'Ada' } }] } } }],
  ])('does not take its own member %s for a field that is allowed', (field, body) => {
    expect(redactAnswer(request('/people/_search'), json(body), clear(field)).body).not.toMatch(/Ada|1815/);
  });

  it('shows allowed fields of completions and of values that were ignored', () => {
    const body = {
      suggest: { s: [{ options: [{ text: 'Ada', _source: { city: 'London' } }] }] },
      hits: { hits: [{ ignored_field_values: { city: ['Paris'], name: ['Ada'] } }] },
    };
    const text = redactAnswer(request('/people/_search'), json(body), clear('city')).body;
    expect(text).toMatch(/London.*Paris/);
    expect(text).not.toContain('Ada');
  });

  it('maps equal values to equal hashes under one key, and to others under another', () => {
    expect(redacted(redaction)).toBe(redacted(keyed('key')));
    expect(redacted(redaction)).not.toBe(redacted(keyed('other key')));
  });

  it('hides the whole of a bare document', () => {
    const text = redactAnswer(request('/people/_source/1'), json({ name: 'Ada', born: 1815 }), redaction).body!;
    expect(text).not.toMatch(/Ada|1815/);
  });

  it('hides the whole of what a script made of its metric', () => {
    const aggregations = { m: { value: { alice: { visits: 3 }, all: ['bob', 7] } }, n: { value: 3 } };
    const { body } = redactAnswer(request('/people/_search'), json(page([], { aggregations })), redaction);
    expect(body).not.toMatch(/alice|visits|bob|7/);
    expect(JSON.parse(body!).aggregations.n).toEqual({ value: 3 });
  });

  it.each<[string, object | undefined, boolean]>([
    ['percentiles', { percentiles: { field: 'n' } }, true],
    ['ranks of percentiles', { percentile_ranks: { field: 'n', values: [1815] } }, false],
    ['a template', undefined, false],
  ])('shows percents and hides values that ranks are asked of: %s', (_, asked, isShown) => {
    const aggregations = { p: { values: { '1815.0': 40.5 } } };
    const given = request('/people/_search', '', asked && { aggs: { p: asked } });
    const { body } = redactAnswer(given, json(page([], { aggregations })), redaction);
    expect(body!.includes('1815')).toBe(isShown);
    expect(body).toContain('40.5');
  });

  it('hides the ids of rated queries', () => {
    const rated = json({ metric_score: 0.5, details: { 'Ada Lovelace': { metric_score: 0.5 } } });
    const { body } = redactAnswer(request('/people/_rank_eval'), rated, redaction);
    expect(body).not.toContain('Ada');
    expect(body!.match(/"metric_score":0\.5/g)).toHaveLength(2);
  });

  it('hides the ids of rated queries that failed', () => {
    const rated = json({ metric_score: 0.5, details: {}, failures: { 'Ada Lovelace': { error: { type: 'x' } } } });
    const { body } = redactAnswer(request('/people/_rank_eval'), rated, redaction);
    expect(body).not.toContain('Ada');
  });

  it('hides the names of queries that a hit matched, with their scores or without', () => {
    const named = page([{ id: '1', more: { matched_queries: { 'Ada Lovelace': 1.5 } } }]);
    const listed = page([{ id: '1', more: { matched_queries: ['Ada Lovelace'] } }]);
    for (const answer of [named, listed])
      expect(redactAnswer(request('/people/_search'), json(answer), redaction).body).not.toContain('Ada');
  });

  it('is hidden as a whole when it is a bare document under a path with a type', () => {
    const { body } = redactAnswer(request('/people/person/1/_source'), json({ type: 'Ada' }), redaction);
    expect(body).not.toContain('Ada');
  });

  it('hides reasons of errors, which quote values, and keeps their types', () => {
    const error = json(
      {
        error: { type: 'parsing_exception', reason: 'bad value [Ada]', root_cause: [{ type: 'x', reason: 'Ada' }] },
        status: 400,
      },
      400,
    );
    const { body } = redactAnswer(request('/people/_search'), error, redaction);
    expect(body).not.toContain('Ada');
    expect(body).toContain('parsing_exception');
  });

  it('without a JSON body keeps the status alone', () => {
    expect(redactAnswer(request('/x'), { status: 502, body: Buffer.from('secret') }, redaction)).toEqual({
      status: 502,
    });
    expect(redactAnswer(request('/x'), { status: 0, body: Buffer.alloc(0), failure: 'timeout' }, redaction)).toEqual({
      status: 0,
      failure: 'timeout',
    });
  });

  it.each(recorded('3.8.0').map((record) => [record.name, record] as const))(
    'of %s holds no value of a document',
    (_, record) => {
      const text = [
        redactRequest(record.api, requestOf(record), redaction),
        redactAnswer(requestOf(record), answerOf(record.authority), redaction),
      ]
        .map((part) => JSON.stringify(part))
        .join();
      expect(text).not.toMatch(/SKU-\d|brand-\d|user-\d|kakaka|"p\d+"|shoes/);
    },
  );
});

describe('a redacted difference', () => {
  const differing = compared(
    page([{ id: 'ada', score: 1, source: { name: 'Ada', n: 1 } }]),
    page([{ id: 'ada', score: 1, source: { name: 'Bob', n: 1 } }], { total: 3 }),
  );

  it('hides values and ids, and keeps counts, kinds and field names', () => {
    const [total, name] = differing.differences.map((one) => redactDifference(one, redaction));
    expect(total).toMatchObject({ kind: 'total', authority: '{"value":1,"relation":"eq"}' });
    expect(name).toMatchObject({
      kind: 'value',
      authority: expect.stringMatching(/^#/),
      other: expect.stringMatching(/^#/),
    });
    expect(name!.authority).not.toBe(name!.other);
    expect(name!.path.at(-1)).toBe('name');
    expect(JSON.stringify([total, name])).not.toMatch(/Ada|Bob|"ada"/);
  });

  it('shows allowed fields', () => {
    expect(redactDifference(differing.differences[1]!, clear('name'))).toMatchObject({
      authority: '"Ada"',
      other: '"Bob"',
    });
  });

  const metric = (name: string) => ({ m: { value: { [name]: { visits: 1 } } } });
  it.each<[string, ReturnType<typeof compared>]>([
    [
      'a term of a document',
      compared(
        { found: true, term_vectors: { name: { terms: { alice: { term_freq: 1 } } } } },
        { found: true, term_vectors: { name: { terms: {} } } },
        { api: 'termvectors' },
      ),
    ],
    [
      'the id of a rated query that failed',
      compared(
        { metric_score: 0.5, failures: { alice: { error: { type: 'x' } } } },
        { metric_score: 0.5, failures: {} },
        { api: 'rank_eval' },
      ),
    ],
    [
      'a key of what a script returned',
      compared(page([], { aggregations: metric('alice') }), page([], { aggregations: metric('bob') })),
    ],
    [
      'a key of buckets inside a sample',
      compared(
        page([], { aggregations: { s: { doc_count: 1, c: { buckets: { alice: { doc_count: 1 } } } } } }),
        page([], { aggregations: { s: { doc_count: 1, c: { buckets: { alice: { doc_count: 2 } } } } } }),
        { body: { aggs: { s: { sampler: {}, aggs: { c: { filters: {} } } } } } },
      ),
    ],
  ])('hides data in its path: %s', (_, { differences }) => {
    expect(differences.length).toBeGreaterThan(0);
    expect(JSON.stringify(differences)).toContain('alice');
    expect(JSON.stringify(differences.map((one) => redactDifference(one, redaction)))).not.toMatch(/alice|bob|visits/);
  });

  it.each<[string, object | undefined, object, object]>([
    ['ranks that differ', { percentile_ranks: {} }, { '1815.0': 40 }, { '1815.0': 50 }],
    ['ranks of other values', { percentile_ranks: {} }, { '1815.0': 40 }, { '1816.0': 40 }],
    ['ranks of nothing', { percentile_ranks: {} }, { '1815.0': 40 }, { '1815.0': null }],
    ['what may be ranks', undefined, { '1815.0': 40 }, { '1815.0': 50 }],
  ])('hides values that ranks are asked of: %s', (_, asked, a, b) => {
    const of = (values: object) => page([], { aggregations: { p: { values } } });
    const given = asked ? { body: { aggs: { p: asked } } } : { api: 'template_search' as const };
    const { differences } = compared(of(a), of(b), given);
    expect(differences.length).toBe(1);
    expect(JSON.stringify(differences.map((one) => redactDifference(one, redaction)))).not.toContain('181');
  });

  it.each([
    [
      'an exception',
      404,
      'ResourceNotFoundException[Document not found [people]/[alice]]',
      /resource_not_found_exception/,
    ],
    ['words', 400, 'no handler found for uri [/people/alice]', /untyped/],
  ])('hides what an error without details says beside its type: %s', (_, status, text, expected) => {
    const { differences } = comparing(json(page([])), json({ error: text, status }, status));
    const shown = JSON.stringify(differences.map((one) => redactDifference(one, redaction)));
    expect(shown).toMatch(expected);
    expect(shown).not.toMatch(/alice/);
  });

  it('keeps the names of aggregations in its path', () => {
    const of = (value: number) => page([], { aggregations: { value: { value } } });
    const [one] = compared(of(1), of(2)).differences.map((found) => redactDifference(found, redaction));
    expect(one!.path).toEqual(['aggregations', 'value', 'value']);
  });
});
