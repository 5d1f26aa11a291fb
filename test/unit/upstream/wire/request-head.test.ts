import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedLinesOf, lengthLines, requestHead } from '../../../../src/upstream/wire/request-head.ts';

const fixedLines = fixedLinesOf('h:9200');
const head = (part: Partial<Parameters<typeof requestHead>[0]>): string =>
  requestHead({ method: 'GET', path: '/', fixedLines, headers: [], ...part });

describe('the head of a request', () => {
  it('has the request line, Host, Connection and the headers as they came', () => {
    const headers = ['X-B', '1', 'x-b', '', 'y', 'caf\xe9'];
    expect(head({ method: 'POST', path: '/a%20b?q=1', headers })).toBe(
      'POST /a%20b?q=1 HTTP/1.1\r\nhost: h:9200\r\nconnection: keep-alive\r\nX-B: 1\r\nx-b: \r\ny: caf\xe9\r\n',
    );
  });

  it.each([
    ['a space in the path', { path: '/a b' }],
    ['a line break in the path', { path: '/a\r\nx: y' }],
    ['a NUL in the path', { path: '/\0' }],
    ['a path beyond latin1', { path: '/\u0100' }],
    ['a path that is none', { path: 'a' }],
    ['an empty path', { path: '' }],
    ['a method of two words', { method: 'GET /' }],
    ['no method', { method: '' }],
    ['a space in a name', { headers: ['a b', 'c'] }],
    ['a colon in a name', { headers: ['a:', 'c'] }],
    ['an empty name', { headers: ['', 'c'] }],
    ['a line break in a name', { headers: ['a\n', 'c'] }],
    ['CR in a value', { headers: ['a', 'b\rc'] }],
    ['LF in a value', { headers: ['a', 'b\nc'] }],
    ['LF at the end of a value', { headers: ['a', 'b\n'] }],
    ['NUL in a value', { headers: ['a', 'b\0'] }],
    ['a value beyond latin1', { headers: ['a', '\u010d\u010a'] }],
    ...['Host', 'connection', 'Keep-Alive', 'Content-Length', 'transfer-encoding', 'upgrade', 'expect'].map(
      (name): [string, { headers: string[] }] => [`a ${name} of the caller`, { headers: [name, '1'] }],
    ),
  ])('is refused with %s', (_, part) => {
    expect(() => head(part)).toThrow(expect.objectContaining({ fault: 'refused' }));
  });

  it('has one line for each header, whatever is asked for', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', ':', '\r', '\n', '\0', '\xff', '\u0101', '/') });
    fc.assert(
      fc.property(text, text, text, fc.array(fc.tuple(text, text)), (method, path, name, more) => {
        const headers = [name, 'v', ...more.flat()];
        let made: string;
        try {
          made = head({ method, path: `/${path}`, headers });
        } catch (error) {
          expect(error).toMatchObject({ fault: 'refused' });
          return;
        }
        expect(made.split(/\r|\n/).length).toBe(2 * (3 + headers.length / 2) + 1);
      }),
    );
  });
});

describe('the length of a body', () => {
  it.each([
    ['GET', 0, '\r\n'],
    ['HEAD', 0, '\r\n'],
    ['DELETE', 0, '\r\n'],
    ['POST', 0, 'content-length: 0\r\n\r\n'],
    ['PUT', 0, 'content-length: 0\r\n\r\n'],
    ['PATCH', 0, 'content-length: 0\r\n\r\n'],
    ['GET', 3, 'content-length: 3\r\n\r\n'],
    ['DELETE', 3, 'content-length: 3\r\n\r\n'],
  ])('of %s with %i bytes', (method, bytes, lines) => {
    expect(lengthLines(method, bytes)).toBe(lines);
  });
});
