import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeComponent } from '../../../src/proxy/percent-encoding.ts';
import { addParam, getFlag, getParam, parseQuery, removeParam, setParam } from '../../../src/proxy/query.ts';

const parsed = (raw: string) => Object.fromEntries(parseQuery(raw).params);

describe('percent-decoding', () => {
  it.each([
    ['products', 'products'],
    ['a%20b', 'a b'],
    ['%3Clogs-%7Bnow%2Fd%7D%3E', '<logs-{now/d}>'],
    ['caf%C3%A9', 'café'],
    ['100%%', '100%'],
    ['%%41', '%41'],
    ['a+b', 'a+b'],
    ['%FF', '\ufffd'],
  ])('%j in a path decodes to %j', (raw, expected) => {
    expect(decodeComponent(raw)).toBe(expected);
  });

  it.each(['%', 'a%', '%4', '%zz', '%4g', 'a%2'])('%j is a bad escape', (raw) => {
    expect(decodeComponent(raw)).toBeUndefined();
  });

  it('reads what encodeURIComponent wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeComponent(encodeURIComponent(text))).toBe(text);
      }),
    );
  });
});

describe('query rules of the server', () => {
  it.each([
    ['', {}],
    ['size=0', { size: '0' }],
    ['size=0&from=1', { size: '0', from: '1' }],
    ['size=0;from=1', { size: '0', from: '1' }],
    ['size=0&size=x&size=1', { size: '1' }],
    ['pretty', { pretty: '' }],
    ['pretty&size=1', { pretty: '', size: '1' }],
    ['q=a+b', { q: 'a b' }],
    ['q=a%2Bb', { q: 'a+b' }],
    ['q=a=b', { q: 'a=b' }],
    ['=x&size=0', { x: '', size: '0' }],
    ['&&size=0&', { size: '0' }],
    ['size=', { size: '' }],
    ['size=0#from=1', { size: '0' }],
    ['%73ize=1', { size: '1' }],
    ['__proto__=1', Object.fromEntries([['__proto__', '1']])],
  ])('%j gives %j', (raw, expected) => {
    expect(parsed(raw)).toEqual(expected);
    expect(parseQuery(raw).malformed).toBe(false);
  });

  it.each(['size=%zz', '%=1', 'a=1&b=%4'])('%j is malformed', (raw) => {
    expect(parseQuery(raw).malformed).toBe(true);
  });

  it.each([
    ['refresh', true],
    ['refresh=', true],
    ['refresh=true', true],
    ['refresh=false', false],
    ['refresh=wait_for', undefined],
    ['refresh=true&refresh=false', false],
    ['size=1', undefined],
  ])('the flag refresh in %j is %j', (raw, expected) => {
    expect(getFlag(raw, 'refresh')).toBe(expected);
  });
});

describe('edits of a query', () => {
  it.each([
    ['', 'refresh=true'],
    ['size=1', 'size=1&refresh=true'],
    ['refresh=false', 'refresh=true'],
    ['a=%zz&refresh=false;b=+', 'a=%zz&refresh=true;b=+'],
    ['refresh=1&x&refresh=2', 'refresh=1&x&refresh=true'],
    ['a=1#frag', 'a=1&refresh=true#frag'],
    ['re%66resh=no', 'refresh=true'],
  ])('setting refresh in %j gives %j', (raw, expected) => {
    expect(setParam(raw, 'refresh', 'true')).toBe(expected);
  });

  it('adds a parameter only where it is missing', () => {
    expect(addParam('routing=a', 'routing', 'b')).toBe('routing=a');
    expect(addParam('size=1', 'routing', 'b c&d')).toBe('size=1&routing=b%20c%26d');
  });

  it.each([
    ['a=1&b=2&c=3', 'a=1&c=3'],
    ['b=2&c=3', 'c=3'],
    ['a=1&b=2', 'a=1'],
    ['b', ''],
    ['b=1&b=2', ''],
    ['b=1;a;b=2;c', 'a;c'],
    ['a=1&b=2#x', 'a=1#x'],
    ['a=1', 'a=1'],
  ])('removing b from %j gives %j', (raw, expected) => {
    expect(removeParam(raw, 'b')).toBe(expected);
  });

  const name = fc.constantFrom('a', 'b', 'refresh', 'q');
  const pair = fc.tuple(name, fc.constantFrom('=', ''), fc.constantFrom('', '1', '%20', 'x+y', 'a=b'));
  const query = fc
    .array(fc.tuple(pair, fc.constantFrom('&', ';', '&&')))
    .map((parts) => parts.map(([[key, equals, value], separator]) => `${key}${equals}${value}${separator}`).join(''));

  it('leave every other parameter as it was', () => {
    fc.assert(
      fc.property(query, name, fc.string(), (raw, key, value) => {
        const others = (text: string) => [...parseQuery(text).params].filter(([one]) => one !== key).sort();
        const set = setParam(raw, key, value);
        expect(getParam(set, key)).toBe(value);
        expect(others(set)).toEqual(others(raw));
        const removed = removeParam(raw, key);
        expect(getParam(removed, key)).toBeUndefined();
        expect(others(removed)).toEqual(others(raw));
      }),
    );
  });
});
