import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ndjson } from '../../support/ndjson.ts';
import type { Sent } from '../../support/write-client.ts';
import { type Fixture, useRoute } from './fixture.ts';

/** `{i}` is the index, `{a}` the alias; each request is sent once directly and once through the route. */
type Case = [title: string, method: string, path: string, body?: string, headers?: Record<string, string>];

const json = (value: unknown) => JSON.stringify(value);
const cases: Case[] = [
  ['index', 'PUT', '/{i}/_doc/1', '{"n":1}'],
  ['index again', 'PUT', '/{a}/_doc/1', '{"n":2}'],
  ['pretty', 'PUT', '/{i}/_doc/1?pretty', '{"n":3}'],
  ['pretty update', 'POST', '/{i}/_update/1?pretty=true', '{"doc":{"n":4}}'],
  ['update with source', 'POST', '/{i}/_update/1?_source=true', '{"doc":{"n":5}}'],
  ['update with filtered source', 'POST', '/{i}/_update/1?_source_excludes=n', '{"doc":{"n":6}}'],
  ['update without change', 'POST', '/{i}/_update/1', '{"doc":{"n":6}}'],
  ['update of nothing', 'POST', '/{i}/_update/none', '{"doc":{"n":6}}'],
  ['update with a bad script', 'POST', '/{i}/_update/1', '{"script":"nonsense("}'],
  ['update without a body', 'POST', '/{i}/_update/1'],
  ['create of what exists', 'PUT', '/{i}/_create/1', '{"n":1}'],
  ['delete', 'DELETE', '/{i}/_doc/1'],
  ['delete again', 'DELETE', '/{i}/_doc/1'],
  ['malformed document', 'PUT', '/{i}/_doc/2', '{"n":'],
  ['document that the mapping refuses', 'PUT', '/{i}/_doc/2', '{"n":"abc"}'],
  ['document with a key twice', 'PUT', '/{i}/_doc/2', '{"n":1,"n":2}'],
  ['document that is no object', 'PUT', '/{i}/_doc/2', '[1]'],
  ['no body', 'PUT', '/{i}/_doc/2'],
  ['no content type', 'PUT', '/{i}/_doc/2', '{"n":1}', {}],
  ['unknown content type', 'PUT', '/{i}/_doc/2', '{"n":1}', { 'content-type': 'text/plain' }],
  ['unknown parameter', 'PUT', '/{i}/_doc/2?nonsense=1', '{"n":1}'],
  ['refused parameter', 'PUT', '/{i}/_doc/2?require_alias=perhaps', '{"n":1}'],
  ['alias required and given', 'PUT', '/{a}/_doc/2?require_alias=true', '{"n":1}'],
  ['alias required and not given', 'PUT', '/{i}/_doc/2?require_alias', '{"n":1}'],
  ['alias required of an update', 'POST', '/{i}/_update/2?require_alias=true', '{"doc":{"n":1}}'],
  ['alias required of a delete', 'DELETE', '/{i}/_doc/2?require_alias=true'],
  ['token that matches nothing', 'PUT', '/{i}/_doc/2?if_seq_no=900&if_primary_term=1', '{"n":1}'],
  ['token that is no number', 'PUT', '/{i}/_doc/2?if_seq_no=1&if_primary_term=x', '{"n":1}'],
  ['token of zero', 'PUT', '/{i}/_doc/2?if_seq_no=1&if_primary_term=0', '{"n":1}'],
  ['too many active shards', 'PUT', '/{i}/_doc/2?wait_for_active_shards=2&timeout=10ms', '{"n":1}'],
  ['version that is internal', 'PUT', '/{i}/_doc/2?version=1', '{"n":1}'],
  ['refresh', 'PUT', '/{i}/_doc/2?refresh=true', '{"n":1}'],
  ['id that needs encoding', 'PUT', '/{i}/_doc/a%2Fb%20c%C3%A9+%25', '{"n":1}'],
  ['id that is too long', 'PUT', `/{i}/_doc/${'x'.repeat(513)}`, '{"n":1}'],
  ['YAML', 'PUT', '/{i}/_doc/3', '---\nn: 1\n', { 'content-type': 'application/yaml' }],
  [
    'answer in YAML',
    'PUT',
    '/{i}/_doc/3',
    '{"n":1}',
    { 'content-type': 'application/json', accept: 'application/yaml' },
  ],
  ['answer in another format', 'PUT', '/{i}/_doc/3?format=cbor', '{"n":1}'],
  ...[
    'result',
    '_shards.*',
    '-_shards',
    '**.total',
    '*',
    '-**.failed,-_id',
    'result,',
    'none',
    're*lt,_shards.f*',
    '**._id',
    '-**._id',
    '**.**',
    'result&pretty',
    'none&pretty',
  ].map((filter): Case => [`filter ${filter}`, 'PUT', `/{i}/_doc/4?filter_path=${filter}`, '{"n":1}']),
  ['filter of an error', 'PUT', '/{i}/_doc/4?filter_path=result', '{"n":"x"}'],
  ['filter of an update', 'POST', '/{i}/_update/4?_source=true&filter_path=get._source', '{"doc":{"n":2}}'],
  [
    'bulk',
    'POST',
    '/{i}/_bulk',
    ndjson([{ index: { _id: '5' } }, { n: 1 }, { update: { _id: '5' } }, { doc: { n: 2 } }]),
  ],
  [
    'bulk by PUT with names in lines',
    'PUT',
    '/_bulk',
    ndjson([{ create: { _index: '{i}', _id: '5' } }, { n: 1 }, { delete: { _index: '{a}', _id: '5' } }]),
  ],
  [
    'bulk with failures of all kinds',
    'POST',
    '/{a}/_bulk',
    ndjson([
      { index: { _id: '6' } },
      '{"n":"abc"}',
      { create: { _index: '{i}', _id: '2' } },
      '{"n":1}',
      { update: { _id: 'none' } },
      '{"doc":{}}',
      { index: { _id: '6', require_alias: true } },
      '{"n":1}',
      { index: { _index: '{i}', _id: '7', require_alias: true } },
      '{"n":1}',
      { delete: { _id: '2', if_seq_no: 900, if_primary_term: 1 } },
      { index: { _id: '6' } },
      '{"n":',
    ]),
  ],
  [
    'bulk with sources',
    'POST',
    '/{i}/_bulk?_source=true',
    ndjson([{ update: { _id: '6' } }, { doc: { n: 2 } }, { update: { _id: '6', _source: 'x' } }, { doc: { n: 3 } }]),
  ],
  [
    'bulk pretty and filtered',
    'POST',
    '/{i}/_bulk?pretty&filter_path=items.**.result,errors',
    ndjson([{ index: { _id: '6' } }, { n: 3 }]),
  ],
  ['bulk pretty', 'POST', '/{i}/_bulk?pretty', ndjson([{ update: { _id: '6' } }, { doc: { n: 4 } }])],
  [
    'bulk filtered',
    'POST',
    '/{i}/_bulk?filter_path=errors,items.*.status,items.*.error',
    ndjson([{ update: { _id: '6' } }, { doc: { n: 5 } }, { update: { _id: 'no' } }, { doc: {} }]),
  ],
  ['bulk whose update is no object', 'POST', '/{i}/_bulk', ndjson([{ update: { _id: '6' } }, '[]'])],
  ['bulk without final line break', 'POST', '/{i}/_bulk', '{"delete":{"_id":"6"}}'],
  [
    'bulk with an unknown action',
    'POST',
    '/_bulk',
    ndjson([{ index: { _index: '{i}' } }, {}, '', { drop: { _index: '{i}' } }]),
  ],
  ['bulk with an unknown key', 'POST', '/_bulk', ndjson([{ delete: { _index: '{i}', _id: '6', colour: 'red' } }])],
  ['bulk with a broken line', 'POST', '/{i}/_bulk', ndjson([{ delete: { _id: '6' } }, 'nonsense'])],
  ['bulk with a name twice', 'POST', '/_bulk', ndjson(['{"delete":{"_index":"{i}","_index":"{i}","_id":"6"}}'])],
  [
    'bulk with an action that lacks its source',
    'POST',
    '/{i}/_bulk',
    ndjson([{ delete: { _id: 'x' } }, { index: { _id: 'x' } }]),
  ],
  [
    'bulk without an index',
    'POST',
    '/_bulk',
    ndjson([{ delete: { _id: '6' } }, { delete: { _index: '{i}', _id: '6' } }]),
  ],
  ['bulk without a body', 'POST', '/{i}/_bulk'],
  ['bulk of blank lines', 'POST', '/{i}/_bulk', '\n\n'],
  ['bulk in CBOR', 'POST', '/{i}/_bulk', 'x', { 'content-type': 'application/cbor' }],
  ['bulk without content type', 'POST', '/{i}/_bulk', ndjson([{ delete: { _id: '6' } }]), {}],
  [
    'bulk with an id in its head',
    'POST',
    '/{i}/_bulk?routing=q&refresh=true',
    ndjson([{ index: { _id: '8', routing: 5 } }, json({ n: 1 }), { index: { _id: 9 } }, '{}']),
  ],
  ['update by query', 'POST', '/{i}/_update_by_query?refresh&pretty', '{"query":{"ids":{"values":["8","9"]}}}'],
  ['update by query that is malformed', 'POST', '/{i}/_update_by_query', '{"query":{"nonsense":{}}}'],
  [
    'delete by query',
    'POST',
    '/{a}/_delete_by_query?filter_path=total,deleted,failures',
    '{"query":{"ids":{"values":["8"]}}}',
  ],
  ['delete by query without a query', 'POST', '/{i}/_delete_by_query', '{}'],
];

const mappings = { properties: { n: { type: 'long' } } };
const settings = { number_of_shards: 1 };

/** What differs from run to run and from index to index. */
const settled = (text: string, names: readonly string[]): string =>
  names
    .reduce((all, name, i) => all.replaceAll(name, i % 2 === 0 ? 'INDEX' : 'ALIAS'), text)
    .replace(/"(took|ingest_took|index_uuid)"( ?): ?("[^"]*"|\d+)/g, '"$1"$2:0')
    .replace(/took: \d+|index_uuid: "[^"]*"/g, '');

const sentFor = ([, method, path, body, headers]: Case, index: string, alias: string): Sent => {
  const fill = (text: string) => text.replaceAll('{i}', index).replaceAll('{a}', alias);
  const given = headers ?? { 'content-type': 'application/json' };
  return { method, path: fill(path), headers: given, ...(body === undefined ? {} : { body: fill(body) }) };
};

describe('an answer through the route', () => {
  const fixture: Fixture = useRoute({ mappings, settings });
  /** Names of the same length, because positions and binary formats tell it. */
  const direct = () => {
    const alias = `${fixture.slug.slice(0, -1)}z`;
    return { index: `${alias}-v1`, alias };
  };

  beforeAll(async () => {
    const { index, alias } = direct();
    const body = { settings: { ...settings, number_of_replicas: 0 }, mappings, aliases: { [alias]: {} } };
    expect((await fixture.route.call('source', 'PUT', `/${index}`, body)).status).toBe(200);
  });
  afterAll(() => fixture.route.call('source', 'DELETE', `/${direct().index}`));

  it.each(cases)('is the one that the cluster gives directly: %s', async (...one) => {
    const { route, send, source, slug } = fixture;
    const { index, alias } = direct();
    const expected = await route.transports.source.request(sentFor(one, index, alias));
    const got = await send(sentFor(one, source, slug));
    expect(settled(got.text, [source, slug])).toBe(settled(expected.body.toString(), [index, alias]));
    const { 'content-type': type, location } = expected.headers;
    expect(got).toMatchObject({ status: expected.status, headers: type === undefined ? {} : { 'content-type': type } });
    expect(settled(String(got.headers['location']), [source, slug])).toBe(settled(String(location), [index, alias]));
  });
});
