/** What node's HTTP parser, or its clock, gives a connection up for, and the refusal that the client is told. */
import { CrossfadeError } from '../errors.ts';

export type ParserError = Error & { code?: string; reason?: string };
/** The client left, within a request or between two. */
export const hasClientLeft = ({ code }: ParserError): boolean =>
  code === 'ECONNRESET' || code === 'EPIPE' || code === 'HPE_INVALID_EOF_STATE';

export const refusalFor = (error: ParserError): CrossfadeError => {
  if (error.code === 'HPE_HEADER_OVERFLOW') return new CrossfadeError('HEADERS_TOO_LARGE');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return new CrossfadeError('REQUEST_TIMEOUT');
  const why = error.reason === undefined ? undefined : `Malformed request: ${error.reason}.`;
  return new CrossfadeError('BAD_FRAMING', why, { cause: error });
};
