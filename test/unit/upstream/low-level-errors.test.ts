import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../src/errors.ts';
import { isReset, isStaleConnection, mapSent, mapUnsent } from '../../../src/upstream/low-level-errors.ts';

const failure = (code: string, more: Record<string, unknown> = {}): Error =>
  Object.assign(new Error('x'), { code }, more);
const socketError = (message: string): Error => Object.assign(new Error(message), { code: 'UND_ERR_SOCKET' });

describe('an error before the request was handed to a connection', () => {
  it.each([
    ['ECONNREFUSED', 'UPSTREAM_UNREACHABLE'],
    ['ENOTFOUND', 'UPSTREAM_UNREACHABLE'],
    ['ETIMEDOUT', 'UPSTREAM_UNREACHABLE'],
    ['UND_ERR_CONNECT_TIMEOUT', 'UPSTREAM_UNREACHABLE'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UPSTREAM_UNREACHABLE'],
    ['ECONNRESET', 'UPSTREAM_UNREACHABLE'],
    ['UND_ERR_INVALID_ARG', 'BAD_FRAMING'],
    ['UND_ERR_CLOSED', 'NOT_READY'],
    ['UND_ERR_DESTROYED', 'NOT_READY'],
  ])('%s is %s, and may be repeated', (code, expected) => {
    const mapped = mapUnsent(failure(code));
    expect(mapped.code).toBe(expected);
    expect(mapped.notSent).toBe(true);
  });
});

describe('an error after the request was begun', () => {
  it.each([
    [failure('ECONNRESET'), 'UPSTREAM_RESET'],
    [failure('EPIPE'), 'UPSTREAM_RESET'],
    [socketError('other side closed'), 'UPSTREAM_RESET'],
    [socketError('bad response'), 'UPSTREAM_INVALID'],
    [failure('UND_ERR_HEADERS_OVERFLOW'), 'UPSTREAM_INVALID'],
    [failure('HPE_INVALID_CONSTANT', { name: 'HTTPParserError' }), 'UPSTREAM_INVALID'],
    [failure('ETIMEDOUT'), 'UPSTREAM_TIMEOUT'],
    [undefined, 'UPSTREAM_RESET'],
  ])('%s is %s, and its outcome is unknown', (error, expected) => {
    const mapped = mapSent(error);
    expect(mapped.code).toBe(expected);
    expect(mapped.notSent).toBe(false);
  });

  it('that is one of ours stays what it is', () => {
    const own = new CrossfadeError('BODY_TOO_LARGE');
    expect(mapSent(own)).toBe(own);
  });
});

describe('a connection', () => {
  it.each([
    [failure('ECONNRESET', { syscall: 'read' }), true, true],
    [failure('EPIPE', { syscall: 'write' }), true, true],
    [socketError('other side closed'), true, true],
    // Within the TLS handshake: the server itself does not want us.
    [failure('ECONNRESET'), true, false],
    [failure('ECONNREFUSED', { syscall: 'connect' }), false, false],
  ])('that fails with %s: cut %s, cut while idle %s', (error, reset, stale) => {
    expect(isReset(error)).toBe(reset);
    expect(isStaleConnection(error)).toBe(stale);
  });
});
