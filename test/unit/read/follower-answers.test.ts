import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packStamp } from '../../../src/coordination/stamp.ts';
import { stampedWrite, type TokenRules } from '../../../src/proxy/read/follower-tokens.ts';
import { type JudgedRead, judgeFollower } from '../../../src/proxy/read/judge-follower.ts';
import { clientTerm } from '../../../src/proxy/write/tokens.ts';

const rules = (reign: number, layout: TokenRules['layout'] = 'narrow'): TokenRules => ({
  layout,
  reign,
  showTerm: (term) => clientTerm(String(term), reign),
});
const read = (over: Partial<JudgedRead> = {}): JudgedRead => ({
  family: 'search',
  group: 'search',
  head: false,
  tokens: rules(1),
  ...over,
});
const answer = (body: unknown, status = 200, type = 'application/json; charset=UTF-8') => ({
  status,
  headers: { 'content-type': type },
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const get = { family: 'get', group: 'get' } as const;
const used = (judgement: ReturnType<typeof judgeFollower>) =>
  judgement.kind === 'use' ? judgement.body.toString() : judgement;

describe('a stamp', () => {
  it.each(['narrow', 'wide'] as const)(
    'gives back the write it was made from, in its own reign only (%s)',
    (layout) => {
      const part = fc.record({
        reign: fc.integer({ min: 1, max: 60 }),
        term: fc.integer({ min: 1, max: 1000 }),
        seq: fc.integer({ min: 0, max: 2 ** 36 }),
      });
      fc.assert(
        fc.property(part, fc.integer({ min: 1, max: 60 }), (write, reign) => {
          const text = packStamp(layout, write).toString();
          expect(stampedWrite(text, rules(reign, layout))).toEqual(reign === write.reign ? write : undefined);
        }),
      );
    },
  );

  it.each(['0', '1', '-5', '1.5', '9'.repeat(30), 'x'])('is not seen in the version %s', (version) => {
    expect(stampedWrite(version, rules(1))).toBeUndefined();
  });
});

describe('a document from the follower', () => {
  const stamped = (reign: number) => packStamp('narrow', { reign, term: 3, seq: 41 });
  const text = (version: unknown, extra = '') =>
    `{"_index":"i","_id":"1","_version":${version},"_seq_no":7,"_primary_term":1,"found":true,"_source":{"_seq_no":1.0}${extra}}`;

  it("shows the authority's own sequence number and term, and its content to the byte", () => {
    expect(used(judgeFollower(read(get), answer(text(stamped(1)))))).toBe(
      text(stamped(1)).replace('"_seq_no":7,"_primary_term":1', '"_seq_no":41,"_primary_term":3'),
    );
  });

  it('shows the reign in the term', () => {
    const shown = used(judgeFollower(read({ ...get, tokens: rules(2) }), answer(text(stamped(2)))));
    expect(shown).toContain(`"_seq_no":41,"_primary_term":${2 ** 32 + 3}`);
  });

  it.each([
    ['never stamped', text(5)],
    ['stamped in another reign', text(stamped(2))],
    ['without its version', '{"_seq_no":7,"_primary_term":1}'],
  ])('is asked of the authority: %s', (_title, body) => {
    expect(judgeFollower(read(get), answer(body))).toEqual({ kind: 'ask_authority', cause: 'tokens', failed: false });
  });

  it('without tokens in the answer needs no stamp', () => {
    expect(used(judgeFollower(read(get), answer('{"_source":{"a":1}}')))).toBe('{"_source":{"a":1}}');
  });

  it('is never looked into when it is the whole answer', () => {
    const source = '{"_version":5,"_seq_no":7,"error":{}}';
    expect(used(judgeFollower(read({ ...get, group: 'get_source' }), answer(source)))).toBe(source);
  });

  it('among several counts for all: one without a stamp sends the request home', () => {
    const docs = (...versions: unknown[]) => `{"docs":[${versions.map((version) => text(version)).join()}]}`;
    const mget = { family: 'mget', group: 'mget' } as const;
    expect(used(judgeFollower(read(mget), answer(docs(stamped(1), stamped(1)))))).toContain('"_seq_no":41');
    expect(judgeFollower(read(mget), answer(docs(stamped(1), 5)))).toMatchObject({ cause: 'tokens' });
  });
});

const shards = (failed: number) => ({ total: 2, successful: 2 - failed, skipped: 0, failed });
/** As servers count shards of which no copy is active. */
const unassigned = { total: 5, successful: 4, skipped: 0, failed: 0 };

describe('an answer of the follower', () => {
  it.each<[string, Partial<JudgedRead>, unknown, number]>([
    ['whole', {}, { took: 1, timed_out: false, _shards: shards(0), hits: {} }, 200],
    ['of which shards were skipped', {}, { _shards: { ...shards(0), skipped: 2 }, hits: {} }, 200],
    ['filtered', {}, { hits: { total: 1 } }, 200],
    ['empty by HEAD', { ...get, head: true }, '', 200],
    ['that a document is absent', get, { _id: '1', found: false }, 404],
    [
      'that the source of a document is absent',
      { ...get, group: 'get_source' },
      { error: { type: 'resource_not_found_exception' }, status: 404 },
      404,
    ],
    [
      'of items without an error',
      { family: 'msearch' },
      { took: 1, responses: [{ _shards: shards(0), status: 200 }] },
      200,
    ],
    ['of documents, one absent', { family: 'mget' }, { docs: [{ _id: '1', found: false }] }, 200],
  ])('goes to the client: %s', (_title, over, body, status) => {
    expect(judgeFollower(read(over), answer(body, status)).kind).toBe('use');
  });

  it.each<[string, Partial<JudgedRead>, unknown, number, string, boolean]>([
    ['a server error', {}, {}, 503, 'server_error', true],
    ['too many requests', {}, {}, 429, 'throttled', true],
    ['refused credentials', {}, {}, 401, 'denied', true],
    ['a wrong query', {}, { error: {} }, 400, 'client_error', false],
    ['a missing index', {}, { error: { type: 'index_not_found_exception' } }, 404, 'not_found', false],
    ['a missing index of a document', get, { error: { type: 'index_not_found_exception' } }, 404, 'not_found', false],
    ['an absent document by HEAD, which may be an absent index', { ...get, head: true }, '', 404, 'not_found', false],
    ['failed shards', {}, { _shards: shards(1), hits: {} }, 200, 'partial', true],
    ['shards without a copy', {}, { _shards: unassigned, hits: {} }, 200, 'partial', true],
    ['a count of fewer shards', { family: 'count' }, { count: 4, _shards: unassigned }, 200, 'partial', true],
    [
      'a point in time of fewer shards',
      { family: 'pit_create' },
      { pit_id: 'x', _shards: unassigned },
      200,
      'partial',
      true,
    ],
    [
      'an item of fewer shards',
      { family: 'msearch' },
      { responses: [{ _shards: unassigned, status: 200 }] },
      200,
      'partial',
      false,
    ],
    ['a search that ran out of time', {}, { timed_out: true, _shards: shards(0) }, 200, 'partial', true],
    [
      'an item with an error',
      { family: 'msearch' },
      { responses: [{ status: 200 }, { error: {}, status: 500 }] },
      200,
      'partial',
      false,
    ],
    [
      'an item with failed shards',
      { family: 'msearch' },
      { responses: [{ _shards: shards(1) }] },
      200,
      'partial',
      false,
    ],
    ['a document with an error', { family: 'mget' }, { docs: [{ _id: '1', error: {} }] }, 200, 'partial', false],
    [
      'tokens nobody was seen to ask for',
      {},
      { _shards: shards(0), hits: { hits: [{ _seq_no: 1 }] } },
      200,
      'tokens',
      false,
    ],
    ['no JSON', {}, '<html>', 200, 'unreadable', false],
    ['half an answer', {}, '{"took":1,', 200, 'unreadable', false],
  ])('is asked of the authority: %s', (_title, over, body, status, cause, failed) => {
    expect(judgeFollower(read(over), answer(body, status))).toEqual({ kind: 'ask_authority', cause, failed });
  });

  it('in another format is not for the client', () => {
    expect(judgeFollower(read(), answer('took: 1', 200, 'application/yaml'))).toMatchObject({ cause: 'unreadable' });
  });
});
