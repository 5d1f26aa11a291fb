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

/** `cluster`: which one and where, for whoever has two of them. */
const unreachable = (cluster: string, cause: unknown): CrossfadeError =>
  new CrossfadeError('UPSTREAM_UNREACHABLE', `No connection to ${cluster} could be made; the request was not sent.`, {
    cause,
  });
export const timedOut = (cluster: string, cause?: unknown): CrossfadeError =>
  new CrossfadeError('UPSTREAM_TIMEOUT', `No answer from ${cluster} in time.`, { cause });

/** For a request that was never handed to a connection. */
export const mapUnsent = (error: unknown, cluster: string): CrossfadeError => {
  const fault = error instanceof WireError ? error.fault : undefined;
  if (fault === 'refused')
    return new CrossfadeError('BAD_FRAMING', `The request cannot be sent on: ${(error as Error).message}.`, {
      cause: error,
    });
  if (fault === 'closed') return new CrossfadeError('NOT_READY', 'The member is stopping.', { cause: error });
  return unreachable(cluster, error);
};

/** For a request that was at least begun to be sent. */
export const mapSent = (error: unknown, cluster: string): CrossfadeError => {
  if (error instanceof CrossfadeError) return error;
  if (codeOf(error) === 'ETIMEDOUT') return timedOut(cluster, error);
  if (error instanceof WireError && error.fault === 'invalid')
    return new CrossfadeError('UPSTREAM_INVALID', `The answer of ${cluster} is not valid HTTP.`, { cause: error });
  const cut = `The connection to ${cluster} was closed before the answer was complete.`;
  return new CrossfadeError('UPSTREAM_RESET', cut, { cause: error });
};
