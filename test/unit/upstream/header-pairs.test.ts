import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionOptions, toPairs, toRecord } from '../../../src/upstream/header-pairs.ts';

const token = fc.stringMatching(/^[A-Za-z-]{1,12}$/);
const pairs = fc.array(fc.tuple(token, fc.string()), { maxLength: 20 });

describe('header pairs', () => {
  it('keep every value of a repeated name, in order, whatever the case of the name', () => {
    expect(toRecord(['Warning', 'a', 'x', '1', 'warning', 'b', 'WARNING', 'c'])).toEqual({
      warning: ['a', 'b', 'c'],
      x: '1',
    });
  });

  it('survive the way through a record without loss', () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const flat = list.flat();
        const back = toPairs(toRecord(flat));
        const valuesOf = (pairs: readonly string[], name: string) =>
          pairs.filter((_, i) => i % 2 === 1 && pairs[i - 1]?.toLowerCase() === name);
        for (const [name] of list) {
          const lower = name.toLowerCase();
          expect(valuesOf(back, lower)).toEqual(valuesOf(flat, lower));
        }
        expect(back.length).toBe(flat.length);
      }),
    );
  });

  it('treat names of object internals as plain names', () => {
    const record = toRecord(['__proto__', 'a', 'constructor', 'b', '__proto__', 'c']);
    expect(toPairs(record)).toEqual(['__proto__', 'a', '__proto__', 'c', 'constructor', 'b']);
  });

  it.each([
    ['close', []],
    ['Keep-Alive, X-Trace , x-other', ['x-trace', 'x-other']],
    [',, ,', []],
  ])('find the headers that `Connection: %s` names', (value, names) => {
    expect(connectionOptions(value)).toEqual(names);
  });
});
