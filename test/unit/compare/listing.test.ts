import { describe, expect, it } from 'vitest';
import { documentsIn, idOf, listingRequest, maxListed, readListing } from '../../../src/compare/listing.ts';

const asked = (body: unknown, query = '', path = '/shop/_search') => ({
  path,
  query,
  body: body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const listed = (...given: Parameters<typeof asked>) => {
  const request = listingRequest('search', asked(...given));
  return request && { ...request, query: new URLSearchParams(request.query), body: String(request.body) };
};

describe('the search that lists what a search matches', () => {
  it('asks for the same documents without the page, and for nothing but where they stand', () => {
    const body = { size: 3, from: 10, sort: ['n'], aggs: { a: { avg: { field: 'n' } } }, query: { term: { n: 1 } } };
    expect(JSON.parse(listed(body)!.body)).toEqual({
      query: { term: { n: 1 } },
      size: maxListed,
      _source: false,
      version: true,
      seq_no_primary_term: true,
      sort: ['_doc'],
    });
  });

  it('sends the query as it came, numbers beyond 2^53 included', () => {
    expect(listed(' {"query" : {"term":{"n":9007199254740993}}}')?.body).toContain('{"term":{"n":9007199254740993}}');
  });

  it('keeps the parameters that decide what matches', () => {
    const query = listed(undefined, 'q=red&df=name&size=3&sort=n&routing=r&preference=p&track_total_hits=true')!.query;
    expect([...query.keys()].sort()).toEqual(['df', 'filter_path', 'preference', 'q', 'routing']);
  });

  it('counts by searching', () => {
    expect(listingRequest('count', asked({ query: { match_all: {} } }, '', '/a,b/_count'))?.path).toBe('/a,b/_search');
  });

  it.each<[string, Parameters<typeof listingRequest>]>([
    ['another API', ['msearch', asked('{}\n{}\n')]],
    ['a body given as a parameter', ['search', asked(undefined, 'source=%7B%7D')]],
    ['neighbours', ['search', asked({ query: { knn: { v: { vector: [1], k: 3 } } } })]],
  ])('cannot be said for %s', (_title, given) => {
    expect(listingRequest(...given)).toBeUndefined();
  });
});

const hit = (id: string, more: object = {}) => ({
  _index: 'shop-v2',
  _id: id,
  _seq_no: 3,
  _primary_term: 1,
  _version: 7,
  ...more,
});
const answer = (hits: unknown[] | undefined, more: object = {}) =>
  Buffer.from(JSON.stringify({ timed_out: false, _shards: { failed: 0 }, ...(hits && { hits: { hits } }), ...more }));
const rename = (name: string) => name.replace('-v2', '');

describe('a listing', () => {
  it('tells documents apart by index, routing and id, under the names both sides share', () => {
    const listing = readListing(answer([hit('a'), hit('a', { _routing: 'r' }), hit('b')]), rename);
    expect([...listing!.keys()].map((key) => key.split('\u0000'))).toEqual([
      ['shop', '', 'a'],
      ['shop', 'r', 'a'],
      ['shop', '', 'b'],
    ]);
    expect([...listing!.keys()].map(idOf)).toEqual(['a', 'a', 'b']);
  });

  it('reads versions that no double can hold, and is not misled by an id that looks like one', () => {
    const body = answer([hit('"_version":12')])
      .toString()
      .replace('"_version":7', '"_version":4611686018427387905');
    const listing = readListing(Buffer.from(body), rename)!;
    expect([...listing]).toEqual([
      ['shop\u0000\u0000"_version":12', { seq: 3, term: 1, version: 4611686018427387905n }],
    ]);
  });

  it.each<[string, Buffer, number | undefined]>([
    ['is empty where nothing matches', answer(undefined), 0],
    [
      'is none when a shard has no copy',
      answer([hit('a')], { _shards: { total: 2, successful: 1, failed: 0 } }),
      undefined,
    ],
    ['is none when a shard failed', answer([hit('a')], { _shards: { failed: 1 } }), undefined],
    ['is none when the search timed out', answer([hit('a')], { timed_out: true }), undefined],
    ['is none when there may be more', answer(Array.from({ length: maxListed }, (_, i) => hit(`${i}`))), undefined],
    ['is none without stamps', answer([{ _id: 'a' }]), undefined],
    ['is none from an error', Buffer.from('{"error":{"type":"x"},"status":400}'), undefined],
    ['is none from what is no JSON', Buffer.from('{"hits":'), undefined],
  ])('%s', (_title, body, size) => {
    expect(readListing(body, rename)?.size).toBe(size);
  });
});

describe('an answer to a read by id lists its documents itself', () => {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value));
  it.each<[string, Parameters<typeof documentsIn>[0], unknown, string[] | undefined]>([
    ['the one it found', 'get', { ...hit('a'), found: true, _source: { _version: 3 } }, ['a']],
    ['none', 'get', { _index: 'shop-v2', _id: 'a', found: false }, []],
    [
      'those it found',
      'mget',
      {
        docs: [
          { ...hit('a'), found: true },
          { _id: 'b', found: false },
        ],
      },
      ['a'],
    ],
    ['not in a bare document', 'get', { n: 1 }, undefined],
    ['not in other answers', 'search', { hits: { hits: [hit('a')] } }, undefined],
  ])('%s', (_title, api, body, expected) => {
    const listing = documentsIn(api, text(body), rename);
    expect(listing && [...listing.keys()].map(idOf)).toEqual(expected);
  });
});
