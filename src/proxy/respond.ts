/**
 * How answers are put into bytes: the one place that renders errors of our own, and the rules that make an answer's
 * headers safe to send whatever their origin. Also answers for connections whose request could not be parsed, where there
 * is no request to answer to. Pure.
 */
import { type CrossfadeError, type ErrorCode, errorTable, renderError } from '../errors.ts';
import type { Outcome } from '../metrics.ts';
import { isHopByHop, toPairs, withoutHeaders } from '../upstream/header-pairs.ts';
import type { ClientAnswer } from './client-request.ts';

export type WireAnswer = { status: number; reason: string | undefined; headers: string[]; body: Buffer | undefined };

const asPairs = (headers: ClientAnswer['headers']): readonly string[] =>
  Array.isArray(headers) ? headers : toPairs(headers as Readonly<Record<string, string>>);

const hasNoBody = (status: number): boolean => status === 204 || status === 304;

/** `method` decides whether a length without a body is meant: an answer to HEAD keeps the length of the GET's body. */
export const wireAnswer = (answer: ClientAnswer, method: string): WireAnswer => {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body, 'utf8') : answer.body;
  const keepsLength = (method === 'HEAD' && (body?.length ?? 0) === 0) || hasNoBody(answer.status);
  const headers = withoutHeaders(
    asPairs(answer.headers),
    (name) => isHopByHop(name) || (!keepsLength && name === 'content-length'),
  );
  if (!keepsLength) headers.push('content-length', String(body?.length ?? 0));
  return {
    status: answer.status,
    reason: answer.reason,
    headers,
    body: hasNoBody(answer.status) ? undefined : body,
  };
};

/** Errors after which the bytes of the connection mean nothing certain any more. */
const endsConnection: ReadonlySet<ErrorCode> = new Set([
  'BAD_FRAMING',
  'HEADERS_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'TOO_MANY_CONNECTIONS',
]);
export const mustClose = (error: CrossfadeError): boolean => endsConnection.has(error.code);

/** For a connection without a request to answer: the whole answer, the last of its connection. */
export const rawRefusal = (error: CrossfadeError, reason: string): string => {
  const { status, headers, body } = renderError(error);
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${reason}\r\n${head}\r\n${body}`;
};

/** How a finished request counts. */
export const outcomeOf = (end: { status: number; errorCode: ErrorCode | undefined; complete: boolean }): Outcome => {
  if (end.errorCode !== undefined && end.errorCode !== 'CLIENT_CLOSED')
    return errorTable[end.errorCode].notSent ? 'refused' : 'failed';
  if (!end.complete) return 'client_closed';
  if (end.status === 429) return 'throttled';
  if (end.status >= 500) return 'server_error';
  return end.status >= 400 ? 'client_error' : 'ok';
};
