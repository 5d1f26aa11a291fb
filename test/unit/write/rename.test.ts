import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renameIndices } from '../../../src/proxy/rename.ts';

const names = new Map([
  ['products_v2', 'products_v1'],
  ['a', 'b'],
  ['b', 'a'],
]);
const renamed = (text: string) => renameIndices(Buffer.from(text), names).toString();

describe('renaming indices in an answer', () => {
  it.each([
    ['{"_index":"products_v2","_id":"1"}', '{"_index":"products_v1","_id":"1"}'],
    ['{"_index" : "other", "x": "products_v2"}', '{"_index" : "other", "x": "products_v2"}'],
    [
      '{"hits":{"hits":[{"_index":"products_v2","_source":{"_index":"products_v2","index":"products_v2","reason":"[products_v2]"}}]}}',
      '{"hits":{"hits":[{"_index":"products_v1","_source":{"_index":"products_v2","index":"products_v2","reason":"[products_v2]"}}]}}',
    ],
    [
      '{"error":{"type":"t","reason":"no such index [products_v2] in [products_v2/abc]","index":"products_v2","resource.id":"products_v2"}}',
      '{"error":{"type":"t","reason":"no such index [products_v1] in [products_v1/abc]","index":"products_v1","resource.id":"products_v1"}}',
    ],
    ['{"failures":[{"shard":0,"index":"products_v2"}]}', '{"failures":[{"shard":0,"index":"products_v1"}]}'],
    ['{"index":"products_v2"}', '{"index":"products_v2"}'],
    [
      '{"items":[{"index":{"_index":"a"}},{"index":{"_index":"b"}}]}',
      '{"items":[{"index":{"_index":"b"}},{"index":{"_index":"a"}}]}',
    ],
    ['{"type":"t","reason":"[a] and [b]"}', '{"type":"t","reason":"[b] and [a]"}'],
    ['{"_shard":"[products_v2][0]","_index":"products_v2"}', '{"_shard":"[products_v1][0]","_index":"products_v1"}'],
    [
      '{"profile":{"shards":[{"id":"[node][products_v2][0]","searches":[{"id":"[products_v2]"}]}]}}',
      '{"profile":{"shards":[{"id":"[node][products_v1][0]","searches":[{"id":"[products_v2]"}]}]}}',
    ],
    ['{"shards":[{"id":"[node][products_v2][0]"}]}', '{"shards":[{"id":"[node][products_v2][0]"}]}'],
    ['{"_index":"products\\u005fv2"}', '{"_index":"products\\u005fv2"}'],
  ])('turns %s into %s', (text, expected) => {
    expect(renamed(text)).toBe(expected);
  });

  it.each(['fields', 'sort', 'doc', 'highlight', '_source'])('knows a name that the client chose: %s', (name) => {
    const hits = '{"hits":{"hits":[{"_index":"products_v2","_source":{"_index":"products_v2"}}]}}';
    const shown = hits.replace('products_v2', 'products_v1');
    for (const around of [
      (inner: string) => `{"aggregations":{"${name}":${inner}}}`,
      (inner: string) => `{"aggregations":{"x":{"buckets":[{"key":1,"doc_count":1,"${name}":${inner}}]}}}`,
      (inner: string) => `{"aggregations":{"x":{"buckets":{"${name}":{"doc_count":1,"y":${inner}}}}}}`,
      (inner: string) => `{"aggregations":{"x":{"doc_count":1,"${name}":${inner}}}}`,
      (inner: string) => `{"hits":{"hits":[{"inner_hits":{"${name}":${inner}}}]}}`,
    ])
      expect(renamed(around(hits))).toBe(around(shown));
    expect(renamed(`{"suggest":{"${name}":[{"options":[{"_index":"a"}]}]}}`)).toContain('"_index":"b"');
  });

  it('returns the very buffer when there is nothing to rename', () => {
    const body = Buffer.from('{"_index":"other"}');
    expect(renameIndices(body, new Map([['products_v2', 'x']]))).toBe(body);
    expect(renameIndices(body, new Map())).toBe(body);
  });

  it('leaves any document as it is', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('_index', 'index', 'type', 'reason', 'x'), fc.constantFrom('a', '[a]', 'b')),
        (document) => {
          const source = JSON.stringify(document);
          expect(renamed(`{"_index":"a","_source":${source}}`)).toBe(`{"_index":"b","_source":${source}}`);
        },
      ),
    );
  });
});
