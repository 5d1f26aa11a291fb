/** Who sends all of a request before it reads the answer gets to read it, also when the connection ends with that answer. */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { eventually } from '../../support/eventually.ts';
import { type Front, type Raw, rawConnection, startFront, stubCluster } from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';
import { tlsBytes, tlsFile } from '../../support/tls.ts';

const { cleanups, keep } = keeping();
type Options = NonNullable<Parameters<typeof startFront>[1]>;
const H = 'Host: a\r\n';
const bodyBytes = 4 << 20;
const piece = Buffer.alloc(1 << 16, 'x');
const post = (headers: string): string => `POST /_bulk HTTP/1.1\r\n${H}${headers}\r\n`;
const counted = `Content-Length: ${bodyBytes}\r\n`;
const tooLarge = async (request: ClientRequest): Promise<void> => void (await request.readBody({ maxBytes: 10 }));

const connected = async (front: Front, tls = false): Promise<Raw> => {
  const trusting = { ca: tlsBytes('ca.pem'), servername: 'localhost' };
  const client = await rawConnection(front.port, tls ? trusting : undefined);
  cleanups.push(async () => void client.socket.destroy());
  return client;
};

/** Sends the head, waits until it is answered or broken off, sends the rest, and only then reads. */
const sendBeforeReading = async (front: Front, head: string, tls: boolean): Promise<string> => {
  const { socket, closed } = await connected(front, tls);
  socket.pause();
  socket.write(head);
  await eventually(() => front.events.length > 0);
  for (let sent = 0; sent < bodyBytes && !socket.destroyed; sent += piece.length)
    await new Promise((resolve) => socket.write(piece, resolve));
  socket.resume();
  return closed;
};

const drained = async (front: Front): Promise<void> =>
  void front.listener.drain({ graceMs: 60_000, stopAccepting: true });
const crowded = async (front: Front, tls: boolean): Promise<void> => {
  await connected(front, tls);
  await eventually(() => front.listener.connections === 1);
};

describe.each([
  ['in the clear', false],
  ['over TLS', true],
])('%s, a client that sends before it reads', (_, tls) => {
  it.each<[string, string, string, Options, ((front: Front, tls: boolean) => Promise<void>)?]>([
    ['two Hosts', post(H + counted), 'BAD_FRAMING', {}],
    ['two Hosts and chunks', post(`${H}Transfer-Encoding: chunked\r\n`) + '400000\r\n', 'BAD_FRAMING', {}],
    ['a malformed head', post(`X : 1\r\n${counted}`), 'BAD_FRAMING', {}],
    ['a malformed chunk', post('Transfer-Encoding: chunked\r\n') + '0 0\r\n', 'BAD_FRAMING', {}],
    ['CONNECT', `CONNECT a:80 HTTP/1.1\r\n${H}\r\n`, 'BAD_TARGET', {}],
    ['a connection too many', post(counted), 'TOO_MANY_CONNECTIONS', { limits: { maxConnections: 1 } }, crowded],
    ['a body that is too large', post(`Connection: close\r\n${counted}`), 'BODY_TOO_LARGE', { handle: tooLarge }],
  ])('reads what it was refused for: %s', async (__, head, code, options, before) => {
    const stub = keep(await stubCluster());
    const secure = { tls: { certFile: tlsFile('server.pem'), keyFile: tlsFile('server.key') } };
    const front = keep(await startFront(stub.url, { ...options, ...(tls ? secure : {}) }));
    await before?.(front, tls);
    const answer = await sendBeforeReading(front, head, tls);
    expect(answer).toMatch(/^HTTP\/1\.1 [45]\d\d .*connection: close/is);
    expect(answer).toContain(`x-crossfade-error: ${code}`);
    expect(stub.seen).toEqual([]);
  });
});

describe('a connection whose client is still sending when it ends', () => {
  const refusedWhileDraining = async (more: (socket: Socket) => void) => {
    const seen: string[] = [];
    let refuse: () => void = () => undefined;
    const handle = (request: ClientRequest): undefined => {
      seen.push(request.path);
      refuse = () => void tooLarge(request).catch((error) => request.respondError(error));
    };
    const front = keep(await startFront('http://127.0.0.1:1', { handle }));
    const { socket, closed } = await connected(front);
    socket.write(post('Content-Length: 100000\r\n'));
    await eventually(() => seen.length === 1);
    await drained(front);
    refuse();
    await eventually(() => front.events.length === 1);
    more(socket);
    return { front, seen, closed };
  };

  it('reads what comes, and obeys nothing of it', async () => {
    const next = `DELETE /products HTTP/1.1\r\n${H}\r\n`;
    const { seen, closed } = await refusedWhileDraining((socket) => socket.write('x'.repeat(100_000) + next));
    expect(await closed).toMatch(/^HTTP\/1\.1 413 .*connection: close/is);
    expect(seen).toEqual(['/_bulk']);
  });

  it('does not wait for a client that sends nothing and does not leave', async () => {
    const { front } = await refusedWhileDraining((socket) => void (socket.allowHalfOpen = true));
    await eventually(() => front.listener.connections === 0);
  });
});
