import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBulk, encodeBulk, itemFate, type StampedWrite } from '../../../src/agent/copy-bulk.ts';

const index = (id: string, over: Partial<StampedWrite> = {}): StampedWrite =>
  ({
    op: 'index',
    alias: 'a',
    id,
    routing: undefined,
    stamp: 5n,
    source: Buffer.from('{"n":1.0}'),
    ...over,
  }) as StampedWrite;
const remove = (id: string, over: Partial<StampedWrite> = {}): StampedWrite =>
  ({ op: 'delete', alias: 'a', id, routing: undefined, stamp: 5n, ...over }) as StampedWrite;
const text = ({ body }: { body: Uint8Array }): string => Buffer.from(body).toString();

describe('encoding stamped writes as a bulk', () => {
  it('puts stamp, routing and the untouched source on lines of their own', () => {
    const bulk = encodeBulk([index('1', { stamp: 9223372036854775807n, routing: 'r"1' }), remove('é\n')]);
    expect(bulk.path).toMatch(/^\/a\/_bulk\?require_alias=true&pipeline=_none&/);
    expect(text(bulk)).toBe(
      '{"index":{"_id":"1","routing":"r\\"1","version":9223372036854775807,"version_type":"external"}}\n{"n":1.0}\n' +
        '{"delete":{"_id":"é\\n","version":5,"version_type":"external"}}\n',
    );
  });

  it('names the alias on each line when there are several', () => {
    const bulk = encodeBulk([index('1'), index('2', { alias: 'b' })]);
    expect(bulk.path).toMatch(/^\/_bulk\?/);
    expect(text(bulk).match(/"_index":"[ab]"/g)).toEqual(['"_index":"a"', '"_index":"b"']);
  });

  it('guards exactly the names that only have deletes, because a delete would create a missing index', () => {
    expect(text(encodeBulk([remove('1')]))).toContain('{"update":{"_id":"crossfade-guard"}}\n{"doc":{}}\n');
    expect(text(encodeBulk([remove('1'), index('2')]))).not.toContain('guard');
    const mixed = text(encodeBulk([remove('1'), remove('2', { alias: 'b' }), index('3')]));
    expect(mixed.match(/"update":{"_index":"(.)"/g)).toEqual(['"update":{"_index":"b"']);
  });

  it('names an alias that is in the path nowhere else, because a cluster may refuse every name in a line', () => {
    for (const writes of [[remove('1')], [remove('1'), remove('2')], [remove('1'), index('2')]])
      expect(text(encodeBulk(writes))).not.toContain('_index');
  });

  it('makes lines that give back every id, stamp and source', () => {
    const write = fc.record({
      id: fc.string({ unit: 'grapheme', minLength: 1 }),
      routing: fc.option(fc.string({ unit: 'grapheme', minLength: 1 }), { nil: undefined }),
      stamp: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
      source: fc.jsonValue().map((value) => JSON.stringify({ value })),
    });
    fc.assert(
      fc.property(fc.array(write, { minLength: 1 }), (docs) => {
        const writes = docs.map(({ source, ...doc }) => index(doc.id, { ...doc, source: Buffer.from(source) }));
        const lines = text(encodeBulk(writes)).trimEnd().split('\n');
        expect(lines.length).toBe(2 * docs.length);
        docs.forEach((doc, i) => {
          const action = JSON.parse(lines[2 * i] as string) as { index: { _id: string; routing?: string } };
          expect(action.index).toMatchObject({ _id: doc.id });
          expect(action.index.routing).toBe(doc.routing);
          expect(lines[2 * i]).toContain(`"version":${doc.stamp},`);
          expect(lines[2 * i + 1]).toBe(doc.source);
        });
      }),
    );
  });
});

const error = (type: string, reason = '') => ({ type, reason });
const fence = error('cluster_block_exception', 'index [crossfade-fence] blocked by: [FORBIDDEN/8/index write (api)];');
const blocked = error('cluster_block_exception', 'index [p2] blocked by: [FORBIDDEN/8/index write (api)];');
const noWriteIndex = error('illegal_argument_exception', 'no write index is defined for alias [crossfade-p-c1]. The …');
const mappingRace = error('illegal_argument_exception', 'mapper [n] cannot be changed from type [long] to [float]');

describe('the fate of one item', () => {
  it.each([
    ['201 is applied', { status: 201 }, 'applied'],
    ['200 is applied', { status: 200 }, 'applied'],
    ['a delete of an absent document is applied', { status: 404 }, 'applied'],
    ['409 is superseded', { status: 409, error: error('version_conflict_engine_exception') }, 'superseded'],
    ['a closed index waits for somebody', { status: 400, error: error('index_closed_exception') }, 'retry blocked'],
    ['a redirect waits for somebody', { status: 302, error: error('') }, 'retry blocked'],
    ['400 is refused for good', { status: 400, error: error('mapper_parsing_exception') }, 'quarantine'],
    ['413 is refused for good', { status: 413, error: error('too_large') }, 'quarantine'],
    ['429 is tried again', { status: 429, error: error('rejected_execution_exception') }, 'retry busy'],
    ['503 is tried again', { status: 503, error: error('unavailable_shards_exception') }, 'retry busy'],
    ['500 is tried again, but not for ever', { status: 500, error: error('null_pointer_exception') }, 'retry error'],
    ['a race of two new mappings is tried again, but not for ever', { status: 400, error: mappingRace }, 'retry race'],
    ['a missing index waits for somebody', { status: 404, error: error('index_not_found_exception') }, 'retry blocked'],
    ['a write block waits for somebody', { status: 403, error: blocked }, 'retry blocked'],
    ['missing rights wait for somebody', { status: 403, error: error('security_exception') }, 'retry blocked'],
    ['an alias without write index waits for somebody', { status: 400, error: noWriteIndex }, 'retry blocked'],
    ['the fence is known by its index', { status: 403, error: fence }, 'fenced'],
  ])('%s', (_title, item, expected) => {
    const fate = itemFate(item);
    expect(fate.kind === 'retry' ? `retry ${fate.cause}` : fate.kind).toBe(expected);
  });
});

const answer = (status: number, body: unknown) => ({ status, body: Buffer.from(JSON.stringify(body)) });

describe('decoding the answer to a bulk', () => {
  it('gives each write its own fate and leaves guards aside', () => {
    const items = [{ index: { status: 201 } }, { delete: { status: 409 } }, { update: { status: 404 } }];
    const fate = decodeBulk(answer(200, { errors: true, items }), 2);
    expect(fate).toEqual({ kind: 'items', fates: [{ kind: 'applied' }, { kind: 'superseded' }] });
  });

  it.each([
    ['fewer items than writes', answer(200, { errors: false, items: [{ index: { status: 201 } }] })],
    ['no items', answer(200, {})],
    ['something that is not JSON', { status: 200, body: Buffer.from('<html>') }],
    ['an overloaded cluster', answer(429, { error: error('rejected_execution_exception') })],
    ['a gateway', { status: 502, body: Buffer.from('<html>') }],
  ])('sends all again after %s', (_title, got) => {
    const fate = decodeBulk(got, 2);
    expect(fate.kind === 'items' && fate.fates.map(({ kind }) => kind)).toEqual(['retry', 'retry']);
  });

  it('takes a failure with the whole request for a failure of no write, unless it is the only one', () => {
    const got = answer(500, { error: error('null_pointer_exception') });
    expect(decodeBulk(got, 2).kind).toBe('failed');
    expect(decodeBulk(got, 1)).toMatchObject({ fates: [{ kind: 'retry', cause: 'error' }] });
  });

  it.each([
    [400, error('illegal_argument_exception')],
    [413, undefined],
  ])('halves a request that is refused as a whole with %s, down to the one write at fault', (status, cause) => {
    expect(decodeBulk(answer(status, { error: cause }), 2).kind).toBe('split');
    expect(decodeBulk(answer(status, { error: cause }), 1)).toMatchObject({ fates: [{ kind: 'quarantine' }] });
  });

  it('tells the words of an answer that is no JSON, as a check of passwords gives', () => {
    const fate = decodeBulk({ status: 401, body: Buffer.from('Unauthorized') }, 1);
    expect(fate).toMatchObject({ fates: [{ kind: 'retry', cause: 'blocked', reason: '401 error: Unauthorized' }] });
  });

  it('takes a fence that answers for the whole request', () => {
    expect(decodeBulk(answer(403, { error: fence }), 1)).toEqual({ kind: 'items', fates: [{ kind: 'fenced' }] });
  });
});
