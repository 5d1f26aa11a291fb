import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MultiBody, parseMulti } from '../../../src/proxy/read/multi-body.ts';
import { parseMultiAnswer, renderMultiAnswer } from '../../../src/proxy/read/multi-answer.ts';
import { composeMulti, type ItemChange } from '../../../src/proxy/read/multi-compose.ts';

const change = (over: Partial<ItemChange> = {}): ItemChange => ({
  indices: undefined,
  routing: undefined,
  searchEdits: [],
  ...over,
});
const all = (body: MultiBody, changed?: ItemChange) =>
  composeMulti(
    body,
    body.items.map((item) => ({ item, change: changed })),
  ).toString();
const expressions = (body: MultiBody) => body.items.map((item) => item.expression);

describe('msearch bodies', () => {
  it.each<[string, string, (string | undefined)[]]>([
    ['one index', '{"index":"a"}\n{}\n', ['a']],
    ['a list of indices', '{"index":["a","b"]}\n{}\n', ['a,b']],
    ['the long name of the key', '{"indices":["a"]}\n{}\n', ['a']],
    ['an empty header line', '\n{"index":"b"}\n{}\n\n{}\n', ['b', undefined]],
    ['an empty object and empty lists', '{}\n{}\n{"index":[]}\n{}\n', [undefined, undefined]],
    ['carriage returns', '{"index":"a"}\r\n{"size":1}\r\n', ['a']],
    ['an odd blank line at the end', '{"index":"a"}\n{}\n\n', ['a']],
  ])('name their indices: %s', (_title, text, expected) => {
    expect(expressions(parseMulti('msearch', Buffer.from(text)))).toEqual(expected);
  });

  it('hold nothing when the last line feed is missing: every server refuses them', () => {
    expect(parseMulti('msearch', Buffer.from('{"index":"a"}\n{}')).items).toEqual([]);
  });

  it.each(['{"index":"a"}\n', '[1]\n{}\n'])('that a server refuses are refused: %j', (text) => {
    expect(() => parseMulti('msearch', Buffer.from(text))).toThrow(SyntaxError);
  });

  it.each<[string, string, Partial<ItemChange>, string]>([
    ['an index is replaced', '{"index":"a","preference":"p"}', { indices: ['x'] }, '{"index":["x"],"preference":"p"}'],
    ['an index is added', '{"preference":"p"}', { indices: ['x', 'y'] }, '{"index":["x","y"],"preference":"p"}'],
    ['an empty object gets one', '{ }', { indices: ['x'] }, '{"index":["x"] }'],
    ['an empty line gets one', '', { indices: ['x'] }, '{"index":["x"]}'],
    ['alias routing is added', '{"index":"a"}', { indices: ['x'], routing: 'r1' }, '{"routing":"r1","index":["x"]}'],
    [
      'a routing given by the client wins',
      '{"index":"a","routing":"c"}',
      { indices: ['x'], routing: 'r1' },
      '{"index":["x"],"routing":"c"}',
    ],
    [
      'alias routing stands in for null',
      '{"index":"a","routing":null}',
      { indices: ['x'], routing: 'r1' },
      '{"index":["x"],"routing":"r1"}',
    ],
    [
      'a wish for all indices stands in for null',
      '{"ignore_unavailable":null}',
      { indices: ['x'], ignoreUnavailable: true },
      '{"index":["x"],"ignore_unavailable":true}',
    ],
  ])('change only what must change: %s', (_title, head, over, expected) => {
    // The first line of a body is skipped when blank, so the line under test is the second item's.
    const body = parseMulti('msearch', Buffer.from(`{}\n{}\n${head}\n{"size": 1.0}\n`));
    const item = body.items[1]!;
    expect(composeMulti(body, [{ item, change: change(over) }]).toString()).toBe(`${expected}\n{"size": 1.0}\n`);
  });

  it.each(['', ' ', '\r'])('never begin with a blank header line, which a server skips: %j', (head) => {
    const body = parseMulti('msearch', Buffer.from(`{"index":"a"}\n{}\n${head}\n{"size":1}\n`));
    expect(composeMulti(body, [{ item: body.items[1]!, change: undefined }]).toString()).toBe('{}\n{"size":1}\n');
  });

  it('apply edits inside the search, given in positions of the whole body', () => {
    const text = '{"index":"a"}\n{"query":{"terms":{"u":{"index":"a"}}}}\n';
    const at = text.lastIndexOf('"a"');
    const body = parseMulti('msearch', Buffer.from(text));
    expect(all(body, change({ searchEdits: [{ start: at, end: at + 3, text: '"b"' }] }))).toBe(
      '{"index":"a"}\n{"query":{"terms":{"u":{"index":"b"}}}}\n',
    );
  });
});

it.each([
  ['msearch', '{"index":null,"routing":null,"preference":null,"ignore_unavailable":null}\n{}\n'],
  ['mget', '{"docs":[{"_index":null,"_id":"1","routing":null}]}'],
] as const)('null in a body of %s leaves the default, as on the server', (family, text) => {
  const { expression, routing, preference, ignoreUnavailable } = parseMulti(family, Buffer.from(text)).items[0]!;
  expect([expression, routing, preference, ignoreUnavailable]).toEqual([undefined, undefined, undefined, undefined]);
});

describe('mget bodies', () => {
  it('say numbers as they are written', () => {
    const body = parseMulti('mget', Buffer.from('{"docs":[{"_id":1.0,"routing":12345678901234567890}]}'));
    expect([body.items[0]!.id, body.items[0]!.routing]).toEqual(['1.0', '12345678901234567890']);
  });

  it('take alias routing in the place of null', () => {
    const body = parseMulti('mget', Buffer.from('{"docs":[{"_id":"1","_routing":null}]}'));
    const changed = change({ indices: ['z'], routing: 'r' });
    expect(all(body, changed)).toBe('{"docs":[{"_index":"z","_id":"1","_routing":"r"}]}');
  });

  it('name index, id and routing of each document', () => {
    const body = parseMulti('mget', Buffer.from('{"docs":[{"_index":"a","_id":"1","routing":"r"},{"_id":2}]}'));
    expect(body.items.map(({ expression, id, routing }) => [expression, id, routing])).toEqual([
      ['a', '1', 'r'],
      [undefined, '2', undefined],
    ]);
  });

  it('rewrite a selection and keep everything else of the body', () => {
    const body = parseMulti(
      'mtermvectors',
      Buffer.from('{"docs":[{"_index":"a","_id":"1"},{"_id":"2","offsets":false}],"parameters":{"x":1.0}}'),
    );
    const chosen = [{ item: body.items[1]!, change: change({ indices: ['z'], routing: 'r' }) }];
    expect(composeMulti(body, chosen).toString()).toBe(
      '{"docs":[{"_index":"z","routing":"r","_id":"2","offsets":false}],"parameters":{"x":1.0}}',
    );
  });

  it('lose their mapping types together with their index', () => {
    const body = parseMulti(
      'mget',
      Buffer.from('{"docs":[{"_type":"_doc","_id":"1"},{"_index":"a","_type":"_doc","_id":"2"}]}'),
    );
    const chosen = body.items.map((item) => ({ item, change: change({ indices: ['z'] }) }));
    expect(composeMulti(body, chosen).toString()).toBe('{"docs":[{"_index":"z","_id":"1"},{"_index":"z","_id":"2"}]}');
  });

  it('of plain ids are read and never taken apart', () => {
    const text = '{"ids":["1","2"]}';
    const body = parseMulti('mget', Buffer.from(text));
    expect(body.form).toBe('ids');
    expect(body.items.map((item) => item.id)).toEqual(['1', '2']);
    expect(all(body)).toBe(text);
  });
});

it('taking a body apart and putting it together gives the same bytes', () => {
  const search = fc.record({
    size: fc.integer(),
    query: fc.record({ match: fc.dictionary(fc.string(), fc.jsonValue()) }),
  });
  const line = fc
    .tuple(fc.record({ index: fc.string() }), search)
    .map(([head, body]) => `${JSON.stringify(head)}\n${JSON.stringify(body)}\n`);
  fc.assert(
    fc.property(fc.array(line, { minLength: 1 }), (lines) => {
      const text = lines.join('');
      const body = parseMulti('msearch', Buffer.from(text));
      expect(body.items).toHaveLength(lines.length);
      expect(all(body)).toBe(text);
    }),
  );
});

describe('multi answers', () => {
  it('are merged byte for byte, with the longest time', () => {
    const a = parseMultiAnswer('msearch', Buffer.from('{"took":5,"responses":[{"n":1.0}, {"error":{},"status":404}]}'));
    const b = parseMultiAnswer('msearch', Buffer.from('{"took":7,"responses":[{"n":9007199254740993}]}'));
    const took = Math.max(a.tookMs!, b.tookMs!);
    expect(
      renderMultiAnswer('msearch', [a.items[0]!, b.items[0]!, a.items[1]!], { tookMs: took, pretty: false }).toString(),
    ).toBe('{"took":7,"responses":[{"n":1.0},{"n":9007199254740993},{"error":{},"status":404}]}');
  });

  it('without items are still answers, other bodies are not', () => {
    expect(renderMultiAnswer('mget', [], { tookMs: undefined, pretty: false }).toString()).toBe('{"docs":[]}');
    expect(renderMultiAnswer('mget', [], { tookMs: undefined, pretty: true }).toString()).toBe(
      '{\n  "docs" : [ ]\n}\n',
    );
    expect(() => parseMultiAnswer('mget', Buffer.from('{"error":"x","status":400}'))).toThrow(SyntaxError);
  });
});
