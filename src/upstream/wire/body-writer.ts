/**
 * Puts a request on a socket: a small one as one buffer and one write, a large body after its head without being copied,
 * a streamed one piece by piece at the pace of the socket. The head waits for the first piece, which tells how the body is
 * framed. A body that is longer or shorter than declared is an error, and the caller must give the connection up.
 */
import type { Socket } from 'node:net';
import type { PulledBody } from '../pulled-body.ts';
import { writeMessage } from '../write-message.ts';
import type { Asker } from './asker.ts';
import { chunkedLines, lengthLines } from './request-head.ts';
import { WireError } from './wire-error.ts';

const empty = new Uint8Array(0);

export const writeWhole = (socket: Socket, { method, head }: Asker, body: Buffer | null): void => {
  const whole = head + lengthLines(method, body === null ? 0 : body.length);
  writeMessage(socket, { head: whole, body: body ?? empty });
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
    return isFirst
      ? writeMessage(this.#socket, { head: head + lengthLines(method, bodyLength), body: chunk })
      : this.#socket.write(chunk);
  }

  /** The line end after the data goes with the next size: a body that breaks off ends within a chunk. */
  #writeChunk(head: string, chunk: Uint8Array): boolean {
    const size = `${head === '' ? '\r\n' : head}${chunk.length.toString(16)}\r\n`;
    return writeMessage(this.#socket, { head: size, body: chunk });
  }

  #end(): void {
    const { method, head, bodyLength } = this.#asker;
    if (bodyLength !== undefined && this.#bytes !== bodyLength)
      throw new WireError('body', 'the body is shorter than declared');
    if (this.#bytes === 0) this.#socket.write(head + lengthLines(method, 0), 'latin1');
    else if (bodyLength === undefined) this.#socket.write('\r\n0\r\n\r\n', 'latin1');
  }
}
