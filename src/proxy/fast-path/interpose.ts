/**
 * Puts the fast path between a server of node:http and its new connections. node registers its reader of connections as
 * a listener like any other; here it becomes the one that connections are handed to when they are not simple, or no
 * longer are. Clocks, limits and TLS stay the server's own.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { CrossfadeError } from '../../errors.ts';
import type { ClientConnection } from '../client-connection.ts';
import { FastConnection, type FastPathHost } from './fast-connection.ts';

export type InterposeOptions = Omit<FastPathHost, 'handOver'> & {
  event: 'connection' | 'secureConnection';
  /** Told of every new connection first. */
  accept: (socket: Socket) => ClientConnection;
  /** false: node:http reads this one from its first byte. */
  mayBeFast: (connection: ClientConnection) => boolean;
};

type Reader = (this: Server, socket: Socket) => void;

export const interpose = (server: Server, options: InterposeOptions): void => {
  const { event, accept, mayBeFast } = options;
  const [readByNode] = server.listeners(event) as Reader[];
  if (readByNode === undefined) throw new CrossfadeError('INTERNAL', 'node:http takes its connections in another way.');
  const host: FastPathHost = { ...options, handOver: ({ socket }) => readByNode.call(server, socket) };
  server.removeAllListeners(event);
  server.on(event, (socket: Socket) => {
    const connection = accept(socket);
    if (mayBeFast(connection)) new FastConnection(connection, host);
    else host.handOver(connection);
  });
};
