import { authorityMarker, copyAlias, epochAlias, isOwnAlias } from '../../../src/coordination/keys.ts';
import { describe, expect, it } from 'vitest';
import type { RouteState } from '../../../src/coordination/ports.ts';
import {
  type AnswerContext,
  answerNeeds,
  editAnswer,
  needsNothing,
  originOf,
  shownTerm,
} from '../../../src/proxy/read/answer-edits.ts';
import { noReign } from '../../../src/proxy/read/cursor-token.ts';
import { originOfAll, reignsOn } from '../../../src/proxy/read/reigns.ts';
import { renameInfo } from '../../../src/proxy/read/rename-info.ts';
import { showTerms } from '../../../src/proxy/read/show-terms.ts';
import { impossibleTerm } from '../../../src/proxy/write/tokens.ts';
import { routeState, tableOf } from '../../support/routes.ts';

const names = new Map([['new', 'old']]);
const mac = () => 'MAC';
const context = (over: Partial<AnswerContext> = {}): AnswerContext => ({
  family: 'search',
  group: 'search',
  origin: { side: 'target', reign: 2 },
  names,
  mac,
  ...over,
});
const request = (over: object = {}) => ({ query: '', method: 'GET', asksTokens: undefined, ...over });
const edited = (
  text: string,
  over: Partial<AnswerContext> = {},
  asked: object = {},
  status = 200,
  type = 'application/json',
) => {
  const used = context(over);
  const answer = { status, headers: { 'content-type': type }, body: Buffer.from(text) };
  return editAnswer(answer, used, answerNeeds(used, request(asked))).toString();
};

describe('an answer that stays as it is', () => {
  it.each<[string, Partial<AnswerContext>, object]>([
    ['the source in the first reign', { origin: { side: 'source', reign: 1 } }, { query: 'scroll=1m' }],
    ['the source in the first reign, a document', { origin: { side: 'source', reign: 1 }, family: 'get' }, {}],
    [
      'a later reign of the source, a search that asked for no tokens',
      { origin: { side: 'source', reign: 3 } },
      { asksTokens: false },
    ],
    ['a target with the same names', { origin: { side: 'target', reign: 2 }, names: new Map() }, { asksTokens: false }],
    ['a head', { family: 'get' }, { method: 'HEAD' }],
  ])('needs nothing: %s', (_title, over, asked) => {
    expect(needsNothing(answerNeeds(context(over), request(asked)))).toBe(true);
  });

  it.each([
    ['another format', '_index: new', 'application/yaml'],
    ['broken JSON', '{"_index":"new"', 'application/json'],
  ])('is passed on untouched: %s', (_title, text, type) => {
    expect(edited(text, {}, {}, 200, type)).toBe(text);
  });

  it('is the source of a document, whatever it holds', () => {
    const text = '{"_index":"new","_primary_term":1}';
    expect(edited(text, { family: 'get', group: 'get_source' })).toBe(text);
    expect(
      edited('{"error":{"type":"x","reason":"[new]"}}', { family: 'get', group: 'get_source' }, {}, 404),
    ).toContain('[old]');
  });
});

describe('a changed answer', () => {
  it("names the client's index, shows the reign and names the side of its cursor", () => {
    const text =
      '{"_scroll_id":"abc","hits":{"hits":[{"_index":"new","_seq_no":4,"_primary_term":1,"_source":{"_index":"new","_primary_term":1}}]}}';
    expect(edited(text, {}, { query: 'scroll=1m', asksTokens: true })).toBe(
      '{"_scroll_id":"xf1.t2.MAC.abc","hits":{"hits":[{"_index":"old","_seq_no":4,"_primary_term":4294967297,"_source":{"_index":"new","_primary_term":1}}]}}',
    );
  });

  it('of an explanation shows the reign in the document that it holds', () => {
    const text = '{"_index":"new","matched":true,"get":{"_seq_no":4,"_primary_term":1,"_source":{"_primary_term":1}}}';
    expect(edited(text, { family: 'explain', group: 'explain' }, { asksTokens: false })).toBe(
      '{"_index":"old","matched":true,"get":{"_seq_no":4,"_primary_term":4294967297,"_source":{"_primary_term":1}}}',
    );
  });

  it("of a follower's cursor gives out a term that no shard can have", () => {
    const origin = { side: 'target', reign: noReign } as const;
    expect(edited('{"_scroll_id":"a","h":[{"_primary_term":1}]}', { family: 'scroll', origin })).toBe(
      `{"_scroll_id":"xf1.t0.MAC.a","h":[{"_primary_term":${impossibleTerm}}]}`,
    );
  });

  it.each(['application/yaml', 'application/cbor'])('that came as %s instead gives out no cursor', (type) => {
    const scroll = { query: 'scroll=1m' };
    expect(() => edited('_scroll_id: abc', {}, scroll, 200, type)).toThrow('is not JSON');
    expect(edited('error: x', {}, scroll, 404, type)).toBe('error: x');
  });

  it('of a table of plain text renames whole words', () => {
    expect(edited('green new 1\ngreen newer 2\n', { family: 'cat' }, {}, 200, 'text/plain')).toBe(
      'green old 1\ngreen newer 2\n',
    );
  });
});

describe('answers about indices', () => {
  it.each<[string, unknown, unknown]>([
    [
      'keys of the outermost object',
      { new: { mappings: { properties: { new: { type: 'keyword' } } } } },
      { old: { mappings: { properties: { new: { type: 'keyword' } } } } },
    ],
    [
      'keys below indices',
      { _all: {}, indices: { new: { uuid: 'u' }, other: {} } },
      { _all: {}, indices: { old: { uuid: 'u' }, other: {} } },
    ],
    [
      'lists of indices',
      { indices: ['new', 'x'], fields: { f: { long: { indices: ['new'] } } } },
      { indices: ['old', 'x'], fields: { f: { long: { indices: ['old'] } } } },
    ],
    [
      'members that name an index',
      { explanations: [{ index: 'new', valid: true }] },
      { explanations: [{ index: 'old', valid: true }] },
    ],
    [
      'resolved names',
      { indices: [{ name: 'new', attributes: ['open'] }] },
      { indices: [{ name: 'old', attributes: ['open'] }] },
    ],
    [
      'nothing that only contains a name',
      { x: { settings: { path: 'new/data', 'a.new': 'newer' } } },
      { x: { settings: { path: 'new/data', 'a.new': 'newer' } } },
    ],
  ])('are renamed in %s', (_title, before, after) => {
    expect(JSON.parse(renameInfo(Buffer.from(JSON.stringify(before)), names).toString())).toEqual(after);
  });
});

it.each(['fields', 'sort', 'doc'])('terms are found in an aggregation that is called %s', (name) => {
  const text = `{"aggregations":{"${name}":{"hits":{"hits":[{"_primary_term":1,"sort":[{"_primary_term":1}]}]}}}}`;
  expect(showTerms(Buffer.from(text), () => '2').toString()).toBe(text.replace('1', '2'));
});

it('terms are shown when the query asks for them and the body does not', () => {
  const text = '{"hits":{"hits":[{"_seq_no":4,"_primary_term":1}]}}';
  expect(edited(text, {}, { query: 'seq_no_primary_term=true', asksTokens: false })).toContain('4294967297');
});

it('terms are found wherever the server puts them and nowhere else', () => {
  const text =
    '{ "docs":[{"_primary_term":1,"_source":{"_primary_term":1}},{"inner_hits":{"h":{"hits":{"hits":[{"_primary_term": 2}]}}},"fields":{"_primary_term":[1]}}],"x":"_primary_term"}';
  expect(showTerms(Buffer.from(text), (term) => `${term}0`).toString()).toBe(
    text.replace('{"_primary_term":1,', '{"_primary_term":10,').replace('"_primary_term": 2', '"_primary_term": 20'),
  );
});

it('terms are shown by the index of their hit, wherever it stands beside them', () => {
  const text =
    '{"hits":[{"_index":"a","_primary_term":1,"inner_hits":{"h":{"hits":[{"_primary_term":2},{"_primary_term":3,"_index":"b"}]}}},{"_primary_term":4}]}';
  const shown = showTerms(Buffer.from(text), (term, index) => `"${term}${index}"`).toString();
  expect(shown).toBe(
    text
      .replace('m":1', 'm":"1a"')
      .replace('m":2', 'm":"2a"')
      .replace('m":3', 'm":"3b"')
      .replace('m":4', 'm":"4undefined"'),
  );
});

describe('an answer over several routes', () => {
  const same = (slug: string, phase: 'dual' | 'target', reign: number) => {
    const state = routeState({ slug, phase, indices: [{ source: slug, target: slug }], aliases: [] });
    return { ...state, phase: { ...state.phase, reign } };
  };
  const [a, b, back] = [same('a', 'target', 2), same('b', 'target', 4), same('back', 'dual', 3)];

  it('belongs to the reign that they share, and else to none', () => {
    const origin = (states: RouteState[], unrouted = false) => originOfAll('target', { states, unrouted }).reign;
    expect([origin([a, a]), origin([a, b]), origin([back], true), origin([same('x', 'dual', 1)], true)]).toEqual([
      2,
      noReign,
      noReign,
      1,
    ]);
  });

  it.each([
    ['target', 'a', String(2 ** 32 + 7)],
    ['target', 'b', String(3 * 2 ** 32 + 7)],
    ['target', 'back', impossibleTerm],
    ['target', 'other', impossibleTerm],
    ['source', 'back', String(2 * 2 ** 32 + 7)],
    ['source', 'other', '7'],
    ['source', 'a', impossibleTerm],
    ['source', undefined, impossibleTerm],
  ] as const)('of the %s shows the term of a hit of %s as that route does now', (side, index, expected) => {
    const show = shownTerm({ side, reign: noReign }, reignsOn(tableOf(a, b, back), { side }));
    expect(show('7', index)).toBe(expected);
  });
});

it('the origin of an answer is the reign for the authority and none for the follower', () => {
  const dual = routeState();
  const switched = { ...dual, phase: { ...dual.phase, phase: 'target' as const, reign: 2 } };
  expect([originOf('source', dual), originOf('target', dual)]).toEqual([
    { side: 'source', reign: 1 },
    { side: 'target', reign: noReign },
  ]);
  expect([originOf('source', switched), originOf('target', switched)]).toEqual([
    { side: 'source', reign: noReign },
    { side: 'target', reign: 2 },
  ]);
});

describe('a list of aliases', () => {
  const needs = { rename: false, terms: false, cursor: false, hideAliases: true };
  const hidden = (text: string) => {
    const answer = { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(text) };
    return editAnswer(answer, context({ family: 'alias_info', group: 'indices.get_alias' }), needs).toString();
  };

  it('lacks those that members write and copy through, and keeps every other byte', () => {
    const own = [epochAlias('a-b', 3, 0), epochAlias('a', 12, 1), copyAlias('a', 2, 1), authorityMarker('a', 4, 2)];
    expect(own.every(isOwnAlias)).toBe(true);
    expect(['crossfade', 'crossfade-a', 'crossfade-a-e', 'crossfade-a-x1', 'my-crossfade-a-e1'].some(isOwnAlias)).toBe(
      false,
    );
    const list = (names: string[]) =>
      `{"i":{"aliases":{${names.map((name) => `"${name}":{ }`).join()}},"mappings":{"a":1.0}}}`;
    expect(hidden(list([own[0] as string, 'x', ...own.slice(1), 'crossfade-y']))).toBe(list(['x', 'crossfade-y']));
    expect(hidden(list(own))).toBe(list([]));
  });

  it.each(['{"error":{"aliases":"x"},"status":404}', '{}', '{"i":{"aliases":[]}}', '[]', '{"i":{"al'])(
    '%s stays',
    (text) => {
      expect(hidden(text)).toBe(text);
    },
  );
});
