/**
 * Maps the failures of the NATS client to this project's errors, once, where they enter. What matters most: was the
 * write surely not stored, or may it still be? Only an answer of the server, or nobody there to receive the message, is
 * proof; everything else leaves a write in doubt.
 */
import { jserrors } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/transport-node';
import { CrossfadeError } from '../errors.ts';

/** 10071 wrong last sequence; 10164 the same while another proposal for the key is in flight (2.11 and later). */
const conflictCodes: readonly number[] = [10071, 10164];

export const isConflict = (error: unknown): boolean =>
  error instanceof jserrors.JetStreamApiError && conflictCodes.includes(error.code);

export const isStreamMissing = (error: unknown): boolean => error instanceof jserrors.StreamNotFoundError;

const deniedBy = (error: unknown): string | undefined => {
  const cause = error instanceof errors.RequestError ? error.cause : error;
  return cause instanceof errors.PermissionViolationError ? `${cause.operation} ${cause.subject}` : undefined;
};

/** Proof that a write did not take effect. */
const surelyNotStored = (error: unknown): boolean =>
  error instanceof jserrors.JetStreamNotEnabled ||
  error instanceof jserrors.JetStreamApiError ||
  deniedBy(error) !== undefined;

export type Access = 'read' | 'write';

/** Errors of ours pass unchanged. `bucket`: what was asked, so that whoever finds it gone is told which one it was. */
export const toStoreError = (error: unknown, access: Access, bucket?: string): CrossfadeError => {
  if (error instanceof CrossfadeError) return error;
  const denied = deniedBy(error);
  if (denied !== undefined)
    return new CrossfadeError('STORE_UNSUPPORTED', `NATS permissions do not allow: ${denied}`, { cause: error });
  if (access === 'write' && !surelyNotStored(error))
    return new CrossfadeError('STORE_OUTCOME_UNKNOWN', undefined, { cause: error });
  if (bucket !== undefined && isStreamMissing(error))
    return new CrossfadeError('STORE_UNAVAILABLE', `bucket ${bucket} is gone`, { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new CrossfadeError('STORE_UNAVAILABLE', `The coordination store cannot be used: ${reason}`, { cause: error });
};

/** The reason of a failed compare-and-set; errors that no retry mends are thrown. */
export const casFailure = (error: unknown): 'conflict' | 'unknown' | 'unavailable' => {
  if (isConflict(error)) return 'conflict';
  const mapped = toStoreError(error, 'write');
  if (mapped.code === 'STORE_UNSUPPORTED') throw mapped;
  return mapped.code === 'STORE_OUTCOME_UNKNOWN' ? 'unknown' : 'unavailable';
};
