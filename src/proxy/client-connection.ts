/**
 * What the listener remembers of one client connection: how many answers are owed, whether more may be read from it, and
 * whether the bytes of a request that offered another protocol are all accounted for.
 *
 * The last point: after such a request node's parser drops whatever stood behind it in the same packet, and takes the next
 * packet for the start of a request. So until the connection is known to hold nothing but that request, nothing further
 * on it is obeyed, and if that cannot be shown, the connection ends with the answer. Clients that offer an upgrade with
 * every request and do not pipeline keep their connection.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { CrossfadeError } from '../errors.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { NodeExchange } from './node-exchange.ts';

const startLineExtra = ' '.length + ' HTTP/1.1\r\n'.length;

/** Bytes of the head as practically every client writes it; another spelling costs that client its connection. */
const headBytes = ({ method = '', url = '', rawHeaders }: IncomingMessage): number => {
  let bytes = method.length + url.length + startLineExtra + '\r\n'.length;
  for (let i = 0; i < rawHeaders.length; i += 2)
    bytes += (rawHeaders[i] as string).length + (rawHeaders[i + 1] as string).length + ': \r\n'.length;
  return bytes;
};

export class ClientConnection {
  readonly id: string;
  readonly socket: Socket;
  /** Requests whose answer is not out yet. */
  readonly pending: ClientExchange[] = [];
  /** The newest request that node:http reads. */
  current: NodeExchange | undefined;
  /** Nothing further is obeyed; the connection ends when the owed answers are out. */
  closing = false;
  /** The listener is being drained: the next answer is the last. */
  draining = false;
  /** Its bytes could not be parsed; whatever follows means nothing. */
  broken = false;
  /** Refusal to be written once the owed answers are out. */
  refusal: CrossfadeError | undefined;
  /** Every request on it is refused with this. */
  unwelcome: CrossfadeError | undefined;
  #requests = 0;
  #doubtfulEnd: number | undefined;
  #knownEnd: number | undefined;

  constructor(id: string, socket: Socket) {
    this.id = id;
    this.socket = socket;
  }

  /** The answer of this request is out, or never will be. */
  settled(exchange: ClientExchange): void {
    const at = this.pending.indexOf(exchange);
    if (at < 0) return;
    // An array and no Set: a long-lived hash table that changes with every request is garbage of the old generation.
    const last = this.pending.pop() as ClientExchange;
    if (last !== exchange) this.pending[at] = last;
  }

  /** A request of so many bytes was taken from the connection before node:http reads from it. */
  consumed(bytes: number): void {
    this.#knownEnd = (this.#requests++ === 0 ? 0 : (this.#knownEnd ?? 0)) + bytes;
  }

  /** False when the request must not be obeyed because its bytes cannot be trusted to be one. */
  obeys(request: IncomingMessage, upgrade: boolean, bodyLength: number | undefined): boolean {
    if (this.#doubtfulEnd !== undefined) this.closing = true;
    if (this.closing) return false;
    const start = this.#requests++ === 0 ? 0 : this.#knownEnd;
    this.#knownEnd = undefined;
    if (upgrade)
      this.#doubtfulEnd =
        start === undefined || bodyLength === undefined ? -1 : start + headBytes(request) + bodyLength;
    return true;
  }

  /** Asked when an answer is about to be written: does the connection end with it? */
  endsWithAnswer(): boolean {
    if (this.#doubtfulEnd !== undefined) this.#resolveDoubt(this.#doubtfulEnd);
    return (this.closing || this.draining) && this.pending.length === 1 && this.refusal === undefined;
  }

  #resolveDoubt(end: number): void {
    if (end !== this.socket.bytesRead) this.closing = true;
    else {
      this.#doubtfulEnd = undefined;
      this.#knownEnd = end;
    }
  }
}
