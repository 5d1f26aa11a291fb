import { describe, expect, it } from 'vitest';
import { applyEdits } from '../../../src/json/scan.ts';
import { inspectBody, renameEdits } from '../../../src/proxy/read/body-names.ts';

const inspect = (value: unknown) => inspectBody(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
const names = (value: unknown) => inspect(value).names.map((place) => place.name);

describe('index names in a search body', () => {
  it.each<[string, unknown, string[]]>([
    ['terms lookup', { query: { terms: { user: { index: 'users', id: '2', path: 'f' } } } }, ['users']],
    ['percolate of a stored document', { query: { percolate: { field: 'q', index: 'docs', id: '1' } } }, ['docs']],
    ['indexed shape', { query: { geo_shape: { place: { indexed_shape: { index: 'shapes', id: 'd' } } } } }, ['shapes']],
    ['more like these', { query: { more_like_this: { like: [{ _index: 'a', _id: '1' }, 'text'] } } }, ['a']],
    [
      'more like this one, unlike that',
      { query: { more_like_this: { like: { _index: 'a' }, unlike: [{ _index: 'b' }] } } },
      ['a', 'b'],
    ],
    ['boosts as a list', { indices_boost: [{ a: 1.5 }, { b: 2 }] }, ['a', 'b']],
    ['boosts as an object', { indices_boost: { a: 1.5 } }, ['a']],
    ['a term on _index', { query: { term: { _index: 'a' } } }, ['a']],
    ['a term on _index in long form', { query: { term: { _index: { value: 'a', boost: 2 } } } }, ['a']],
    ['terms on _index', { query: { terms: { _index: ['a', 'b'] } } }, ['a', 'b']],
    [
      'deep inside a boolean query',
      { query: { bool: { filter: [{ bool: { must_not: { term: { _index: 'a' } } } }] } } },
      ['a'],
    ],
    ['a lookup by a field called document', { query: { terms: { document: { index: 'a', id: '1' } } } }, ['a']],
    ['a lookup by a field called params', { query: { terms: { params: { index: 'a', id: '1' } } } }, ['a']],
    [
      'an aggregation called documents',
      { aggs: { documents: { filter: { terms: { u: { index: 'a', id: '1' } } } } } },
      ['a'],
    ],
    [
      'a template',
      { source: { query: { terms: { u: { index: 'a' } } }, indices_boost: [{ b: 2 }] }, params: { index: 'x' } },
      ['a', 'b'],
    ],
    ['a template that is a text', { source: JSON.stringify({ query: { terms: { u: { index: 'a' } } } }) }, ['a']],
    ['judged documents', { requests: [{ ratings: [{ _index: 'a', _id: '1', rating: 3 }] }] }, ['a']],
  ])('are found in: %s', (_title, body, expected) => {
    expect(names(body)).toEqual(expected);
  });

  it('are found behind a byte order mark, where they stand', () => {
    const body = Buffer.from('\ufeff {"query":{"terms":{"u":{"index":"a"}}},"pit":{"id":"p"}}');
    const { names: places, pit } = inspectBody(body);
    expect(places.map(({ slice }) => body.toString('utf8', slice.start, slice.end))).toEqual(['"a"']);
    expect(pit?.id).toBe('p');
  });

  it.each(['/* c */{"pit":{"id":"p"}}', '// c\n{"indices_boost":{"a":2}}', '[{"indices_boost":{"a":2}}]', '"index"'])(
    'are not taken for absent in what does not begin with an object: %j',
    (text) => {
      expect(() => inspect(text)).toThrow(SyntaxError);
    },
  );

  it.each<[string, unknown]>([
    ['a field called index', { query: { match: { index: 'products' } } }],
    ['a term on a field called index', { query: { term: { index: { value: 'products' } } } }],
    [
      'a document to percolate',
      { query: { percolate: { field: 'q', document: { terms: { x: { index: 'products' } } } } } },
    ],
    [
      'script parameters',
      { query: { script: { script: { source: 's', params: { terms: { x: { index: 'products' } } } } } } },
    ],
    ['an aggregation called terms', { aggs: { terms: { terms: { field: 'index' } } } }],
    ['parameters of a stored template', { id: 't', params: { terms: { x: { index: 'products' } } } }],
    ['a template that is a text about a field', { source: '{"query":{"match":{"indexed":"{{x}}"}}}' }],
  ])('are not seen in: %s', (_title, body) => {
    expect(names(body)).toEqual([]);
    expect(inspect(body).opaque).toBe(false);
  });

  it.each<[string, unknown]>([
    ['a pattern on _index', { query: { wildcard: { _index: 'prod*' } } }],
    ['a query string on _index', { query: { query_string: { query: '_index:products' } } }],
    ['an aggregation over _index', { aggs: { by: { terms: { field: '_index' } } } }],
    ['a sort by _index', { sort: ['_index'] }],
    ['a script that reads _index', { query: { script: { script: "doc['_index'].value == 'a'" } } }],
  ])('cannot be rewritten in: %s', (_title, body) => {
    expect(inspect(body).opaque).toBe(true);
  });

  it.each<[string, unknown, boolean]>([
    ['a pattern', { query: { prefix: { _index: 'p' } } }, true],
    ['a query string', { query: { query_string: { query: 'a AND _index:p*' } } }, true],
    ['a script', { query: { script: { script: "doc['_index'].value == 'a'" } } }, true],
    ['an aggregation', { aggs: { by: { terms: { field: '_index' } } } }, false],
    ['a sort', { sort: ['_index', { _index: 'asc' }, { _index: { order: 'desc' } }] }, false],
    ['a value of the application', { query: { term: { name: 'products_index' } } }, false],
  ])('selects by the name of the index, or only shows it: %s', (_title, body, unsayable) => {
    expect(inspect(body).unsayable).toBe(unsayable);
  });

  it.each<[string, string, boolean]>([
    ['names an index', '{"query":{"terms":{"u":{"index":"a"}}}}', true],
    ['has Mustache around a name', '{"query":{ {{#u}}"terms":{"u":{"index":"{{u}}"}}{{/u}} }}', true],
    ['has Mustache and no name', '{"query":{ {{#u}}"term":{"u":"{{u}}"}{{/u}} }}', false],
    ['names none', '{"query":{"match_all":{}}}', false],
  ])('cannot be rewritten in the text of a template: it %s', (_title, source, found) => {
    const facts = inspect({ source, params: { index: 'x' } });
    expect([facts.opaque, facts.unsayable]).toEqual([found, found]);
    expect(renameEdits(facts, () => 'other')).toEqual([]);
  });

  it('is no more than a word of the application when it is part of another word', () => {
    expect(inspect({ query: { terms: { name: ['products_index', '_indexed', 'my_index_2'] } } }).opaque).toBe(false);
  });

  it('are replaced without touching another byte', () => {
    const body = Buffer.from(
      '{ "indices_boost" : [ {"products":1.50} ],\n"query":{"terms":{"u":{"index":"products","id":9007199254740993}}} }',
    );
    const edits = renameEdits(inspectBody(body), ({ name }) => (name === 'products' ? 'products_v2' : name));
    expect(applyEdits(body, edits).toString()).toBe(
      '{ "indices_boost" : [ {"products_v2":1.50} ],\n"query":{"terms":{"u":{"index":"products_v2","id":9007199254740993}}} }',
    );
  });
});

describe('other facts of a search body', () => {
  it.each([
    ['hits', { seq_no_primary_term: true }],
    ['inner hits', { query: { nested: { path: 'p', query: {}, inner_hits: { seq_no_primary_term: true } } } }],
  ])('concurrency tokens asked for %s are seen', (_title, body) => {
    expect(inspect(body).asksTokens).toBe(true);
  });

  it('versions asked for are seen only when they are asked for', () => {
    expect(inspect({ version: true }).asksVersion).toBe(true);
    expect(inspect({ version: false, query: { term: { version: true } } }).asksVersion).toBe(false);
    expect(inspect({ query: { nested: { query: {}, inner_hits: { version: true } } } }).asksVersion).toBe(true);
    expect(inspect({ collapse: { field: 'f', inner_hits: [{ version: 'true' }] } }).asksVersion).toBe(true);
    expect(inspect({ aggs: { version: { top_hits: { version: true } } } }).asksVersion).toBe(true);
    expect(inspect({ aggs: { version: { top_hits: { version: false } } } }).asksVersion).toBe(false);
  });

  it('a point in time is found only at the top', () => {
    expect(inspect({ pit: { id: 'abc', keep_alive: '1m' } }).pit?.id).toBe('abc');
    expect(inspect({ query: { match: { pit: { id: 'abc' } } } }).pit).toBeUndefined();
  });

  it('an empty body says nothing, a broken one throws', () => {
    expect(inspect('  ').names).toEqual([]);
    expect(() => inspect('{"query":{"index":')).toThrow(SyntaxError);
  });
});
