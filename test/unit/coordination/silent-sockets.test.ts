import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { endingSilentSockets } from '../../../src/coordination/silent-sockets.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const listening = async (serve: (socket: Socket) => void): Promise<number> => {
  const server = createServer((socket) => serve(socket.on('error', () => undefined)));
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
};

const due: (() => void)[] = [];
const limits = { timeoutMs: 3_000, timers: { set: (task: () => void) => (due.push(task), () => undefined) } };
const passTime = (): void => due.splice(0).forEach((task) => task());
/** As the NATS client treats its sockets. */
const connected = async (socket: Socket): Promise<Socket> => {
  await once(socket, 'connect');
  return socket.removeAllListeners();
};

it('ends a connection that was accepted and never greeted, though nobody listens to it', async () => {
  const port = await listening(() => undefined);
  const socket = await connected(endingSilentSockets(limits, () => connect(port, '127.0.0.1')));
  passTime();
  expect(socket.destroyed).toBe(true);
});

it('keeps a connection that was greeted, and those that others make', async () => {
  const port = await listening((socket) => socket.write('INFO {}\r\n'));
  const silent = await listening(() => undefined);
  const greeted = await connected(endingSilentSockets(limits, () => connect(port, '127.0.0.1')));
  await once(greeted, 'data');
  const foreign = await connected(connect(silent, '127.0.0.1'));
  passTime();
  expect([greeted.destroyed, foreign.destroyed]).toEqual([false, false]);
  for (const socket of [greeted, foreign]) socket.destroy();
});

it('ends one that is made later, by what was begun in its context', async () => {
  const port = await listening(() => undefined);
  const later = endingSilentSockets(limits, async () => {
    await new Promise(setImmediate);
    return { socket: connect(port, '127.0.0.1') };
  });
  const socket = await connected((await later).socket);
  passTime();
  expect(socket.destroyed).toBe(true);
});
