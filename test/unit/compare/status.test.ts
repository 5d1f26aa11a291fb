import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../src/compare/types.ts';
import { compared, comparing, json, lines, page } from './support.ts';

const good = json(page([]));
const none = (failure: Answer['failure']): Answer => ({
  status: 0,
  body: Buffer.alloc(0),
  ...(failure && { failure }),
});
const error = (status: number, type = 'some_exception') => json({ error: { type, reason: 'r' }, status }, status);
const partial = json({ ...page([]), _shards: { total: 2, successful: 1, failed: 1 } });
const unassigned = json({ ...page([]), _shards: { total: 5, successful: 4, skipped: 0, failed: 0 } });
const timedOut = json({ ...page([]), timed_out: true });

describe('answers that are not both good', () => {
  const rows: [what: string, authority: Answer, other: Answer, expected: string[]][] = [
    ['no answer in time', good, none('timeout'), ['S0 no_answer status']],
    ['a reset connection', good, none('reset'), ['S0 no_answer status']],
    ['a server error', good, error(500), ['S0 status status']],
    ['an overloaded other side', good, error(429), ['S0 status status']],
    ['a refusal', good, error(403), ['S1 status status']],
    ['a missing index', good, error(404), ['S1 status status']],
    ['a success where the authority refuses', error(400), good, ['S1 status status']],
    ['another refusal', error(400), error(404), ['S1 status status']],
    ['the same refusal', error(400), error(400), []],
    ['the same status for another cause', error(400, 'a'), error(400, 'b'), ['S9 error_type error']],
    [
      'the same cause, told without details on one side',
      error(400, 'parsing_exception'),
      json({ error: 'ParsingException[unknown [x]]; nested: X[y];', status: 400 }, 400),
      [],
    ],
    ['partial on the other side only', good, partial, ['S2 partial _shards']],
    ['a shard without a copy on the other side only', good, unassigned, ['S2 partial _shards']],
    ['timed out on the other side only', good, timedOut, ['S2 partial _shards']],
    ['text instead of JSON', good, { status: 200, body: Buffer.from('upstream busy') }, ['S1 unparsable ']],
    ['an empty body instead of JSON', good, { status: 200, body: Buffer.alloc(0) }, ['S1 unparsable ']],
    [
      'two empty bodies, as of HEAD',
      { status: 200, body: Buffer.alloc(0) },
      { status: 200, body: Buffer.alloc(0) },
      [],
    ],
  ];
  it.each(rows)('%s', (_, authority, other, expected) => {
    const observation = comparing(authority, other);
    expect(lines(observation)).toEqual(expected);
    expect(observation.discard).toBeUndefined();
  });

  it('never compare hits of a partial answer', () => {
    const short = json({ ...page([]), hits: { total: { value: 0, relation: 'eq' }, hits: [] }, timed_out: true });
    expect(comparing(json(page([{ id: '1', score: 1 }])), short).counts).toEqual({ S2: 1 });
  });
});

describe('an authority that cannot judge', () => {
  const rows: [what: string, authority: Answer, other: Answer, discard: string, better: boolean][] = [
    ['failed', error(503), good, 'authority_failed', true],
    ['did not answer', none('timeout'), good, 'authority_failed', true],
    ['was overloaded', error(429), good, 'authority_failed', true],
    ['failed as the other side did', error(500), error(500), 'authority_failed', false],
    ['was partial', partial, good, 'authority_partial', false],
    ['had a shard without a copy', unassigned, good, 'authority_partial', false],
    ['was partial as the other side was', partial, partial, 'authority_partial', false],
    ['spoke another format', { status: 200, body: Buffer.from('---\nyaml: 1') }, good, 'not_json', false],
  ];
  it.each(rows)('%s: the observation is discarded', (_, authority, other, discard, better) => {
    const observation = comparing(authority, other);
    expect(observation).toMatchObject({ severity: 'none', differences: [], discard });
    expect(observation.otherBetter ?? false).toBe(better);
  });
});

describe('terminated_early', () => {
  const early = json({ ...page([]), terminated_early: true });

  it('discards where the request allows it', () => {
    expect(comparing(early, good, { body: { terminate_after: 5 } }).discard).toBe('terminated_early');
  });
  it('discards a template, whose body is unknown', () => {
    expect(comparing(good, early, { api: 'template_search' }).discard).toBe('terminated_early');
  });
  it('is ignored where the request cannot have caused it', () => {
    expect(comparing(early, good, { body: { size: 0 } })).toMatchObject({ severity: 'none' });
  });
});

describe('reads by id', () => {
  const found = json({ _index: 'shop', _id: '1', found: true, _source: { n: 1 } });
  const absent = json({ _index: 'shop', _id: '1', found: false }, 404);

  const undetailed = (text: string) => json({ error: text, status: 404 }, 404);

  it.each([
    ['a document missing on the other side', found, absent, 'S4'],
    ['a document the authority does not have', absent, found, 'S4'],
    ['a document absent on both sides', absent, absent, 'none'],
    ['an index missing on the other side', found, error(404, 'index_not_found_exception'), 'S1'],
    ['a document whose absence is told without details', found, undetailed('ResourceNotFoundException[x]/[1]'), 'S4'],
    [
      'an index whose absence is told without details',
      found,
      undetailed('IndexNotFoundException[no such index [shop]]'),
      'S1',
    ],
    ['an index missing where the document is absent', absent, error(404, 'index_not_found_exception'), 'S1'],
  ])('%s', (_, authority, other, severity) => {
    expect(comparing(authority, other, { api: 'get', path: '/shop/_doc/1' }).severity).toBe(severity);
  });

  it.each([
    ['other content', { _source: { n: 1 } }, { _source: { n: 2 } }, 'S7'],
    ['no document there', { _source: { n: 1 } }, {}, 'S4'],
    ['the same content', { _source: { n: 1 } }, { _source: { n: 1 } }, 'none'],
  ])('shortened by filter_path, with %s', (_, authority, other, severity) => {
    expect(compared(authority, other, { api: 'get' }).severity).toBe(severity);
    expect(compared({ docs: [authority] }, { docs: [other] }, { api: 'mget' }).severity).toBe(severity);
  });

  it('by HEAD compare the status only', () => {
    const head = (status: number): Answer => ({ status, body: Buffer.alloc(0) });
    expect(comparing(head(200), head(404), { api: 'get' }).severity).toBe('S4');
    expect(comparing(head(404), head(404), { api: 'get' }).severity).toBe('none');
  });
});

describe('headers', () => {
  const withHeader = (value: string): Answer => ({ ...good, headers: { warning: value } });
  it('are compared only when the profile names them', () => {
    expect(comparing(withHeader('a'), withHeader('b')).severity).toBe('none');
    expect(lines(comparing(withHeader('a'), withHeader('b'), { profile: { headers: ['Warning'] } }))).toEqual([
      'S9 header headers.Warning',
    ]);
  });
});
