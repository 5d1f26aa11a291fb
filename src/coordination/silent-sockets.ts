/**
 * Ends connections on which a server never said a word. The NATS client gives such an attempt up, but keeps its socket: a server
 * that is stopped or stuck while its kernel accepts would cost one each few seconds, for as long as it lasts. Sockets are told
 * apart by the asynchronous context that they are made in. Invariant: a socket that has received a byte is never touched.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Timers } from './timers.ts';

type Limits = { timers: Timers; timeoutMs: number };
const context = new AsyncLocalStorage<Limits>();

const endIfSilent = (socket: Socket): void => {
  if (socket.bytesRead === 0) socket.destroy();
};

subscribe('net.client.socket', (message) => {
  const limits = context.getStore();
  const { socket } = message as { socket: Socket };
  if (limits === undefined) return;
  const cancel = limits.timers.set(() => endIfSilent(socket), limits.timeoutMs);
  // The client takes all listeners of a socket away; then the timer finds it closed.
  socket.once('close', cancel);
});

/** What `work` connects, also later and again, is given this long to be greeted. */
export const endingSilentSockets = <T>(limits: Limits, work: () => T): T => context.run(limits, work);
