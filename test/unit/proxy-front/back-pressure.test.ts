/** Nobody's bytes pile up in the sidecar: who is slower sets the pace, in both directions. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { netStub, rawConnection, startFront, stubCluster } from '../../support/front.ts';
import { tlsBytes, tlsFile, tlsStub, trust } from '../../support/tls.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const total = 96 << 20;
/** Socket buffers of the system on both connections, and what node keeps. */
const allowance = 32 << 20;
const piece = Buffer.alloc(1 << 16, 'p');

/** Writes until `total`, at the pace of the other side. */
const pump = (socket: Pick<Socket, 'write' | 'once'>): { written: number } => {
  const state = { written: 0 };
  const more = (): void => {
    while (state.written < total) {
      state.written += piece.length;
      if (!socket.write(piece)) return void socket.once('drain', more);
    }
  };
  more();
  return state;
};
const settled = (state: { written: number }) =>
  eventually(async () => {
    const before = state.written;
    await delay(150);
    return before > 0 && before === state.written;
  });

describe('back-pressure', () => {
  it('holds the client back while the cluster does not read', async () => {
    let upstream: Socket | undefined;
    let received = 0;
    const server = await netStub((socket) => {
      upstream = socket.pause();
      socket.on('data', (chunk) => {
        received += chunk.length;
        if (received > total) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
      socket.pause();
    });
    const front = await startFront(server.url);
    cleanups.push(server.close, front.close);
    const client = await rawConnection(front.port);
    client.socket.write(`POST /_bulk HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
    const sent = pump(client.socket);
    await settled(sent);
    expect(sent.written - client.socket.writableLength).toBeLessThan(allowance);
    upstream?.resume();
    await client.until(/ok$/);
    expect(received).toBeGreaterThan(total);
  });

  it.each([
    ['', false, false],
    [', whose connection is secure', true, false],
    [', over a secure connection to it', false, true],
  ])('holds the cluster back while the client%s does not read', async (_, isClientSecure, isClusterSecure) => {
    let sent = { written: 0 };
    const onSocket = (socket: Socket): void => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
        sent = pump(socket);
      });
    };
    const stub = isClusterSecure ? await tlsStub(onSocket) : await netStub(onSocket);
    const front = await startFront(stub.url, {
      ...(isClusterSecure ? { cluster: { tls: trust } } : {}),
      ...(isClientSecure ? { tls: { certFile: tlsFile('server.pem'), keyFile: tlsFile('server.key') } } : {}),
    });
    cleanups.push(stub.close, front.close);
    const trusting = { ca: tlsBytes('ca.pem'), servername: 'localhost' };
    const client = await rawConnection(front.port, isClientSecure ? trusting : undefined);
    client.socket.pause();
    client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await eventually(() => sent.written > 0);
    await settled(sent);
    expect(sent.written).toBeLessThan(allowance);
    let received = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk) => {
      received += chunk.length;
    });
    client.socket.resume();
    await client.closed;
    expect(received).toBeGreaterThan(total);
  });

  it('loses and changes nothing of what passes in both directions at once', async () => {
    const hash = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
    const stub = await stubCluster((_, response, body) => response.end(body));
    const front = await startFront(stub.url);
    cleanups.push(stub.close, front.close);
    const bodies = Array.from({ length: 4 }, (_, i) => Buffer.alloc((i + 1) * 3_000_001, `body ${i} `));
    const echoed = await Promise.all(
      bodies.map(async (body) => {
        const answer = await fetch(`${front.url}/echo`, { method: 'POST', body });
        return Buffer.from(await answer.arrayBuffer());
      }),
    );
    expect(echoed.map(hash)).toEqual(bodies.map(hash));
  });
});
