import { describe, expect, it } from 'vitest';
import { readMultiGet, readSearch } from '../../../src/agent/documents.ts';

const search = (over: { hits?: string; shards?: string; timedOut?: boolean } = {}): Buffer =>
  Buffer.from(
    `{"took":1,"timed_out":${over.timedOut ?? false},"_shards":${over.shards ?? '{"total":1,"successful":1,"skipped":0,"failed":0}'},` +
      `"hits":{"max_score":null,"hits":[${over.hits ?? ''}]}}`,
  );

describe('documents of a search answer', () => {
  it('keep the bytes of their source, whatever a parser would make of them', () => {
    const source = '{ "price" : 1.0,\n"big":12345678901234567890,"e":1E5,"s":"\\u00e9 } ] \\" é" }';
    const { docs } = readSearch(
      search({ hits: `{"_index":"i","_id":"1","_seq_no":7,"_primary_term":2,"_source":${source}}` }),
    );
    expect(Buffer.from(docs[0]?.source as Uint8Array).toString()).toBe(source);
  });

  it('carry ids, routing and 64-bit versions exactly', () => {
    const hit =
      '{"_id":"a\\"\\u0041é","_routing":"r 1","_version":9223372036854775807,"_seq_no":4503599627370497,"_primary_term":3}';
    expect(readSearch(search({ hits: hit })).docs).toEqual([
      {
        id: 'a"Aé',
        routing: 'r 1',
        version: 9223372036854775807n,
        seqNo: 4503599627370497,
        primaryTerm: 3,
        source: undefined,
      },
    ]);
  });

  it.each([
    ['a shard failed', search({ shards: '{"total":2,"successful":1,"failed":1}' })],
    ['a shard was not asked', search({ shards: '{"total":2,"successful":1,"failed":0}' })],
    ['no shard was asked', search({ shards: '{"total":0,"successful":0,"failed":0}' })],
    ['it timed out', search({ timedOut: true })],
    ['shards are not told', Buffer.from('{"hits":{"hits":[]}}')],
  ])('are incomplete when %s', (_why, body) => {
    expect(readSearch(body).complete).toBe(false);
  });

  it('are complete when every shard answered', () => {
    expect(readSearch(search())).toMatchObject({ complete: true, docs: [] });
  });
});

describe('documents of a multi-get answer', () => {
  it('are found, absent, or unknown when the shard could not say', () => {
    const body =
      '{"docs":[{"_index":"i","_id":"1","_version":3,"_seq_no":1,"_primary_term":1,"_routing":"r","found":true,"_source":{"a":1.0}},' +
      '{"_index":"i","_id":"2","found":false},' +
      '{"_index":"i","_id":"3","error":{"type":"no_shard_available_action_exception"}}]}';
    const [found, absent, unknown] = readMultiGet(Buffer.from(body));
    expect(found).toMatchObject({ kind: 'found', doc: { id: '1', routing: 'r', version: 3n } });
    expect(absent).toEqual({ kind: 'absent' });
    expect(unknown).toMatchObject({ kind: 'unknown' });
  });

  it('are absent where a routing is required and none was named; any other failure is told in its own words', () => {
    const item = (id: string, error: object) => JSON.stringify({ _index: 'i', _id: id, error });
    const missing = item('1', { type: 'routing_missing_exception', reason: 'routing is required for [i]/[1]' });
    const empty = item('', { type: 'illegal_argument_exception', reason: "Ids can't be empty", root_cause: [] });
    expect(readMultiGet(Buffer.from(`{"docs":[${missing},${empty}]}`))).toEqual([
      { kind: 'absent' },
      { kind: 'unknown', reason: "illegal_argument_exception: Ids can't be empty" },
    ]);
  });

  it('with a field named like metadata inside the source are not confused by it', () => {
    const body =
      '{"docs":[{"_id":"1","_version":3,"_seq_no":1,"_primary_term":1,"found":true,"_source":{"_version":9,"found":false,"_id":"x"}}]}';
    expect(readMultiGet(Buffer.from(body))[0]).toMatchObject({ kind: 'found', doc: { id: '1', version: 3n } });
  });
});
