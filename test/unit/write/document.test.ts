import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { documentLine } from '../../../src/json/document-line.ts';

const lineOf = (text: string) => {
  const line = documentLine(Buffer.from(text));
  return line === undefined ? undefined : Buffer.from(line).toString();
};

describe('a document on one line', () => {
  it.each([
    ['{"a":1.0}', '{"a":1.0}'],
    ['  {"a":1}\n', '{"a":1}'],
    ['{"a":\n1,\r\n"b":"x\\n"}', '{"a": 1,  "b":"x\\n"}'],
    ['{"a":1, // one\n"b":2}', '{"a":1,        "b":2}'],
    ['{"a":1, /* one\ntwo */"b":2}', '{"a":1,              "b":2}'],
    ['{"u":"http://x/*y*/",\n"q":"\\"//"}', '{"u":"http://x/*y*/", "q":"\\"//"}'],
    ['{"a":/*on one line*/1}', '{"a":               1}'],
    ['{"a":1} // to the end', '{"a":1}'],
    ['{"a":1 // " }\r,"b":2}', '{"a":1        ,"b":2}'],
    ['{"a":1}/**/ //\n', '{"a":1}'],
    ['{"a":"//","b":"\\\\"/* " */}', '{"a":"//","b":"\\\\"       }'],
    ['\ufeff{"a":1}', '{"a":1}'],
  ])('of %j is %j', (text, expected) => {
    expect(lineOf(text)).toBe(expected);
  });

  it.each(['', '\ufeff', '[1]', '"x"', '// {}\n', '\u0000{', '---\na: 1'])('of %j does not exist', (text) => {
    expect(lineOf(text)).toBeUndefined();
  });

  it('does not exist in UTF-16', () => {
    expect(documentLine(Buffer.from('{"a":1}', 'utf16le'))).toBeUndefined();
  });

  it('has the same value for any JSON object, printed in any way', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 1, '\n', '\r\n\t'), (value, space) => {
        const line = lineOf(JSON.stringify(value, null, space as string));
        expect(line).not.toMatch(/[\r\n]/);
        expect(JSON.parse(line as string)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
