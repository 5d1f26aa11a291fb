/**
 * Puts the head of a message and a body, or its first piece, on a socket in one go: small ones copied into one buffer and
 * one write, large ones after their head without being copied.
 */
import type { Socket } from 'node:net';
import { writeLatin1 } from './latin1.ts';

/** Copying so much costs less than a second piece in the write. */
const maxJoinedBytes = 16 * 1024;

const joined = (head: string, body: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  writeLatin1(bytes, head);
  bytes.set(body, head.length);
  return bytes;
};

/** `head`: latin1. `written` is called when the last byte left. Returns false when the socket should drain first. */
export const writeMessage = (
  socket: Socket,
  { head, body }: { head: string; body: Uint8Array },
  written?: (error?: Error | null) => void,
): boolean => {
  if (body.length <= maxJoinedBytes) return socket.write(joined(head, body), written);
  socket.cork();
  socket.write(head, 'latin1');
  const isReady = socket.write(body, written);
  socket.uncork();
  return isReady;
};
