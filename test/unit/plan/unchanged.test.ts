import { describe, expect, it } from 'vitest';
import { type Change, isUnchanged } from '../../../src/proxy/planning/unchanged.ts';

const mapping = {
  dynamic: 'strict',
  _meta: { owner: 'shop' },
  properties: {
    name: { type: 'text', fields: { raw: { type: 'keyword', ignore_above: 256 } } },
    code: { type: 'keyword', norms: true },
    tags: { type: 'keyword', copy_to: ['all'] },
    all: { type: 'text' },
    address: { properties: { city: { type: 'keyword' } } },
    parts: { type: 'nested', properties: { n: { type: 'integer' } } },
    closed: { type: 'object', enabled: false },
  },
};
const settings = { 'index.refresh_interval': '5s', 'index.number_of_replicas': '1', 'index.max_result_window': '500' };
const aliases = { products: { is_write_index: true, index_routing: 'a', search_routing: 'a' }, plain: {} };
const currents: Record<Change['group'], unknown> = {
  'indices.put_mapping': { p1: { mappings: mapping } },
  'indices.put_settings': { p1: { settings } },
  'indices.put_alias': { p1: { aliases } },
  'indices.update_aliases': { p1: { aliases } },
};
const unchanged = (group: Change['group'], asked: unknown, params: Change['params'] = {}, current = currents[group]) =>
  isUnchanged({ group, asked, params }, current);
const field = (name: string, params: object) => ({ properties: { [name]: params } });

describe('a mapping put again', () => {
  it.each<[string, unknown]>([
    ['the whole of it', mapping],
    ['nothing', {}],
    ['a field as the cluster tells it', field('code', { type: 'keyword', norms: true })],
    [
      'a field with its sub-field',
      field('name', { type: 'text', fields: { raw: { type: 'keyword', ignore_above: '256' } } }),
    ],
    ['a field without its sub-field', field('name', { type: 'text' })],
    ['a list of one given as its member', field('tags', { type: 'keyword', copy_to: 'all' })],
    ['defaults spelt out', field('all', { type: 'text', index: true, store: 'false' })],
    ['an object with its type', field('address', { type: 'object', properties: { city: { type: 'keyword' } } })],
    ['a part of an object', field('parts', { type: 'nested', properties: {} })],
    ['how it takes new fields', { dynamic: 'strict' }],
  ])('is the same: %s', (_title, asked) => {
    expect(unchanged('indices.put_mapping', asked)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a new field', field('more', { type: 'keyword' })],
    ['a new sub-field', field('code', { type: 'keyword', norms: true, fields: { t: { type: 'text' } } })],
    ['another type', field('all', { type: 'keyword' })],
    ['a parameter left out, which would fall back', field('code', { type: 'keyword' })],
    ['a parameter added', field('all', { type: 'text', analyzer: 'english' })],
    ['a new field of an object', field('address', { properties: { zip: { type: 'keyword' } } })],
    ['an object that is opened', field('closed', { type: 'object', enabled: true })],
    ['another way to take new fields', { dynamic: true }],
    ['other notes', { _meta: { owner: 'shop', more: 1 } }],
    ['something unknown', { runtime: {} }],
    ['fields that are none', { properties: 5 }],
    ['no object', [mapping]],
    ['no JSON', undefined],
  ])('is a change: %s', (_title, asked) => {
    expect(unchanged('indices.put_mapping', asked)).toBe(false);
  });

  it('under a type of old is a change, and so is one of an index that was not told', () => {
    expect(unchanged('indices.put_mapping', {}, { type: 'doc' })).toBe(false);
    expect(unchanged('indices.put_mapping', {}, {}, null)).toBe(false);
    expect(unchanged('indices.put_mapping', {}, {}, { p1: { mappings: {} }, p2: { mappings: {} } })).toBe(false);
  });
});

describe('settings put again', () => {
  it.each<[unknown, boolean]>([
    [{ index: { refresh_interval: '5s' } }, true],
    [{ refresh_interval: '5s', number_of_replicas: 1 }, true],
    [{ settings: { 'index.max_result_window': 500 } }, true],
    [{ index: { 'blocks.write': null } }, true],
    [{ refresh_interval: null }, false],
    [{ index: { refresh_interval: '1s' } }, false],
    [{ index: { refresh_interval: '5s', 'blocks.write': true } }, false],
    [{}, false],
  ])('%j: the same is %s', (asked, expected) => {
    expect(unchanged('indices.put_settings', asked)).toBe(expected);
  });
});

describe('an alias put again', () => {
  it.each<[string, unknown, boolean]>([
    ['plain', {}, true],
    ['products', { routing: 'a', is_write_index: true }, true],
    ['products', { routing: 'a' }, false],
    ['products', {}, false],
    ['plain', { filter: { term: { a: 1 } } }, false],
    ['other', {}, false],
  ])('%s as %j: the same is %s', (name, asked, expected) => {
    expect(unchanged('indices.put_alias', asked, { name })).toBe(expected);
  });
});

describe('aliases added again by actions', () => {
  const add = (action: object) => ({ actions: [{ add: { index: 'p1', ...action } }] });

  it.each<[string, unknown]>([
    ['one', add({ alias: 'plain' })],
    ['one with all that is said of it', add({ alias: 'products', is_write_index: true, routing: 'a' })],
    ['several by a list', add({ aliases: ['plain'] })],
    ['indices by a list', { actions: [{ add: { indices: ['p0', 'p1'], alias: 'plain' } }] }],
    ['of another index, about which it says nothing', { actions: [{ add: { index: 'p0', alias: 'new' } }] }],
    ['no action', { actions: [] }],
  ])('are the same: %s', (_title, asked) => {
    expect(unchanged('indices.update_aliases', asked)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a new one', add({ alias: 'new' })],
    ['one of two is new', add({ aliases: ['plain', 'new'] })],
    ['a parameter more', add({ alias: 'plain', routing: 'a' })],
    ['a parameter less', add({ alias: 'products', is_write_index: true })],
    ['a filter', add({ alias: 'plain', filter: { term: { a: 1 } } })],
    ['none named', add({})],
    ['a name that is none', add({ alias: 5 })],
    ['one that is removed', { actions: [{ remove: { index: 'p1', alias: 'plain' } }] }],
    ['one that is removed from another index', { actions: [{ remove: { index: 'p0', alias: 'plain' } }] }],
    [
      'two things in one action',
      { actions: [{ add: { index: 'p1', alias: 'plain' }, remove_index: { index: 'p1' } }] },
    ],
    ['an index that is removed', { actions: [{ remove_index: { index: 'p1' } }] }],
    ['actions that are none', { actions: [5] }],
    ['no actions', {}],
  ])('are a change: %s', (_title, asked) => {
    expect(unchanged('indices.update_aliases', asked)).toBe(false);
  });
});
