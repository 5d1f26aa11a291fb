import { describe, expect, it } from 'vitest';
import { CrossfadeError, type ErrorCode } from '../../../src/errors.ts';
import { outcomeOf, rawRefusal, wireAnswer } from '../../../src/proxy/respond.ts';

const length = (headers: string[]): string | undefined => {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-length');
  return at < 0 ? undefined : headers[at + 1];
};

describe('a whole answer', () => {
  it('has exactly the length of its body, whatever it was given', () => {
    const { headers } = wireAnswer({ status: 200, headers: { 'Content-Length': '99', a: '1' }, body: 'é' }, 'GET');
    expect(headers).toEqual(['a', '1', 'content-length', '2']);
  });

  it('loses headers of the hop and keeps repeated ones', () => {
    const pairs = ['Warning', 'a', 'Connection', 'close', 'Transfer-Encoding', 'chunked', 'Warning', 'b'];
    const { headers } = wireAnswer({ status: 200, headers: pairs, body: '' }, 'GET');
    expect(headers).toEqual(['Warning', 'a', 'Warning', 'b', 'content-length', '0']);
    const record = wireAnswer({ status: 200, headers: { warning: ['a', 'b'], x: undefined } }, 'GET');
    expect(record.headers).toEqual(['warning', 'a', 'warning', 'b', 'content-length', '0']);
  });

  it('to HEAD keeps the length of the body it does not have', () => {
    expect(length(wireAnswer({ status: 200, headers: { 'content-length': '560' } }, 'HEAD').headers)).toBe('560');
  });

  it.each([204, 304])('with status %d has no body', (status) => {
    const answer = wireAnswer({ status, headers: {}, body: 'x' }, 'GET');
    expect(answer.body).toBeUndefined();
    expect(length(answer.headers)).toBeUndefined();
  });
});

describe('a refusal without a request', () => {
  it('is a complete answer in the shape of OpenSearch that ends its connection', () => {
    const [head = '', body = ''] = rawRefusal(new CrossfadeError('HEADERS_TOO_LARGE'), 'Too Large').split('\r\n\r\n');
    expect(head.split('\r\n')[0]).toBe('HTTP/1.1 431 Too Large');
    expect(head).toContain('x-crossfade-error: HEADERS_TOO_LARGE');
    expect(head).toContain('x-crossfade-not-sent: true');
    expect(head).toContain('connection: close');
    expect(head).toContain(`content-length: ${body.length}`);
    expect(JSON.parse(body)).toMatchObject({ status: 431, error: { type: 'crossfade_headers_too_large' } });
  });
});

describe('a finished request counts as', () => {
  it.each<[string, number, ErrorCode | undefined, boolean]>([
    ['ok', 200, undefined, true],
    ['ok', 304, undefined, true],
    ['client_error', 404, undefined, true],
    ['throttled', 429, undefined, true],
    ['server_error', 503, undefined, true],
    ['refused', 503, 'UPSTREAM_UNREACHABLE', true],
    ['refused', 400, 'BAD_FRAMING', true],
    ['failed', 502, 'UPSTREAM_RESET', true],
    ['failed', 200, 'UPSTREAM_RESET', false],
    ['client_closed', 499, 'CLIENT_CLOSED', false],
    ['client_closed', 200, undefined, false],
  ])('%s: status %d, error %s, complete %s', (outcome, status, errorCode, complete) => {
    expect(outcomeOf({ status, errorCode, complete })).toBe(outcome);
  });
});
