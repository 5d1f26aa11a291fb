import { jserrors } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/transport-node';
import { describe, expect, it } from 'vitest';
import { casFailure, isConflict, isStreamMissing, toStoreError } from '../../../src/coordination/nats-errors.ts';
import { CrossfadeError } from '../../../src/errors.ts';

const api = (code: number, description = 'x') =>
  new jserrors.JetStreamApiError({ code: 400, err_code: code, description });
const denied = new errors.RequestError('denied', {
  cause: new errors.PermissionViolationError('denied', 'publish', '$KV.crossfade.meta'),
});

describe('a failed compare-and-set', () => {
  it.each<[string, unknown, string]>([
    ['a wrong last revision', api(10071, 'wrong last sequence: 7'), 'conflict'],
    ['another proposal in flight', api(10164), 'conflict'],
    ['a refusal by the server', api(10077), 'unavailable'],
    ['nobody there to receive it', new jserrors.JetStreamNotEnabled('jetstream is not enabled'), 'unavailable'],
    ['no connection', new CrossfadeError('STORE_UNAVAILABLE'), 'unavailable'],
    ['a time-out', new errors.TimeoutError(), 'unknown'],
    ['a connection that closed meanwhile', new errors.ClosedConnectionError(), 'unknown'],
    ['anything not foreseen', new Error('odd'), 'unknown'],
  ])('by %s is told apart', (_, error, reason) => {
    expect(casFailure(error)).toBe(reason);
  });

  it('by a missing permission is thrown, because no retry mends it', () => {
    expect(() => casFailure(denied)).toThrowError(/permissions.*publish \$KV\.crossfade\.meta/);
  });
});

describe('errors of the client', () => {
  it.each<[string, unknown, 'read' | 'write', string]>([
    ['a read that times out', new errors.TimeoutError(), 'read', 'STORE_UNAVAILABLE'],
    ['a write that times out', new errors.TimeoutError(), 'write', 'STORE_OUTCOME_UNKNOWN'],
    ['a write that was refused', api(10077), 'write', 'STORE_UNAVAILABLE'],
    ['a missing permission', denied, 'read', 'STORE_UNSUPPORTED'],
    ['an error of ours', new CrossfadeError('STORE_CONFLICT'), 'write', 'STORE_CONFLICT'],
  ])('for %s become one of ours, with the cause', (_, error, access, code) => {
    const mapped = toStoreError(error, access);
    expect(mapped.code).toBe(code);
    if (mapped !== error) expect(mapped.cause).toBe(error);
  });

  it('say when a bucket is missing', () => {
    const missing = new jserrors.StreamNotFoundError({ code: 404, err_code: 10059, description: 'stream not found' });
    expect([isStreamMissing(missing), isStreamMissing(api(10071)), isConflict(missing)]).toEqual([true, false, false]);
  });
});
