/**
 * The one place where errors of sockets, TLS and the wire become codes. What matters to the client is whether its request
 * can have reached the cluster: an error before the request was handed to a connection means it surely did not
 * (UPSTREAM_UNREACHABLE, safe to repeat), any later one leaves the outcome unknown.
 */
import { CrossfadeError } from '../errors.ts';
import { WireError } from './wire/wire-error.ts';

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code;

/** A connection that existed was cut; it can have been stale from the start. */
export const isReset = (error: unknown): boolean => {
  if (error instanceof WireError) return error.fault === 'cut';
  const code = codeOf(error);
  return code === 'ECONNRESET' || code === 'EPIPE';
};

/** For a request that was never handed to a connection. */
export const mapUnsent = (error: unknown): CrossfadeError => {
  const fault = error instanceof WireError ? error.fault : undefined;
  if (fault === 'refused')
    return new CrossfadeError('BAD_FRAMING', `The request cannot be sent on: ${(error as Error).message}.`, {
      cause: error,
    });
  if (fault === 'closed') return new CrossfadeError('NOT_READY', 'The member is stopping.', { cause: error });
  return new CrossfadeError('UPSTREAM_UNREACHABLE', undefined, { cause: error });
};

/** For a request that was at least begun to be sent. */
export const mapSent = (error: unknown): CrossfadeError => {
  if (error instanceof CrossfadeError) return error;
  if (codeOf(error) === 'ETIMEDOUT') return new CrossfadeError('UPSTREAM_TIMEOUT', undefined, { cause: error });
  const isInvalid = error instanceof WireError && error.fault === 'invalid';
  return new CrossfadeError(isInvalid ? 'UPSTREAM_INVALID' : 'UPSTREAM_RESET', undefined, { cause: error });
};
