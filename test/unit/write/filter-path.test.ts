import { describe, expect, it } from 'vitest';
import { applyFilterPath, parseFilterPath } from '../../../src/proxy/write/filter-path.ts';

const answer =
  '{"took":3,"errors":true,"items":[{"index":{"_id":"1","_shards":{"total":1},"n":1.0,"status":200}},{"create":{"_id":"2","status":409,"error":{"type":"conflict","reason":"r"}}}]}';

const filtered = (filter: string) => applyFilterPath(Buffer.from(answer), parseFilterPath(filter)).toString();

describe('filter_path', () => {
  it.each([
    ['', answer],
    ['errors', '{"errors":true}'],
    [' errors,', '{"errors":true}'],
    ['items.*.error', '{"items":[{"create":{"error":{"type":"conflict","reason":"r"}}}]}'],
    [
      'items.*._id,items.*.status',
      '{"items":[{"index":{"_id":"1","status":200}},{"create":{"_id":"2","status":409}}]}',
    ],
    ['nothing', '{}'],
    ['items._id', '{}'],
    ['items.*.error.nothing', '{}'],
    ['-items', '{"took":3,"errors":true}'],
    ['**.type', '{"items":[{"create":{"error":{"type":"conflict"}}}]}'],
    ['**.took', '{}'],
    ['items.**._shards.**.total', '{}'],
    ['**._shards.**', '{"items":[{"index":{"_shards":{"total":1}}}]}'],
    ['-**.took,-**._id', answer.replaceAll(/"_id":"\d",/g, '')],
    ['items.**._id', '{"items":[{"index":{"_id":"1"}},{"create":{"_id":"2"}}]}'],
    ['items.index.*', '{"items":[{"index":{"_id":"1","_shards":{"total":1},"n":1.0,"status":200}}]}'],
    ['took,items.*.err*.type', '{"took":3,"items":[{"create":{"error":{"type":"conflict"}}}]}'],
    ['items.*._shards.to*l', '{"items":[{"index":{"_shards":{"total":1}}}]}'],
    ['items.index,-items.*._shards.*', '{"items":[{"index":{"_id":"1","n":1.0,"status":200}}]}'],
    ['*', answer],
    ['**', answer],
  ])('%j keeps what the server keeps', (filter, expected) => {
    expect(filtered(filter)).toBe(expected);
  });

  it('reads a backslash before a dot as part of the name', () => {
    const body = Buffer.from('{"a.b":1,"a":{"b":2}}');
    expect(applyFilterPath(body, parseFilterPath('a\\.b')).toString()).toBe('{"a.b":1}');
  });

  it.each([
    ['stars within a name', `{"${'a'.repeat(30)}":1}`, `${'*a'.repeat(9)}*b`],
    ['stars for names', `${'{"a":'.repeat(30)}1${'}'.repeat(30)}`, `${'**.'.repeat(6)}b`],
  ])('is not made slow by %s', (_title, body, filter) => {
    const begunMs = performance.now();
    expect(applyFilterPath(Buffer.from(body), parseFilterPath(filter)).toString()).toBe('{}');
    expect(performance.now() - begunMs).toBeLessThan(1_000);
  });
});
