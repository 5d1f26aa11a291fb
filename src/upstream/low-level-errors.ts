/**
 * The one place where errors of sockets, TLS, undici and its parser become codes. What matters to the client is whether
 * its request can have reached the cluster: an error before the request was handed to a connection means it surely did
 * not (UPSTREAM_UNREACHABLE, safe to repeat), any later one leaves the outcome unknown.
 */
import { CrossfadeError } from '../errors.ts';

type LowLevel = { code?: unknown; syscall?: unknown; message?: unknown; name?: unknown };
const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as LowLevel;
  return typeof code === 'string' ? code : '';
};
const textOf = (error: unknown): string => {
  const { message } = (error ?? {}) as LowLevel;
  return typeof message === 'string' ? message : '';
};

/** The request itself was refused by the HTTP library before anything was sent. */
const isRefusedRequest = (code: string): boolean => code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED';
const isClosedPool = (code: string): boolean => code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED';
const isTimeout = (code: string): boolean =>
  code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' || code === 'ETIMEDOUT';
const isInvalidAnswer = (error: unknown, code: string, text: string): boolean =>
  // The parser's own code is not always there.
  (error as LowLevel | null)?.name === 'HTTPParserError' ||
  code === 'UND_ERR_HEADERS_OVERFLOW' ||
  (code === 'UND_ERR_SOCKET' && (text === 'bad response' || text === 'bad upgrade'));

/** A connection that existed was cut; it can have been stale from the start. */
export const isReset = (error: unknown): boolean => {
  const code = codeOf(error);
  if (code === 'UND_ERR_SOCKET') return textOf(error) === 'other side closed' || textOf(error) === 'closed';
  return code === 'ECONNRESET' || code === 'EPIPE';
};

/** An existing connection died while the request still waited for its turn: it says nothing about the URL. */
export const isStaleConnection = (error: unknown): boolean => {
  const { syscall } = (error ?? {}) as LowLevel;
  return isReset(error) && (syscall === 'read' || syscall === 'write' || codeOf(error) === 'UND_ERR_SOCKET');
};

/** For a request that was never handed to a connection. */
export const mapUnsent = (error: unknown): CrossfadeError => {
  const code = codeOf(error);
  if (isRefusedRequest(code))
    return new CrossfadeError('BAD_FRAMING', `The request cannot be sent on: ${textOf(error)}.`, { cause: error });
  if (isClosedPool(code)) return new CrossfadeError('NOT_READY', 'The member is stopping.', { cause: error });
  return new CrossfadeError('UPSTREAM_UNREACHABLE', undefined, { cause: error });
};

/** For a request that was at least begun to be sent. */
export const mapSent = (error: unknown): CrossfadeError => {
  if (error instanceof CrossfadeError) return error;
  const code = codeOf(error);
  if (isTimeout(code)) return new CrossfadeError('UPSTREAM_TIMEOUT', undefined, { cause: error });
  if (isInvalidAnswer(error, code, textOf(error)))
    return new CrossfadeError('UPSTREAM_INVALID', undefined, { cause: error });
  return new CrossfadeError('UPSTREAM_RESET', undefined, { cause: error });
};
