/** The listener over TLS: the same requests and answers as in the clear, whatever becomes of the connections. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Front, netStub, rawConnection, startFront, stubCluster } from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';
import { tlsBytes, tlsFile } from '../../support/tls.ts';

const { cleanups, keep } = keeping();
const files = { certFile: tlsFile('server.pem'), keyFile: tlsFile('server.key') };
const trusting = { ca: tlsBytes('ca.pem'), servername: 'localhost', host: '127.0.0.1' };
const inFront = async (url: string, tls = files): Promise<Front> => keep(await startFront(url, { tls }));
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

type Asked = { port: number; agent?: Agent; path?: string; body?: Buffer; headers?: Record<string, string> };
const ask = ({ port, agent, path = '/', body, headers = {} }: Asked): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const options = { ...trusting, port, path, method, headers, agent: agent ?? (false as const) };
    const asked = secureRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', reject);
    });
    asked.on('error', reject).end(body);
  });
const handshake = (port: number, options: ConnectionOptions = {}): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ ...trusting, port, ...options }, () => resolve(socket));
    socket.on('error', reject);
    cleanups.push(async () => void socket.destroy());
  });

describe('over TLS', () => {
  it('bodies of every size come back whole, over many connections at once', async () => {
    const stub = keep(await stubCluster((_, response, body) => response.end(body)));
    const { port, listener } = await inFront(stub.url);
    const agent = new Agent({ keepAlive: true, maxSockets: 25 });
    cleanups.push(async () => agent.destroy());
    const bodies = Array.from({ length: 75 }, (_, i) => Buffer.alloc(1 + i * i * 251, `body ${i} `));
    const echoed = await Promise.all(
      bodies.map((body, i) => {
        const headers: Record<string, string> = i % 3 === 0 ? { 'transfer-encoding': 'chunked' } : {};
        return ask({ port, agent, body, headers });
      }),
    );
    expect(echoed.map(sha)).toEqual(bodies.map(sha));
    expect(listener.connections).toBeLessThanOrEqual(25);
  });

  it('a client that named no port is told the one of TLS for every node', async () => {
    const nodes = '{"nodes":{"a":{"http":{"publish_address":"10.0.0.1:9200"}}}}';
    const stub = keep(await stubCluster((_, response) => response.end(nodes)));
    const { port } = await inFront(stub.url);
    const answer = await ask({ port, path: '/_nodes/http', headers: { host: 'search' } });
    expect(String(answer)).toBe(nodes.replace('10.0.0.1:9200', 'search:443'));
  });

  it('an answer of many megabytes is whole for a client that closes the connection with it', async () => {
    const body = Buffer.alloc(24 << 20, 'answer ');
    const stub = keep(await stubCluster((_, response) => response.end(body)));
    const { port } = await inFront(stub.url);
    for (const headers of [{ connection: 'close' }, { connection: 'keep-alive' }])
      expect(sha(await ask({ port, headers }))).toBe(sha(body));
  });

  it.each([
    ['simple', {}],
    ['of node:http', { 'transfer-encoding': 'chunked' }],
  ])('an answer that breaks off is broken for a client whose request is %s', async (_, headers) => {
    const half = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf';
    const stub = keep(await netStub((socket: Socket) => socket.once('data', () => socket.end(half))));
    const { port } = await inFront(stub.url);
    await expect(ask({ port, headers, body: Buffer.from('{}') })).rejects.toThrow();
  });

  it('an upload that is cut off without a word of TLS is no complete request', async () => {
    let seen = '';
    const stub = keep(await netStub((socket) => socket.on('data', (chunk) => (seen += chunk.toString('latin1')))));
    const front = await inFront(stub.url);
    const { socket } = await rawConnection(front.port, trusting);
    socket.write('POST /_bulk HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
    await eventually(() => seen.includes('half'));
    socket.destroy();
    await eventually(() => stub.sockets.size === 0 && front.events.length === 1);
    expect(seen).not.toMatch(/0\r\n\r\n$/);
    expect(front.events).toMatchObject([{ outcome: 'client_closed', status: 499 }]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s is taken up by the next connection', async (version) => {
    const stub = keep(await stubCluster());
    const { port } = await inFront(stub.url);
    const versions = { minVersion: version, maxVersion: version } as const;
    const sessions: Buffer[] = [];
    const first = connect({ ...trusting, ...versions, port }).on('session', (session) => sessions.push(session));
    cleanups.push(async () => void first.destroy());
    const session = await eventually(() => sessions[0]);
    const again = await handshake(port, { ...versions, session });
    expect([first.isSessionReused(), again.isSessionReused()]).toEqual([false, true]);
  });

  it('clients that offer HTTP/2 too speak HTTP/1.1, those that offer nothing else are refused', async () => {
    const { port } = await inFront('http://127.0.0.1:1');
    expect((await handshake(port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1');
    await expect(handshake(port, { ALPNProtocols: ['h2'] })).rejects.toThrow();
  });

  it('a renewed certificate is shown without a restart, and connections go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-tls-'));
    cleanups.push(async () => rmSync(folder, { recursive: true }));
    const put = (name: string, as: string): void => copyFileSync(tlsFile(name), join(folder, as));
    put('server.pem', 'cert.pem');
    put('server.key', 'key.pem');
    const stub = keep(await stubCluster());
    const { port } = await inFront(stub.url, { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') });
    const agent = new Agent({ keepAlive: true });
    cleanups.push(async () => agent.destroy());
    await ask({ port, agent });
    // One after the other, as they are renewed: in between they do not fit.
    put('client.pem', 'cert.pem');
    const shown = async (): Promise<unknown> => {
      const socket = await handshake(port, { rejectUnauthorized: false });
      socket.end();
      return socket.getPeerCertificate().subject?.CN;
    };
    expect(await shown()).toBe('server.example');
    put('client.key', 'key.pem');
    await eventually(async () => (await shown()) === 'client.example', { timeoutMs: 30_000, everyMs: 250 });
    expect(String(await ask({ port, agent }))).toBe('{}');
  });
});
