import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/proxy/request-target.ts';

const isOwn = (authority: string): boolean => authority === 'localhost:9200' || authority === '127.0.0.1:9200';
const parse = (target: string, { method = 'GET', host = 'localhost:9200' } = {}) =>
  parseTarget({ method, target, host, isOwn });

describe('a request target', () => {
  it.each([
    ['/', { path: '/', query: '' }],
    ['/a%2Fb/_doc/%C3%A9?x=1&y=a+b', { path: '/a%2Fb/_doc/%C3%A9', query: 'x=1&y=a+b' }],
    ['//a/../b?', { path: '//a/../b', query: '' }],
    ['/a?b?c', { path: '/a', query: 'b?c' }],
    ['http://localhost:9200/a?b', { path: '/a', query: 'b' }],
    ['HTTP://LocalHost:9200', { path: '/', query: '' }],
    ['http://localhost:9200?b', { path: '/', query: 'b' }],
  ])('%s is split and otherwise left as it is', (target, expected) => {
    expect(parse(target)).toEqual(expected);
  });

  it('* is the whole server, for OPTIONS', () => {
    expect(parse('*', { method: 'OPTIONS' })).toBe('asterisk');
  });

  it.each([
    ['another host', 'http://evil/', 'evil'],
    ['another host than Host', 'http://127.0.0.1:9200/', 'localhost:9200'],
    ['another port', 'http://localhost:9201/', 'localhost:9201'],
    ['no port', 'http://localhost/', 'localhost'],
    ['a user', 'http://localhost:9200@evil/', 'localhost:9200@evil'],
    ['another scheme', 'ftp://localhost:9200/', 'localhost:9200'],
    ['an authority only', 'localhost:9200', 'localhost:9200'],
    ['nothing', '', 'localhost:9200'],
    ['an asterisk', '*', 'localhost:9200'],
  ])('is refused when it is %s', (_, target, host) => {
    expect(parse(target, { host })).toMatchObject({ code: 'BAD_TARGET', notSent: true });
  });
});
