import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyEdits,
  eachElement,
  eachMember,
  isKey,
  memberCuts,
  members,
  oneLine,
  parseSlice,
  rawOf,
  skipValue,
  walkElements,
  walkMembers,
} from '../../../src/json/scan.ts';
import { anyCharacter } from '../../support/any-character.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
/** Any JSON value, as text with any white space between its tokens; strings are long and full of escapes at times. */
const text = fc.string({ unit: anyCharacter, maxLength: 200 });
const json = fc
  .tuple(
    fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom(null, true, false, '\\', '"', '\\"', '}', ']', ''),
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(text, tie('value'), { maxKeys: 5, noNullPrototype: true }),
      ),
    })).value,
    fc.constantFrom(undefined, 1, '\t'),
  )
  .map(([value, indent]) => JSON.stringify(value, null, indent));
const asObject = fc.dictionary(text, json, { maxKeys: 6, noNullPrototype: true });
const objectText = (entries: Record<string, string>): string =>
  `{${Object.entries(entries)
    .map(([key, value]) => ` ${JSON.stringify(key)} :\n${value} `)
    .join(',')}}`;

describe('scanning JSON', () => {
  it('skips any value exactly to its end', () => {
    fc.assert(
      fc.property(json, fc.constantFrom('', ' ', ',', '}', ']', '\n'), (value, after) => {
        expect(skipValue(bytes(value + after), 0)).toBe(Buffer.byteLength(value));
      }),
    );
  });

  it('visits the members of an object with the keys and bytes that a parser sees', () => {
    fc.assert(
      fc.property(asObject, (entries) => {
        const buf = bytes(objectText(entries));
        const seen: [string, string][] = [];
        const end = eachMember(buf, 0, (key, value) => void seen.push([key, rawOf(buf, value)]));
        expect(seen).toEqual(Object.entries(entries));
        expect(end).toBe(buf.length);
      }),
    );
  });

  it('visits the elements of an array', () => {
    fc.assert(
      fc.property(fc.array(json), (values) => {
        const buf = bytes(`[ ${values.join(' ,\n')} ]`);
        const seen: string[] = [];
        const end = eachElement(buf, 0, (value) => void seen.push(rawOf(buf, value)));
        expect(seen).toEqual(values);
        expect(end).toBe(buf.length);
      }),
    );
  });

  it('walks into values or past them and ends at the same place', () => {
    fc.assert(
      fc.property(fc.array(asObject), fc.boolean(), (objects, into) => {
        const buf = bytes(`[${objects.map(objectText).join(',')}]`);
        let found = 0;
        const end = walkElements(buf, 0, (start) => {
          if (!into) return undefined;
          return walkMembers(buf, start, () => {
            found++;
            return undefined;
          });
        });
        expect(end).toBe(buf.length);
        expect(found).toBe(into ? objects.reduce((sum, one) => sum + Object.keys(one).length, 0) : 0);
      }),
    );
  });

  it('stops where it is told to', () => {
    const buf = bytes('{"a":1,"b":[1,2],"c":3}');
    const seen: string[] = [];
    const end = eachMember(buf, 0, (key) => {
      seen.push(key);
      return key !== 'b';
    });
    expect(seen).toEqual(['a', 'b']);
    expect(buf.subarray(end).toString()).toBe(',"c":3}');
    expect(walkMembers(buf, 0, () => ({ stop: 7 }))).toBe(7);
  });

  it('finds named members, the last of duplicates', () => {
    const buf = bytes('{"a":1,"b":2,"a":3}');
    const found = members(buf, 0, ['a', 'c']);
    expect(parseSlice(buf, found.a as { start: number; end: number })).toBe(3);
    expect(found.c).toBeUndefined();
  });

  it('knows a key without making a string of it', () => {
    const buf = bytes('{"_id":1}');
    const slice = { start: 1, end: 6 };
    expect([isKey(buf, slice, '_id'), isKey(buf, slice, '_i'), isKey(buf, slice, '_ix')]).toEqual([true, false, false]);
  });

  it.each(['', '{', '{"a"', '{"a":', '{"a":1', '[1', '"abc', '{a:1}', `"${'x'.repeat(100)}`, `"${'x'.repeat(63)}\\"`])(
    'throws on %j rather than loop',
    (broken) => {
      expect(() => {
        skipValue(bytes(broken), 0);
        eachMember(bytes(broken), 0, () => undefined);
      }).toThrow(SyntaxError);
    },
  );

  it('puts a value on one line without changing what it says', () => {
    fc.assert(
      fc.property(json, (value) => {
        const line = Buffer.from(oneLine(bytes(value))).toString();
        expect(line).not.toMatch(/[\r\n]/);
        expect(JSON.parse(line)).toEqual(JSON.parse(value));
      }),
    );
  });

  it.each([
    ['{"t":1}', '{}', 0],
    ['{ "t" : "x" , "a":1}', '{ "a":1}', 1],
    ['{"a":1, "t":{"t":1} ,"b":{"t":2}}', '{"a":1 ,"b":{"t":2}}', 2],
    ['{"a":1,"t":2}', '{"a":1}', 1],
    ['{"t":1,"t":2,"a":1,"t":3,"t":4,"b":1}', '{"a":1,"b":1}', 2],
    ['{"a":1}', '{"a":1}', 1],
    ['{ }', '{ }', 0],
  ])('cuts members out: %s becomes %s', (before, after, left) => {
    const cut = memberCuts(bytes(before), 0, (key) => key === 't');
    const edits = cut.cuts.map((slice) => ({ ...slice, text: '' }));
    expect([applyEdits(bytes(before), edits).toString(), cut.left]).toEqual([after, left]);
  });

  it('applies edits and keeps every other byte', () => {
    const edits = [
      { start: 1, end: 2, text: 'XY' },
      { start: 4, end: 4, text: bytes('é') },
    ];
    expect(applyEdits(bytes('abcdef'), edits).toString()).toBe('aXYcdéef');
    expect(applyEdits(bytes('abc'), []).toString()).toBe('abc');
  });
});
