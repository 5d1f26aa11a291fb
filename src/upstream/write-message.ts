/**
 * Puts the head of a message and a body, or its first piece, on a socket in one go: small ones copied into one buffer and
 * one write, large ones after their head without being copied. The system mostly takes such a write at once, so all
 * messages are put together in one place; bytes that a socket still needs are never written over.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { writeLatin1 } from './latin1.ts';

type Written = (error?: Error | null) => void;

/** Copying so much costs less than a second piece in the write. */
const maxJoinedBytes = 16 * 1024;
const placeBytes = 32 * 1024;

let place: Buffer | undefined;

const joinInto = (bytes: Buffer, head: string, body: Uint8Array): Buffer => {
  writeLatin1(bytes, head);
  bytes.set(body, head.length);
  return bytes;
};

const writeJoined = (socket: Socket, head: string, body: Uint8Array, written?: Written): boolean => {
  const size = head.length + body.length;
  // What TLS makes of the bytes leaves later.
  if (size > placeBytes || (socket as Partial<TLSSocket>).encrypted === true)
    return socket.write(joinInto(Buffer.allocUnsafe(size), head, body), written);
  place ??= Buffer.allocUnsafeSlow(placeBytes);
  const isReady = socket.write(joinInto(place.subarray(0, size), head, body), written);
  // Not all of it was taken: the rest is the socket's from now on.
  if (socket.writableLength > 0) place = undefined;
  return isReady;
};

/** `head`: latin1. `written` is called when the last byte left. Returns false when the socket should drain first. */
export const writeMessage = (
  socket: Socket,
  { head, body }: { head: string; body: Uint8Array },
  written?: Written,
): boolean => {
  if (body.length <= maxJoinedBytes) return writeJoined(socket, head, body, written);
  socket.cork();
  socket.write(head, 'latin1');
  const isReady = socket.write(body, written);
  socket.uncork();
  return isReady;
};
