import { describe, expect, it } from 'vitest';
import { mayDelete, postImage, type Written } from '../../../src/proxy/write/post-image.ts';

const document = Buffer.from('{"sent":1}');
const updated = Buffer.from('{"stored":1}');
const base: Written = {
  op: 'index',
  status: 200,
  result: 'updated',
  errorType: undefined,
  document,
  updated: undefined,
  pipeline: false,
};

describe('the post-image of a write', () => {
  it.each<[string, Partial<Written>, unknown]>([
    ['an index is its body', { status: 201, result: 'created' }, { kind: 'index', source: document }],
    ['a create is its body', { op: 'create', status: 201, result: 'created' }, { kind: 'index', source: document }],
    ['an index through a pipeline is read back', { pipeline: true }, { kind: 'read_back' }],
    ['an index in another format is read back', { document: undefined }, { kind: 'read_back' }],
    [
      'an index with an answer that is not JSON is its body',
      { result: undefined },
      { kind: 'index', source: document },
    ],
    ['an update is what the authority returned', { op: 'update', updated }, { kind: 'index', source: updated }],
    ['an update without its source is read back', { op: 'update' }, { kind: 'read_back' }],
    ['an update through a pipeline is read back', { op: 'update', updated, pipeline: true }, { kind: 'read_back' }],
    ['an update that deleted is a delete', { op: 'update', result: 'deleted' }, { kind: 'delete' }],
    ['a noop is nothing', { op: 'update', result: 'noop', updated }, { kind: 'none' }],
    ['a delete is a delete', { op: 'delete', result: 'deleted', document: undefined }, { kind: 'delete' }],
    ['a delete of nothing is a delete', { op: 'delete', status: 404, result: 'not_found' }, { kind: 'delete' }],
    ['a delete in a missing index is nothing', { op: 'delete', status: 404, result: undefined }, { kind: 'none' }],
    ['a missing document is nothing', { op: 'update', status: 404, result: undefined }, { kind: 'none' }],
    ['a conflict is nothing', { status: 409, result: undefined }, { kind: 'none' }],
    ['a refused document is nothing', { status: 400, result: undefined }, { kind: 'none' }],
    ['a throttled write is nothing', { status: 429, result: undefined }, { kind: 'none' }],
    ['an internal error is unknown', { status: 500, result: undefined }, { kind: 'unknown' }],
    ['a bare 503 is unknown', { status: 503, result: undefined }, { kind: 'unknown' }],
    [
      'a 503 for want of an active primary is unknown: it may have failed after it took the write',
      { status: 503, result: undefined, errorType: 'unavailable_shards_exception' },
      { kind: 'unknown' },
    ],
  ])('%s', (_title, written, expected) => {
    expect(postImage({ ...base, ...written })).toEqual(expected);
  });

  it('may be an absence after a delete or a script only', () => {
    expect([mayDelete('delete', false), mayDelete('update', true)]).toEqual([true, true]);
    expect([mayDelete('update', false), mayDelete('index', true), mayDelete('create', false)]).toEqual([
      false,
      false,
      false,
    ]);
  });
});
