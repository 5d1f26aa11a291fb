/**
 * How connections end on which nothing further is obeyed: with the answers they are owed, and after these with the refusal
 * of what was no request. A refusal without a request is observed like one.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { CrossfadeError } from '../errors.ts';
import type { ClientConnection } from './client-connection.ts';
import type { RequestEvent } from './client-request.ts';
import { linger } from './lingering.ts';
import { hasClientLeft, type ParserError, refusalFor } from './parser-errors.ts';
import { outcomeOf, rawRefusal } from './respond.ts';

const refusedEvent = ({ status, code }: CrossfadeError): RequestEvent => ({
  family: 'unclassified',
  access: 'unknown',
  routeSlug: undefined,
  side: 'none',
  upstreamMs: 0,
  clientMs: 0,
  status,
  outcome: outcomeOf({ status, errorCode: code, complete: true }),
  durationMs: 0,
  errorCode: code,
});

export class Refusals {
  readonly #observe: ((event: RequestEvent) => void) | undefined;

  constructor(observe: ((event: RequestEvent) => void) | undefined) {
    this.#observe = observe;
  }

  /** For a connection that is closing, once the answers it was owed are out. */
  end(connection: ClientConnection): void {
    if (connection.socket.destroyed) return;
    if (connection.refusal !== undefined) this.#write(connection.socket, connection.refusal);
    else connection.socket.destroySoon();
  }

  /** The parser, or its clock, gave this connection up. */
  malformed(error: ParserError, socket: Socket, connection: ClientConnection | undefined): void {
    if (connection === undefined || hasClientLeft(error)) {
      socket.destroy();
      return;
    }
    // Told again with all that comes; and a connection that is ending is ended by whoever began it.
    if (connection.broken || !socket.writable) return;
    connection.broken = true;
    const { current, closing } = connection;
    connection.closing = true;
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) socket.destroy();
    else if (current?.incomplete) current.breakBody(refusalFor(error));
    else if (!closing && error.code !== 'HPE_CLOSED_CONNECTION') connection.refusal = refusalFor(error);
    if (connection.pending.length === 0) this.end(connection);
  }

  connectRequest(socket: Socket, connection: ClientConnection | undefined): void {
    // node's parser reads this connection no further.
    socket.on('error', () => socket.destroy()).resume();
    if (connection === undefined || connection.pending.length > 0 || connection.closing) socket.destroy();
    else this.#write(socket, new CrossfadeError('BAD_TARGET', 'CONNECT is not served here.'));
  }

  #write(socket: Socket, error: CrossfadeError): void {
    socket.write(rawRefusal(error, STATUS_CODES[error.status] ?? ''));
    linger(socket);
    this.#observe?.(refusedEvent(error));
  }
}
