import { describe, expect, it } from 'vitest';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { classify } from '../../../src/proxy/classify.ts';
import { inspectBody } from '../../../src/proxy/read/body-names.ts';
import { bodyPin, headPin } from '../../../src/proxy/read/request-pins.ts';
import { routeState, tableOf } from '../../support/routes.ts';

const state = routeState();
const external = { ...state, spec: RouteSpec.parse({ ...state.spec, versions: 'external' }) };
const pinOf = (target: string, headers: Record<string, string> = {}, route = state) => {
  const [path = '', query = ''] = target.split('?');
  const method = path.endsWith('/point_in_time') ? 'POST' : 'GET';
  return headPin(classify(method, path), { method, path, query, headers }, route);
};

describe('the head of a request', () => {
  it.each([
    ['/products/_search', undefined],
    ['/products/_search?version=false&seq_no_primary_term=false', undefined],
    ['/products/_search?version=true', 'version'],
    ['/products/_search?version', 'version'],
    ['/products/_search?seq_no_primary_term', 'tokens'],
    ['/products/_doc/1?version=3', 'version'],
    ['/products/_doc/1', undefined],
    ['/products/_search?preference=_local', undefined],
    ['/products/_search?preference=_shards:1', 'node_preference'],
    ['/products/_search?preference=_only_nodes:a', 'node_preference'],
    ['/products/_search?format=json', undefined],
    ['/products/_search?format=yaml', 'answer_format'],
    ['/products/_search?filter_path=hits.hits', 'answer_format'],
    ['/products/_search?filter_path=hits,_shards', 'answer_format'],
    ['/products/_search?filter_path=-_shards.failed', 'answer_format'],
    ['/products/_search?filter_path=hits,_shards,timed_out', undefined],
    ['/products/_search?filter_path=-hits.hits._source', undefined],
    ['/products/_search?filter_path=', undefined],
    ['/products/_count?filter_path=count', 'answer_format'],
    ['/products/_count?filter_path=count,_shards', undefined],
    ['/products/_msearch?filter_path=responses.hits', 'answer_format'],
    ['/products/_msearch?filter_path=responses', undefined],
    ['/products/_mget?filter_path=docs._source', 'answer_format'],
    ['/products/_doc/1?filter_path=_source', undefined],
    ['/products/_search?q=_index:products', 'opaque_body'],
    ['/products/_search?q=_seq_no:[3%20TO%205]', 'tokens'],
    ['/products/_search?q=_version:3', 'version'],
    ['/products/_search?q=app_version:3', undefined],
    ['/products/_search?sort=_seq_no:desc', 'tokens'],
    ['/products/_search?sort=name,_index', 'opaque_body'],
    ['/products/_search?docvalue_fields=_primary_term', 'tokens'],
    ['/products/_search?docvalue_fields=_index', 'opaque_body'],
    ['/products/_search?stored_fields=_version', 'version'],
    ['/products/_rank_eval', 'family'],
    ['/products/_search/point_in_time?keep_alive=1m', 'family'],
    ['/products/_search_shards', 'family'],
  ])('%s is pinned by %s', (target, pin) => {
    expect(pinOf(target)).toBe(pin);
  });

  it.each([
    ['application/yaml', 'answer_format'],
    ['application/cbor', 'answer_format'],
    ['application/vnd.elasticsearch+json', undefined],
    ['*/*', undefined],
    ['application/json, text/plain, */*', undefined],
  ])('that accepts %s is pinned by %s', (accept, pin) => {
    expect(pinOf('/products/_search', { accept })).toBe(pin);
  });

  it('asks for documents of a route with versions of its own only at the authority, and may ask for those versions anywhere', () => {
    expect(pinOf('/products/_doc/1', {}, external)).toBe('external_versions');
    expect(pinOf('/products/_search?version', {}, external)).toBeUndefined();
  });
});

describe('the body of a request', () => {
  const other = routeState({
    slug: 'users',
    indices: [{ source: 'users_v1', target: 'users_v2' }],
    aliases: ['users'],
  });
  const table = tableOf(state, other);
  const indices = table.lookup('products')!;
  const lookup = (index: string) => ({ query: { terms: { u: { index, id: '1', path: 'p' } } } });
  it.each<[string, unknown, string | undefined]>([
    ['an ordinary search', { query: { match_all: {} } }, undefined],
    ['tokens', { seq_no_primary_term: true }, 'tokens'],
    ['versions', { version: true }, 'version'],
    ['a range of sequence numbers', { query: { range: { _seq_no: { gt: 5 } } } }, 'tokens'],
    ['a sort by sequence numbers', { sort: ['_seq_no'] }, 'tokens'],
    ['a count by primary terms', { aggs: { t: { terms: { field: '_primary_term' } } } }, 'tokens'],
    ['a script over sequence numbers', { sort: { _script: { script: "doc['_seq_no'].value" } } }, 'tokens'],
    ['the highest version', { aggs: { v: { max: { field: '_version' } } } }, 'version'],
    ['a field of the application', { query: { term: { app_version: 5, x_seq_no: 1, _versions: 2 } } }, undefined],
    ['a lookup in the same route', lookup('products_v1'), undefined],
    ['a lookup in another route, which may not be complete there', lookup('users'), 'names'],
    ['a lookup in an index without a route', lookup('elsewhere'), 'names'],
    ['a pattern on _index', { query: { prefix: { _index: 'p' } } }, 'opaque_body'],
  ])('with %s is pinned accordingly', (_title, body, pin) => {
    const facts = inspectBody(Buffer.from(JSON.stringify(body)));
    expect(bodyPin({ table, state, indices, facts })).toBe(pin);
  });

  it('that cannot be read stays at the authority', () => {
    expect(bodyPin({ table, state, indices, facts: undefined })).toBe('opaque_body');
  });

  it('with aliases of different routing stays where the aliases are', () => {
    const routed = [
      { ...indices[0]!, aliasRouting: 'a' },
      { ...indices[0]!, ordinal: 1, aliasRouting: 'b' },
    ];
    const facts = inspectBody(Buffer.from('{}'));
    expect(bodyPin({ table, state, indices: routed, facts })).toBe('alias_routing');
  });
});
