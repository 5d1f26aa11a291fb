import { describe, expect, it } from 'vitest';
import { composeAnswer, failedItem, itemBytes, parseBulkAnswer } from '../../../src/proxy/write/bulk-answer.ts';

const item = (op: string, more = '') =>
  `{"${op}":{"_index":"i","_id":"1","_version":9007199254740993,"result":"updated","_seq_no":5,"_primary_term":3${more},"status":200}}`;
const get = ',"get":{"_seq_no":5,"_primary_term":3,"found":true,"_source":{"x":1.0,"_primary_term":3}}';
const bytesOf = (text: string, treatment: { stripGet: boolean; reign: number }) => {
  const body = Buffer.from(`{"took":4,"ingest_took":2,"errors":false,"items":[ ${text} ]}`);
  const { items } = parseBulkAnswer(body);
  return itemBytes(body, items[0] as (typeof items)[number], treatment).toString();
};

describe('a bulk answer', () => {
  it('tells each item’s facts without losing digits', () => {
    const body = Buffer.from(`{"took":4,"errors":false,"items":[${item('index')},${item('update', get)}]}`);
    const { tookMs, ingestTookMs, items } = parseBulkAnswer(body);
    expect({ tookMs, ingestTookMs }).toEqual({ tookMs: 4, ingestTookMs: undefined });
    expect(items.map(({ facts }) => facts)).toMatchObject([
      { id: '1', seq: 5, term: 3, version: '9007199254740993', result: 'updated', status: 200, failed: false },
      { id: '1', seq: 5, term: 3 },
    ]);
  });

  it.each([
    [{ stripGet: false, reign: 1 }, item('update', get)],
    [{ stripGet: true, reign: 1 }, item('update')],
    [{ stripGet: true, reign: 2 }, item('update').replace('"_primary_term":3', '"_primary_term":4294967299')],
    [
      { stripGet: false, reign: 2 },
      item('update', get.replace('"_primary_term":3,"found"', '"_primary_term":4294967299,"found"')).replace(
        '"_primary_term":3,"get"',
        '"_primary_term":4294967299,"get"',
      ),
    ],
  ])('keeps every byte of an item but what %j asks for', (treatment, expected) => {
    expect(bytesOf(item('update', get), treatment)).toBe(expected);
  });

  it('is put together from results in order', () => {
    const refused = failedItem({ op: 'create', index: 'i', id: undefined }, { status: 503, error: '{"type":"t"}' });
    const results = [{ bytes: Buffer.from(item('index')), failed: false }, refused];
    const body = composeAnswer(results, { tookMs: 7, ingestTookMs: 1 });
    expect(body.toString()).toBe(
      `{"took":7,"ingest_took":1,"errors":true,"items":[${item('index')},{"create":{"_index":"i","_id":null,"status":503,"error":{"type":"t"}}}]}`,
    );
    expect(parseBulkAnswer(body).items).toHaveLength(2);
  });

  it.each(['', '[]', '{"took":1}', '{"items":[', 'not json'])('is not %j', (text) => {
    expect(() => parseBulkAnswer(Buffer.from(text))).toThrow(SyntaxError);
  });
});
