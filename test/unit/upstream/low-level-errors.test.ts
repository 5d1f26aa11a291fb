import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../src/errors.ts';
import { isReset, mapSent, mapUnsent } from '../../../src/upstream/low-level-errors.ts';
import { WireError, type WireFault } from '../../../src/upstream/wire/wire-error.ts';

const cluster = 'the target cluster (http://b:9200)';
const failure = (code: string): Error => Object.assign(new Error('x'), { code });
const wire = (fault: WireFault): WireError => new WireError(fault, 'x');

describe('an error before the request was handed to a connection', () => {
  it.each([
    [failure('ECONNREFUSED'), 'UPSTREAM_UNREACHABLE'],
    [failure('ENOTFOUND'), 'UPSTREAM_UNREACHABLE'],
    [failure('ETIMEDOUT'), 'UPSTREAM_UNREACHABLE'],
    [failure('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'UPSTREAM_UNREACHABLE'],
    [failure('ECONNRESET'), 'UPSTREAM_UNREACHABLE'],
    [wire('connect-timeout'), 'UPSTREAM_UNREACHABLE'],
    [wire('cut'), 'UPSTREAM_UNREACHABLE'],
    [wire('refused'), 'BAD_FRAMING'],
    [wire('closed'), 'NOT_READY'],
  ])('%o is %s, and may be repeated', (error, expected) => {
    const mapped = mapUnsent(error, cluster);
    expect(mapped.code).toBe(expected);
    expect(mapped.notSent).toBe(true);
    if (expected === 'UPSTREAM_UNREACHABLE') expect(mapped.message).toContain(cluster);
  });
});

describe('an error after the request was begun', () => {
  it.each([
    [failure('ECONNRESET'), 'UPSTREAM_RESET'],
    [failure('EPIPE'), 'UPSTREAM_RESET'],
    [wire('cut'), 'UPSTREAM_RESET'],
    [wire('closed'), 'UPSTREAM_RESET'],
    [wire('body'), 'UPSTREAM_RESET'],
    [wire('invalid'), 'UPSTREAM_INVALID'],
    [failure('ETIMEDOUT'), 'UPSTREAM_TIMEOUT'],
    [undefined, 'UPSTREAM_RESET'],
  ])('%o is %s, and its outcome is unknown', (error, expected) => {
    const mapped = mapSent(error, cluster);
    expect(mapped.code).toBe(expected);
    expect(mapped.notSent).toBe(false);
    expect(mapped.message).toContain(cluster);
  });

  it('that is one of ours stays what it is', () => {
    const own = new CrossfadeError('BODY_TOO_LARGE');
    expect(mapSent(own, cluster)).toBe(own);
  });
});

describe('a connection', () => {
  it.each([
    [failure('ECONNRESET'), true],
    [failure('EPIPE'), true],
    [wire('cut'), true],
    [wire('invalid'), false],
    [wire('closed'), false],
    [failure('ECONNREFUSED'), false],
  ])('that fails with %o was cut: %s', (error, reset) => {
    expect(isReset(error)).toBe(reset);
  });
});
