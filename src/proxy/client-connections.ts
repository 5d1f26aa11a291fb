/**
 * The open connections of clients: numbers them, makes those beyond the limit unwelcome, tells the requests of one that is
 * gone, and knows when nobody is left. What comes over a connection is for its reader.
 */
import type { Socket } from 'node:net';
import { CrossfadeError } from '../errors.ts';
import { ClientConnection } from './client-connection.ts';
import { watchHalfClosed } from './half-closed.ts';

export type LeaveTimes = {
  /** How long clients may take to leave. */
  graceMs: number;
  /** How long nobody may have been connected before clients count as gone; for those that connect for each request. */
  quietMs?: number;
};

export class ClientConnections {
  readonly #open = new Map<Socket, ClientConnection>();
  readonly #maxConnections: number;
  #serial = 0;
  #draining = false;
  #onChange: (() => void) | undefined;

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  get size(): number {
    return this.#open.size;
  }

  of(socket: Socket): ClientConnection | undefined {
    return this.#open.get(socket);
  }

  accept(socket: Socket): ClientConnection {
    const connection = new ClientConnection((++this.#serial).toString(36), socket);
    connection.draining = this.#draining;
    if (this.#open.size >= this.#maxConnections) connection.unwelcome = new CrossfadeError('TOO_MANY_CONNECTIONS');
    this.#open.set(socket, connection);
    this.#onChange?.();
    socket.once('end', () => {
      if (connection.pending.length > 0) watchHalfClosed(socket);
    });
    socket.once('close', () => this.#closed(connection));
    return connection;
  }

  /** Each ends with its next answer, those still to come included. */
  drain(): void {
    this.#draining = true;
    for (const connection of this.#open.values()) connection.draining = true;
  }

  /** true when no connection is left, false when the grace is over first. */
  gone({ graceMs, quietMs = 0 }: LeaveTimes): Promise<boolean> {
    return new Promise((resolve) => {
      let quiet: NodeJS.Timeout | undefined;
      const finish = (gone: boolean): void => {
        clearTimeout(grace);
        clearTimeout(quiet);
        this.#onChange = undefined;
        resolve(gone);
      };
      const grace = setTimeout(() => finish(this.#open.size === 0), graceMs);
      this.#onChange = () => {
        clearTimeout(quiet);
        if (this.#open.size === 0) quiet = setTimeout(finish, quietMs, true);
      };
      this.#onChange();
    });
  }

  destroy(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #closed(connection: ClientConnection): void {
    this.#open.delete(connection.socket);
    // node tells only the request whose turn it is to be answered.
    for (const exchange of [...connection.pending]) exchange.closed();
    this.#onChange?.();
  }
}
