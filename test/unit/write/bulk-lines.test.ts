import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBulk, refusable } from '../../../src/proxy/write/bulk-lines.ts';

const parsed = (text: string) => {
  const body = Buffer.from(text);
  const result = parseBulk(body);
  if (result.kind === 'malformed')
    return { malformed: result.lineNumber, refusable: refusable(body, result).toString() };
  return result.actions.map(({ op, index, source }) => [
    op,
    index,
    source === undefined ? undefined : body.toString('utf8', source.start, source.end),
  ]);
};

describe('taking a bulk body apart', () => {
  it.each<[string, string, unknown]>([
    ['an index with its source', '{"index":{"_index":"a"}}\n{"x":1}\n', [['index', 'a', '{"x":1}']]],
    [
      'a delete without one',
      '{"delete":{"_id":"1"}}\n{"create":{}}\n{}\n',
      [
        ['delete', undefined, undefined],
        ['create', undefined, '{}'],
      ],
    ],
    ['carriage returns', '{"index":{}}\r\n{"x":1}\r\n', [['index', undefined, '{"x":1}']]],
    [
      'blank lines between actions',
      '\n \n{"delete":{}}\n\n{"delete":{}}\n',
      [
        ['delete', undefined, undefined],
        ['delete', undefined, undefined],
      ],
    ],
    ['a source that looks like an action', '{"index":{}}\n{"delete":{}}\n', [['index', undefined, '{"delete":{}}']]],
    ['an empty source line', '{"index":{}}\n\n', [['index', undefined, '']]],
    [
      'an action whose source is missing at the end',
      '{"delete":{}}\n{"index":{}}\n',
      [['delete', undefined, undefined]],
    ],
    ['a numeric name', '{"delete":{"_index":7}}\n', [['delete', '7', undefined]]],
    ['an escaped name', '{"\\u0064elete":{"_\\u0069ndex":"\\u0061"}}\n', [['delete', 'a', undefined]]],
    ['nothing', '', []],
    ['only blank lines', '\n\n', []],
  ])('reads %s', (_title, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ['{"index":{}}\n{}\n{"drop":{}}\n', 3, '\n\n{"drop":{}}\nx'],
    ['{"index":{},"delete":{}}\n', 1, '{"index":{},"delete":{}}\nx'],
    ['{}\n', 1, '{}\nx'],
    ['[]\n', 1, '[]\nx'],
    ['{"index":[]}\n', 1, '{"index":[]}\nx'],
    ['{"delete":{}} /* c */\n', 1, '{"delete":{}} /* c */\nx'],
    ['{"delete":{"_index":"a","\\u005findex":"b"}}\n', 1, '{"delete":{"_index":"a","\\u005findex":"b"}}\nx'],
    ['{"delete":{"_index":"a","_index":"b"}}\n', 1, '{"delete":{"_index":"a","_index":"b"}}\nx'],
    ['{"delete":{}}', 1, 'x'],
    ['{"index":{}}\n{"x":1}', 2, 'x'],
  ])('finds %j malformed in line %i and keeps it so', (text, lineNumber, certain) => {
    expect(parsed(text)).toEqual({ malformed: lineNumber, refusable: certain });
  });

  it('always makes a body without a final line break of a malformed one, so that no server applies any of it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const body = Buffer.from(text);
        const result = parseBulk(body);
        fc.pre(result.kind === 'malformed');
        expect(refusable(body, result).at(-1)).toBe('x'.charCodeAt(0));
      }),
    );
  });
});
