import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Comparison, compareAnswers, compareInFull } from '../../../src/compare/compare.ts';
import { rulesFrom } from '../../../src/compare/rules.ts';
import { areSurelySameSearch } from '../../../src/compare/same-search.ts';
import type { Answer } from '../../../src/compare/types.ts';
import { answerOf, recorded, requestOf } from '../../fixtures/compare/records.ts';

const rules = rulesFrom(undefined);
const shards = { total: 1, successful: 1, skipped: 0, failed: 0 };
const bytes = (text: string): Answer => ({ status: 200, body: Buffer.from(text) });
const comparison = (authority: Answer, other: Answer, body: unknown = {}): Comparison => ({
  api: 'search',
  request: { method: 'POST', path: '/shop/_search', query: '', body: Buffer.from(JSON.stringify(body)) },
  authority,
  other,
  renameIndex: (name) => name,
  rules,
});
const tookOf = (text: string, took: number): string => text.replace(/^\{"took":\d+/, `{"took":${took}`);

const inner = fc.jsonValue({ maxDepth: 3 });
/** Sensible answers and such as no server gives: members in any number, order and form. */
const members = fc.array(
  fc.oneof(
    fc.record({ name: fc.constantFrom('timed_out', 'terminated_early'), value: fc.oneof(fc.boolean(), inner) }),
    fc.record({
      name: fc.constantFrom('_shards', 'timed\\u005fout'),
      value: fc.oneof(fc.record({ total: fc.nat(2), successful: fc.nat(2), failed: fc.nat(1) }), fc.boolean()),
    }),
    fc.record({ name: fc.constantFrom('aggregations', 'suggest', '_scroll_id', 'x'), value: inner }),
  ),
  { maxLength: 3 },
);
const hit = fc.record({
  _index: fc.constant('shop'),
  _id: fc.nat(5).map(String),
  _score: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })),
  _source: fc.dictionary(fc.string({ maxLength: 6 }), inner, { maxKeys: 3 }),
});
const hitsPart = fc.record({
  total: fc.record({ value: fc.nat(50), relation: fc.constantFrom('eq', 'gte') }),
  max_score: fc.option(fc.float({ noNaN: true, noDefaultInfinity: true })),
  hits: fc.array(hit, { maxLength: 6 }),
});
const shardsPart = fc.record({
  total: fc.nat(2),
  successful: fc.nat(2),
  skipped: fc.nat(1),
  failed: fc.constantFrom(0, 0, 0, 1),
});
const answerText = fc
  .record({ timedOut: fc.boolean(), shards: shardsPart, hits: hitsPart, members })
  .map(({ timedOut, shards: part, hits, members: more }) => {
    const rest = more.map(({ name, value }) => `,"${name}":${JSON.stringify(value)}`).join('');
    return `{"took":1,"timed_out":${timedOut},"_shards":${JSON.stringify(part)},"hits":${JSON.stringify(hits)}${rest}}`;
  });
const requestBody = fc.constantFrom(
  {},
  { sort: ['price'], size: 3 },
  { terminate_after: 5 },
  { query: { knn: { v: {} } } },
);

const profile = fc.constantFrom<Parameters<typeof rulesFrom>[0]>(
  undefined,
  { ignore: ['hits.hits.*._source'], soft: ['hits.total'] },
  { match: { by: 'source' } },
);

const complete = `{"took":3,"timed_out":false,"_shards":${JSON.stringify(shards)},"hits":{"total":{"value":1,"relation":"eq"},"max_score":1.5,"hits":[{"_index":"shop","_id":"1","_score":1.5,"_source":{"a":"ä"}}]}}`;

describe('the short cut for equal searches', () => {
  it('is taken for complete answers that differ in took alone', () => {
    expect(areSurelySameSearch(Buffer.from(complete), Buffer.from(tookOf(complete, 1234)))).toBe(true);
  });

  it('says of any two answers, sensible or not, what the full comparison says', () => {
    let taken = 0;
    // Mostly two spellings of one answer: two answers that have nothing in common are never equal.
    const pair = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(answerText, fc.nat(5000)).map(([text, took]) => [text, tookOf(text, took)]) },
      { weight: 1, arbitrary: fc.tuple(answerText, answerText) },
    );
    fc.assert(
      fc.property(pair, requestBody, profile, ([a, b], body, overrides) => {
        const given = { ...comparison(bytes(a!), bytes(b!), body), rules: rulesFrom(overrides) };
        if (areSurelySameSearch(given.authority.body, given.other.body)) taken++;
        expect(compareAnswers(given)).toEqual(compareInFull(given));
      }),
      { numRuns: 1000, seed: 7 },
    );
    expect(taken).toBeGreaterThan(20);
  });

  it.each(['2.19.6', '3.8.0'])('says of recorded answers of %s what the full comparison says', (version) => {
    let taken = 0;
    for (const record of recorded(version)) {
      const sides = [record.authority, record.other].flatMap(({ status, body }) => [
        { status, body },
        { status, body: tookOf(body, 4711) },
      ]);
      for (const authority of sides)
        for (const other of sides) {
          const given = {
            ...comparison(answerOf(authority), answerOf(other)),
            api: record.api,
            request: requestOf(record),
          };
          expect(compareAnswers(given)).toEqual(compareInFull(given));
          taken += Number(areSurelySameSearch(given.authority.body, given.other.body));
        }
    }
    expect(taken).toBeGreaterThan(20);
  });

  it('is not taken when one byte differs, wherever it stands', () => {
    fc.assert(
      fc.property(fc.integer({ min: '{"took":3'.length, max: Buffer.byteLength(complete) - 1 }), (at) => {
        const other = Buffer.from(complete);
        other[at] = other[at]! ^ 1;
        expect(areSurelySameSearch(Buffer.from(complete), other)).toBe(false);
      }),
    );
  });

  it.each([
    ['timed out', complete.replace('"timed_out":false', '"timed_out":true')],
    ['with a failed shard', complete.replace('"failed":0', '"failed":1')],
    ['with a shard that has no copy', complete.replace('"total":1', '"total":2')],
    ['terminated early', complete.replace('"_shards"', '"terminated_early":true,"_shards"')],
    ['timed out, said twice', complete.replace(/\}$/, ',"timed_out":true}')],
    ['with shards said twice', complete.replace(/\}$/, ',"_shards":{"total":2,"successful":1,"failed":1}}')],
    ['terminated early, said at the end', complete.replace(/\}$/, ',"terminated_early":true}')],
    ['timed out, spelled with an escape', complete.replace(/\}$/, ',"timed\\u005fout":true}')],
  ])('is left to the full comparison for an answer %s', (_what, text) => {
    const given = comparison(bytes(text), bytes(tookOf(text, 8)), { terminate_after: 1 });
    expect(areSurelySameSearch(given.authority.body, given.other.body)).toBe(false);
    expect(compareAnswers(given).discard).toBeDefined();
  });

  it.each([500, 429, 404, 0])('is not for answers with status %i', (status) => {
    const answer = { status, body: Buffer.from(complete) };
    const given = comparison(answer, answer);
    expect(compareAnswers(given)).toEqual(compareInFull(given));
    expect(compareAnswers(given).metrics).toBeUndefined();
  });

  it('does not hide a failure, nor headers that the profile compares', () => {
    const failed: Answer = { ...bytes(complete), failure: 'reset' };
    expect(compareAnswers(comparison(bytes(complete), failed)).severity).toBe('S0');
    const [a, b] = ['1', '2'].map((value): Answer => ({ ...bytes(complete), headers: { 'x-version': value } }));
    const strict = { ...comparison(a!, b!), rules: rulesFrom({ headers: ['x-version'] }) };
    expect(compareAnswers(strict).severity).toBe('S9');
  });

  it('calls equal bytes equal that are not JSON, whatever took says', () => {
    const texts = [complete, tookOf(complete, 9)].map((text) => text.replace('"ä"', '"ä" // note\n'));
    for (const a of texts)
      for (const b of texts) {
        expect(compareAnswers(comparison(bytes(a), bytes(b)))).toMatchObject({ severity: 'none', differences: [] });
        expect(compareInFull(comparison(bytes(a), bytes(b)))).toEqual({
          severity: 'none',
          differences: [],
          counts: {},
        });
      }
  });
});
