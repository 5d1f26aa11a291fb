/** The head of an answer as text, and how what follows is framed. */
import { describe, expect, it } from 'vitest';
import { type AnswerStart, answerHead } from '../../../src/proxy/fast-path/answer-head.ts';

const kept = 'Connection: keep-alive\r\nKeep-Alive: timeout=75\r\n';
const start = (more: Partial<AnswerStart> = {}): AnswerStart => ({
  ...{ method: 'GET', status: 200, reason: 'OK', headers: ['X-A', '1', 'x-a', '\xe9'], keepAliveSeconds: 75 },
  ...more,
});

describe('the head of an answer', () => {
  it.each<[string, Partial<AnswerStart>, string, { chunked: boolean; bodiless: boolean }]>([
    ['of unknown length', {}, 'Transfer-Encoding: chunked\r\n', { chunked: true, bodiless: false }],
    ['that is whole', { bodyBytes: 3 }, 'Content-Length: 3\r\n', { chunked: false, bodiless: false }],
    ['that is whole and empty', { bodyBytes: 0 }, 'Content-Length: 0\r\n', { chunked: false, bodiless: false }],
    ['to HEAD', { method: 'HEAD' }, '', { chunked: false, bodiless: true }],
    ['with 204', { status: 204, reason: 'No Content' }, '', { chunked: false, bodiless: true }],
    ['with 304', { status: 304, reason: 'Not Modified' }, '', { chunked: false, bodiless: true }],
  ])('%s says how it is framed', (_, more, framing, frame) => {
    const { status = 200, reason = 'OK' } = more;
    const head = `HTTP/1.1 ${status} ${reason}\r\nX-A: 1\r\nx-a: \xe9\r\n${kept}${framing}\r\n`;
    expect(answerHead(start(more))).toEqual({ head, ...frame });
  });

  it('keeps the length that it was given', () => {
    const given = start({ headers: ['CONTENT-length', '7'], bodyBytes: 7 });
    const head = `HTTP/1.1 200 OK\r\nCONTENT-length: 7\r\n${kept}\r\n`;
    expect(answerHead(given)).toEqual({ head, chunked: false, bodiless: false });
  });

  it('names no time when connections are kept for ever', () => {
    const given = start({ headers: [], keepAliveSeconds: undefined, bodyBytes: 0 });
    expect(answerHead(given).head).toBe('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n');
  });

  it('promises no further request when the connection ends', () => {
    const given = start({ headers: ['connection', 'close'], bodyBytes: 0 });
    expect(answerHead(given).head).toBe('HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 0\r\n\r\n');
  });

  it.each<[string, Partial<AnswerStart>]>([
    ['a line break in a value', { headers: ['X', 'a\r\nY: b'] }],
    ['a character that would become one', { headers: ['X', 'a\u010aY: b'] }],
    ['a line break in a name', { headers: ['X\n', 'a'] }],
    ['a NUL', { headers: ['X', 'a\0'] }],
    ['a line break in the reason', { reason: 'OK\r\nX: a' }],
  ])('is not made with %s', (_, more) => {
    expect(() => answerHead(start(more))).toThrow(TypeError);
  });
});
