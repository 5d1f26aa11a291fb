/**
 * How a connection ends whose client may still be sending (RFC 9112 9.6): to close it with bytes unread would turn the close
 * into a reset, and that takes from the client the answer it has not read yet. So our side ends first, and what comes is
 * read off until the client leaves, falls silent, or has had time enough.
 */
import { Socket } from 'node:net';

/** Silence after which the client is taken to have read its answer. */
const silenceMs = 1000;
const maxRounds = 10;

/** Whoever reads the connection goes on reading. */
export const linger = (socket: Socket): void => {
  if (socket.writableEnded) return;
  socket.end();
  let read = socket.bytesRead;
  let rounds = 0;
  const watch = setInterval(() => {
    if (socket.bytesRead === read || ++rounds === maxRounds) socket.destroy();
    read = socket.bytesRead;
  }, silenceMs).unref();
  socket.once('close', () => clearInterval(watch));
};

/** Whoever ends the connection from now on, node:http included, lets it linger if the client is still sending then. */
export const lingerWhile = (socket: Socket, isSending: () => boolean): void => {
  socket.destroySoon = () => {
    if (isSending()) linger(socket);
    else Socket.prototype.destroySoon.call(socket);
  };
};
