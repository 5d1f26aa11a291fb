import { describe, expect, it } from 'vitest';
import { freezeNow } from '../../../src/compare/freeze.ts';
import { hidesRanks, recheckQuery } from '../../../src/compare/recheck.ts';
import { skipReason } from '../../../src/compare/skip.ts';
import type { ComparableApi, ComparedRequest } from '../../../src/compare/types.ts';

const request = (body: unknown, query = ''): ComparedRequest => ({
  method: 'POST',
  path: '/shop/_search',
  query,
  ...(body !== undefined && { body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }),
});

describe('requests that cannot be compared', () => {
  const inBody: [string, unknown, string | undefined][] = [
    ['an ordinary search', { query: { match: { title: 'random script now' } } }, undefined],
    ['no body', undefined, undefined],
    ['random scores', { query: { function_score: { random_score: { seed: 7, field: 'sku' } } } }, 'random'],
    [
      'a script that asks the clock',
      { script_fields: { age: { script: { source: 'System.currentTimeMillis()' } } } },
      'script_clock',
    ],
    ['a script that throws dice', { sort: [{ _script: { script: 'Math.random()' } }] }, 'script_clock'],
    ['a script that does neither', { sort: [{ _script: { script: 'doc.price.value * params.rate' } }] }, undefined],
    ['an answer that may stop early', { terminate_after: 100 }, 'terminate_after'],
    ['an answer cut off by time', { timeout: '50ms' }, 'timeout'],
    ['a profile', { profile: true }, 'profile'],
    ['no profile', { profile: false }, undefined],
    ['a point in time', { pit: { id: 'x' } }, 'point_in_time'],
    ['a slice', { slice: { id: 0, max: 2 } }, 'slice'],
    ['a sort by sequence number', { sort: ['_seq_no'] }, 'cluster_local_field'],
    ['a sort by version, with order', { sort: [{ _version: 'desc' }] }, 'cluster_local_field'],
    ['an aggregation over index names', { aggs: { x: { terms: { field: '_index' } } } }, 'cluster_local_field'],
    ['date math in the query-string syntax', { query: { query_string: { query: 'created:[now-1d TO now]' } } }, 'now'],
    ['the word now in a text', { query: { query_string: { query: 'buy now or later' } } }, undefined],
    ['another format than JSON', '---\nquery: {}', 'not_json'],
  ];
  it.each(inBody)('%s', (_, body, reason) => {
    expect(skipReason('search', request(body))).toBe(reason);
  });

  it.each([
    ['scroll=1m', 'scroll'],
    ['terminate_after=10', 'terminate_after'],
    ['timeout=1s', 'timeout'],
    ['cancel_after_time_interval=1s', 'timeout'],
    ['preference=_only_nodes:abc', 'node_preference'],
    ['preference=_shards:2', 'node_preference'],
    ['preference=session-7', undefined],
    ['preference=_local', undefined],
    ['format=yaml', 'not_json'],
    ['format=json', undefined],
    ['sort=_seq_no:desc', 'cluster_local_field'],
    ['q=created:%3Enow-1d', 'now'],
    ['q=now', undefined],
  ])('?%s', (query, reason) => {
    expect(skipReason('search', request(undefined, query))).toBe(reason);
  });

  it('are found in any item of an msearch, body or header', () => {
    const lines = (...items: unknown[]) => request(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    expect(skipReason('msearch', lines({}, { size: 1 }, { index: 'shop' }, { size: 2 }))).toBeUndefined();
    expect(skipReason('msearch', lines({}, { size: 1 }, {}, { terminate_after: 2 }))).toBe('terminate_after');
    expect(skipReason('msearch', lines({ preference: '_shards:1' }, { size: 1 }))).toBe('node_preference');
  });

  it('by id may name the index', () => {
    expect(skipReason('mget', request({ docs: [{ _index: 'shop', _id: '1' }] }))).toBeUndefined();
  });
});

const now = new Date('2026-03-04T05:06:07.089Z');
const frozen = (body: unknown, api: ComparableApi = 'search') => {
  const result = freezeNow(api, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), now);
  return result.kind === 'frozen' ? result.body.toString('utf8') : result.kind;
};
const range = (clause: object) => ({ query: { range: { created: clause } } });
const iso = now.toISOString();
const format = 'strict_date_optional_time||epoch_millis';

describe('now in range clauses', () => {
  it.each([
    [{ gte: 'now' }, { format, gte: iso }],
    [
      { gte: 'now-1d/d', lt: 'now/d' },
      { format, gte: `${iso}||-1d/d`, lt: `${iso}||/d` },
    ],
    [
      { gte: '2024-01-01', lte: 'now' },
      { format, gte: '2024-01-01', lte: iso },
    ],
    [
      { gte: 1700000000000, lte: 'now+1h' },
      { format, gte: 1700000000000, lte: `${iso}||+1h` },
    ],
    [
      { gte: 'now-1h', boost: 2, time_zone: '+01:00' },
      { format, gte: `${iso}||-1h`, boost: 2, time_zone: '+01:00' },
    ],
  ])('%j becomes %j', (before, after) => {
    expect(JSON.parse(frozen(range(before)))).toEqual(range(after));
  });

  it.each<[string, unknown, string]>([
    ['no now at all', range({ gte: '2024-01-01' }), 'unchanged'],
    ['now as a word', { query: { match: { title: 'now' } } }, 'skip'],
    ['nowhere', { query: { match: { title: 'nowhere' } } }, 'unchanged'],
    ['a format of its own', range({ gte: 'now-5m', format: 'yyyy' }), 'skip'],
    ['a format of its own, rounded to days', range({ gte: 'now-5d/d', format: 'yyyy' }), 'unchanged'],
    ['a bound in an unknown format', range({ gte: '01.02.2024', lte: 'now' }), 'skip'],
    ['an aggregation by date', { aggs: { x: { date_range: { field: 'd', ranges: [{ from: 'now-5m' }] } } } }, 'skip'],
    [
      'an aggregation by date, rounded',
      { aggs: { x: { date_range: { field: 'd', ranges: [{ from: 'now-1M/M' }] } } } },
      'unchanged',
    ],
    [
      'a range aggregation beside it',
      { aggs: { x: { range: { field: 'price', ranges: [{ to: 5 }] } } }, q: 'now' },
      'skip',
    ],
  ])('%s: %s', (_, body, expected) => {
    expect(frozen(body)).toBe(expected);
  });

  it('leaves every other byte as it was', () => {
    const body = '{ "size": 9007199254740993, "query":{"range":{"d":{ "gte" : "now-1d" }}} ,"x":1.0}';
    expect(frozen(body)).toBe(
      `{ "size": 9007199254740993, "query":{"range":{"d":{"format":"${format}", "gte" : "${iso}||-1d" }}} ,"x":1.0}`,
    );
  });

  it('are frozen in each item of an msearch', () => {
    const lines = `{}\n${JSON.stringify(range({ gte: 'now' }))}\n{}\n{"size":1}\n`;
    const result = frozen(lines, 'msearch').split('\n');
    expect(JSON.parse(result[1]!)).toEqual(range({ format, gte: iso }));
    expect([result[0], result[2], result[3], result[4]]).toEqual(['{}', '{}', '{"size":1}', '']);
  });
});

describe('asking again', () => {
  it.each<[ComparableApi, unknown, string, string]>([
    ['search', { query: { match: { a: 'b' } } }, '', 'preference=xf&search_type=dfs_query_then_fetch'],
    ['search', { query: { match: { a: 'b' } }, sort: ['price'] }, 'size=3', 'size=3&preference=xf'],
    ['search', { size: 0, aggs: {} }, '', 'preference=xf'],
    ['search', { size: 0 }, 'preference=mine', 'preference=mine'],
    ['count', { query: {} }, '', 'preference=xf'],
    ['msearch', undefined, 'a=b', 'a=b'],
  ])('%s %j ?%s becomes ?%s', (api, body, query, expected) => {
    expect(recheckQuery(api, request(body, query), 'xf')).toBe(expected);
  });

  it.each<[string, boolean]>([
    ['', false],
    ['filter_path=hits.hits._source', true],
    ['filter_path=took,**._source', true],
    ['filter_path=took,hits.hits', false],
    ['filter_path=hits.hits.*', false],
    ['filter_path=-hits.hits._source', false],
    ['filter_path=aggregations', false],
  ])('is worth it where a page shows parts of its hits alone: ?%s', (query, expected) => {
    expect(hidesRanks('search', request({}, query))).toBe(expected);
  });

  const whole = 'timed_out,terminated_early,_shards,status,error';
  const hits = 'hits.hits._index,hits.hits._id,hits.hits._routing,hits.hits._score,hits.hits.sort';
  const inItems = (parts: string) => parts.split(',').map((part) => `responses.${part}`);
  it.each<[ComparableApi, string, string | undefined]>([
    ['search', 'hits.hits._source', ['hits.hits._source', whole, hits].join()],
    ['search', '-took,hits', ['-took,hits', whole, hits].join()],
    ['template_search', '**._source', ['**._source', whole, hits].join()],
    ['search', 'hits.total,aggregations', ['hits.total,aggregations', whole].join()],
    ['search', '-took', undefined],
    ['msearch', 'responses.hits.hits', ['responses.hits.hits', ...inItems(whole), ...inItems(hits)].join()],
    ['get', '_source', undefined],
  ])('%s for a part of the answer asks for what judges it, too: %s', (api, given, expected) => {
    const asked = request({ sort: ['price'] }, `filter_path=${given}`);
    const all = new URLSearchParams(recheckQuery(api, asked, 'xf')).getAll('filter_path');
    expect(all).toEqual(expected === undefined ? [given] : [given, expected]);
  });
});
