/**
 * Puts a request on a socket: a small one as one buffer and one write, a large body after its head without being copied,
 * a streamed one piece by piece at the pace of the socket. The head waits for the first piece, which tells how the body is
 * framed. A body that is longer or shorter than declared is an error, and the caller must give the connection up.
 */
import type { Socket } from 'node:net';
import { writeLatin1 } from '../latin1.ts';
import type { PulledBody } from '../pulled-body.ts';
import type { Asker } from './asker.ts';
import { chunkedLines, lengthLines } from './request-head.ts';
import { WireError } from './wire-error.ts';

/** Copying so much costs less than a second piece in the write. */
const maxJoinedBytes = 16 * 1024;

const joined = (head: string, body: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  writeLatin1(bytes, head);
  bytes.set(body, head.length);
  return bytes;
};

/** Head and body in one go. Returns false when the socket should drain first. */
const writeBoth = (socket: Socket, head: string, body: Uint8Array): boolean => {
  if (body.length <= maxJoinedBytes) return socket.write(joined(head, body));
  socket.cork();
  socket.write(head, 'latin1');
  const isReady = socket.write(body);
  socket.uncork();
  return isReady;
};

const empty = new Uint8Array(0);

export const writeWhole = (socket: Socket, { method, head }: Asker, body: Buffer | null): void => {
  writeBoth(socket, head + lengthLines(method, body === null ? 0 : body.length), body ?? empty);
};

/** A streamed body under way. */
export class BodyWriter {
  readonly #socket: Socket;
  readonly #asker: Asker;
  #bytes = 0;
  #drained: (() => void) | undefined;

  constructor(socket: Socket, asker: Asker) {
    this.#socket = socket;
    this.#asker = asker;
  }

  /**
   * Ends when all is written, or when the connection is closed.
   * @throws WireError body; or what the body throws
   */
  async pull(body: PulledBody): Promise<void> {
    for await (const chunk of body) {
      if (chunk.length > 0 && !this.#write(chunk)) await this.#drain();
      if (this.#socket.destroyed) return;
    }
    this.#end();
  }

  /** The socket has drained or is closed. */
  go(): void {
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }

  #drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#socket.destroyed) this.go();
    });
  }

  #write(chunk: Uint8Array): boolean {
    const { method, head, bodyLength } = this.#asker;
    const isFirst = this.#bytes === 0;
    this.#bytes += chunk.length;
    if (bodyLength === undefined) return this.#writeChunk(isFirst ? head + chunkedLines : '', chunk);
    if (this.#bytes > bodyLength) throw new WireError('body', 'the body is longer than declared');
    return isFirst ? writeBoth(this.#socket, head + lengthLines(method, bodyLength), chunk) : this.#socket.write(chunk);
  }

  /** The line end after the data goes with the next size: a body that breaks off ends within a chunk. */
  #writeChunk(head: string, chunk: Uint8Array): boolean {
    const size = `${head === '' ? '\r\n' : head}${chunk.length.toString(16)}\r\n`;
    return writeBoth(this.#socket, size, chunk);
  }

  #end(): void {
    const { method, head, bodyLength } = this.#asker;
    if (bodyLength !== undefined && this.#bytes !== bodyLength)
      throw new WireError('body', 'the body is shorter than declared');
    if (this.#bytes === 0) this.#socket.write(head + lengthLines(method, 0), 'latin1');
    else if (bodyLength === undefined) this.#socket.write('\r\n0\r\n\r\n', 'latin1');
  }
}
