/** Which bytes are read without node:http, and that these are read as the standard says and as node:http would. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recogniseRequest, type SimpleRequest } from '../../../src/proxy/fast-path/simple-request.ts';
import { strictRequests } from '../../support/strict-http.ts';

const bounds = { maxHeaderBytes: 1024, maxBodyBytes: 64 };
const H = 'Host: a\r\n';
const recognise = (text: string) => recogniseRequest(Buffer.from(text, 'latin1'), bounds);
const post = (headers: string, body = ''): string => `POST /x HTTP/1.1\r\n${H}${headers}\r\n${body}`;

describe('a simple request', () => {
  it('is taken apart with its raw target, its pairs and its body', () => {
    const text = `PUT /a%2Fb/_doc/1?q=%zz#e HTTP/1.1\r\n${H}X-A: \t1 2 \t\r\nX-Empty:\r\nconnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}`;
    expect(recognise(text)).toEqual({
      method: 'PUT',
      target: { path: '/a%2Fb/_doc/1', query: 'q=%zz#e' },
      rawHeaders: ['Host', 'a', 'X-A', '1 2', 'X-Empty', '', 'connection', 'Keep-Alive', 'Content-Length', '2'],
      headers: ['X-A', '1 2', 'X-Empty', ''],
      body: Buffer.from('{}'),
      bytes: text.length,
    });
  });

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('may be a %s without a body', (method) => {
    expect(recognise(`${method} / HTTP/1.1\r\n${H}\r\n`)).toMatchObject({ method, body: Buffer.alloc(0) });
  });

  it('ends where the next begins', () => {
    const first = post('Content-Length: 3\r\n', 'abc');
    expect(recognise(`${first}GET /`)).toMatchObject({ bytes: first.length });
  });

  it('says how much is needed of it until its last byte is there', () => {
    const text = post('Content-Length: 3\r\n', 'abc');
    const head = text.length - 'abc'.length;
    for (let bytes = 1; bytes < head; bytes++) expect(recognise(text.slice(0, bytes))).toBe(bytes + 1);
    for (let bytes = head; bytes < text.length; bytes++) expect(recognise(text.slice(0, bytes))).toBe(text.length);
    expect(recognise(text)).toMatchObject({ bytes: text.length });
  });
});

describe('node:http reads', () => {
  it.each<[string, string]>([
    ['chunks', post('Transfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['a length and chunks', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['two lengths', post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc')],
    ['two Hosts', post(H)],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['a length that is no number', post('Content-Length: +3\r\n', 'abc')],
    ['a header twice', post('X-A: 1\r\nx-a: 2\r\n')],
    ['a body that is not held', post(`Content-Length: ${bounds.maxBodyBytes + 1}\r\n`)],
    ['an expectation', post('Expect: 100-continue\r\nContent-Length: 3\r\n')],
    ['an end of the connection', post('Connection: close\r\n')],
    ['options of the connection', post('Connection: keep-alive, x-a\r\nX-A: 1\r\n')],
    ['an end of the connection, for old proxies', post('Proxy-Connection: close\r\n')],
    ['an offer of another protocol', post('Upgrade: h2c\r\n')],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['the beginning of HTTP/2', 'PRI * HT'],
    ['the beginning of TLS', '\x16\x03\x01'],
    ['an absolute target', `GET http://a/ HTTP/1.1\r\n${H}\r\n`],
    ['the target of all', `OPTIONS * HTTP/1.1\r\n${H}\r\n`],
    ['an unknown method', `PURGE / HTTP/1.1\r\n${H}\r\n`],
    ['a method in lower case', `get / HTTP/1.1\r\n${H}\r\n`],
    ['TRACE', `TRACE / HTTP/1.1\r\n${H}\r\n`],
    ['blank lines before a request', `\r\nGET / HTTP/1.1\r\n${H}\r\n`],
    ['two blanks in the request line', `GET  / HTTP/1.1\r\n${H}\r\n`],
    ['a control character in the target', `GET /\x01 HTTP/1.1\r\n${H}\r\n`],
    ['a high byte in the target', `GET /\xe9 HTTP/1.1\r\n${H}\r\n`],
    ['a high byte in a value', post('X: \xe9\r\n')],
    ['a control character in a value', post('X: a\x01b\r\n')],
    ['a bare line feed', `GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n`],
    ['a bare carriage return', `GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n`],
    ['a folded value', post('X: a\r\n b\r\n')],
    ['a blank before the colon', post('X : a\r\n')],
    ['a header without a name', post(': a\r\n')],
    ['a line without a colon', post('X\r\n')],
    ['a long head', post(`X: ${'a'.repeat(bounds.maxHeaderBytes)}\r\n`)],
    ['a long head without an end', `GET / HTTP/1.1\r\n${'a'.repeat(bounds.maxHeaderBytes)}`],
  ])('%s', (_, text) => {
    expect(recognise(text)).toBe('other');
  });
});

const piece = fc.constantFrom(
  ...['GET ', 'POST ', 'PUT ', 'DELETE  ', '/a', '/b?c', ' HTTP/1.1\r\n', ' HTTP/1.0\r\n', 'Host: a\r\n', 'X-A: b\r\n'],
  ...['Content-Length: 3\r\n', 'Content-Length: 03\r\n', 'Content-Length:3\r\n', 'X:\t\r\n', '\r\n', 'abc', ' ', '\n'],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Connection: keep-alive\r\n',
    'X-A : b\r\n',
    '\x00',
    '\xff',
    ':',
    'a\r',
    '0\r\n',
  ],
);
const tidy = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD'),
    fc.constantFrom('/', '/a/_doc/1?x', '/%2F', '/ä'),
    fc.uniqueArray(fc.constantFrom('X-A: 1', 'Accept: */*', 'x-b:  2 ', 'Connection: keep-alive', 'X-a: 3', 'TE: x')),
    fc.option(fc.constantFrom('', 'abc', 'GET / HTTP/1.1\r\n\r\n'), { nil: undefined }),
  )
  .map(
    ([method, target, lines, body]) =>
      `${method} ${target} HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}${
        body === undefined ? '' : `content-length: ${body.length}\r\n`
      }\r\n${body ?? ''}`,
  );
const texts = fc.oneof(
  tidy,
  fc.tuple(tidy, piece, fc.nat(200)).map(([text, more, at]) => text.slice(0, at) + more + text.slice(at)),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
);

describe('whatever the bytes are', () => {
  it('what is recognised is what a reader by the letter of the standard reads first', () => {
    let recognised = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const found = recognise(text);
        if (typeof found !== 'object') return;
        recognised++;
        const { method, target, body } = found satisfies SimpleRequest;
        const query = target.query === '' ? '' : `?${target.query}`;
        expect(strictRequests(text)[0]).toEqual({
          method,
          target: target.path + query,
          body: body.toString('latin1'),
        });
        expect(strictRequests(text.slice(0, found.bytes))).toHaveLength(1);
      }),
      { numRuns: 3000 },
    );
    expect(recognised).toBeGreaterThan(300);
  });

  it('a request is the same however much of it is there, or it is not yet one', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const whole = recognise(text);
        if (typeof whole !== 'object') return;
        for (let bytes = 1; bytes < whole.bytes; bytes += 7) {
          const needed = recognise(text.slice(0, bytes));
          expect(needed).toBeGreaterThan(bytes);
          expect(needed).toBeLessThanOrEqual(whole.bytes);
        }
        expect(recognise(text.slice(0, whole.bytes))).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  it('headers that were seen before say nothing about the request line and the body that come with them', () => {
    const heads = (request: string, length: number) => `${request} HTTP/1.1\r\n${H}Content-Length: ${length}\r\n\r\n`;
    for (const method of ['GET', 'PUT'])
      for (const path of ['/a', '/b'])
        for (const text of ['abc', 'xyz']) {
          const body = Buffer.from(text);
          const target = { path, query: 'c' };
          expect(recognise(heads(`${method} ${path}?c`, 3) + text)).toMatchObject({ method, target, body });
        }
    expect(recognise(`${heads('GET /', 3)}ab`)).toBe(heads('GET /', 3).length + 3);
    expect(recognise(`${heads('get /', 3)}abc`)).toBe('other');
    expect(recogniseRequest(Buffer.from(`${heads('GET /', 3)}abc`), { ...bounds, maxBodyBytes: 2 })).toBe('other');
  });
});
