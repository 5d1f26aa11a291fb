import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prettyJson } from '../../../src/json/pretty.ts';

const pretty = (text: string): string => prettyJson(Buffer.from(text)).toString();

describe('pretty JSON', () => {
  it('is what a cluster prints', () => {
    expect(pretty('{"_id":"1","_shards":{"total":1.0},"items":[{"a":null},2],"none":{},"empty":[]}')).toBe(
      [
        '{',
        '  "_id" : "1",',
        '  "_shards" : {',
        '    "total" : 1.0',
        '  },',
        '  "items" : [',
        '    {',
        '      "a" : null',
        '    },',
        '    2',
        '  ],',
        '  "none" : { },',
        '  "empty" : [ ]',
        '}\n',
      ].join('\n'),
    );
    expect(pretty('{}')).toBe('{ }\n');
  });

  it('has the same value, and printed again stays as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const once = pretty(JSON.stringify(value, null, indent));
        expect(JSON.parse(once)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(pretty(once)).toBe(once);
      }),
    );
  });
});
