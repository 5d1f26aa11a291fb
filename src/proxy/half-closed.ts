/**
 * A client that has ended its sending side either waits for its answer or has left: on the wire both look the same until
 * something is written to it. So it is served on for a short while in which nothing moves, and then taken for gone, which
 * cancels its request. A client that has left answers the first bytes with a reset and is known at once.
 */
import type { Socket } from 'node:net';

/** Clusters give such a client only the answers they have at once. */
const waitMs = 1000;

export const watchHalfClosed = (socket: Socket): void => {
  let written = socket.bytesWritten;
  const watch = setInterval(() => {
    if (socket.bytesWritten === written && socket.writableLength === 0) socket.destroy();
    written = socket.bytesWritten;
  }, waitMs);
  socket.once('close', () => clearInterval(watch));
};
