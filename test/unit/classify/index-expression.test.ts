import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isPlainName,
  matchesPattern,
  parseIndexExpression,
  resolveSingleName,
} from '../../../src/proxy/index-expression.ts';

const now = new Date('2026-03-31T12:00:00Z');
const shown = (expression: string) => {
  const parsed = parseIndexExpression(expression, now);
  if (parsed.kind === 'all') return 'all';
  return parsed.items.map((item) => `${item.isExclusion ? 'not ' : ''}${item.isPattern ? 'like ' : ''}${item.text}`);
};

describe('index expressions', () => {
  it.each<[string, string | string[]]>([
    ['', 'all'],
    [',', 'all'],
    ['_all', 'all'],
    ['*', 'all'],
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    ['a,,', ['a']],
    ['a,,b', ['a', '', 'b']],
    ['a*', ['like a*']],
    ['-b', ['-b']],
    ['a,-b', ['a', '-b']],
    ['a*,-b', ['like a*', 'not b']],
    ['a*,-b*,c', ['like a*', 'not like b*', 'c']],
    ['-b*,-c', ['like -b*', 'not c']],
    ['_all,-b', ['like *', 'not b']],
    ['<_all>', ['like *']],
    ['a,<_all>', ['a', 'like *']],
    ['<logs-{now/d}>', ['logs-2026.03.31']],
    ['<logs-{now/d}*>,-x', ['like logs-2026.03.31*', 'not x']],
    ['<logs-{now{MMM}}>', ['like logs-*']],
    ['other:products', ['other:products']],
  ])('%j means %j', (expression, expected) => {
    expect(shown(expression)).toEqual(expected);
  });

  it.each([
    ['products', true],
    ['other:products', true],
    ['', false],
    ['_all', false],
    ['a,b', false],
    ['a*', false],
    ['<a>', false],
  ])('%j is plain: %j', (expression, expected) => {
    expect(isPlainName(expression)).toBe(expected);
  });

  it('resolves only date math where the API takes one name', () => {
    expect(resolveSingleName('<a-{now/d}>', now)).toBe('a-2026.03.31');
    expect(resolveSingleName('a,b*', now)).toBe('a,b*');
  });
});

describe('wildcards', () => {
  it.each([
    ['a*', 'a', true],
    ['a*', 'ab', true],
    ['a*', 'ba', false],
    ['*a*b*', 'xaxbx', true],
    ['a*a', 'a', false],
    ['ab*ba', 'aba', false],
    ['a*b*c', 'abc', true],
    ['a*bc*c', 'abc', false],
    ['a.c', 'abc', false],
    ['**', '', true],
  ])('%j on %j: %j', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected);
  });

  it('agree with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
    fc.assert(
      fc.property(text, word, (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(name));
      }),
      { numRuns: 2000 },
    );
  });
});
