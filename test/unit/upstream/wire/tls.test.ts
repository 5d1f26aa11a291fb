/** Answers over TLS: whole or told as broken, whatever becomes of the connection; and which connection it is. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { AnswerSink, Cluster, StreamRequest } from '../../../../src/upstream/types.ts';
import { eventually } from '../../../support/eventually.ts';
import { openCluster } from '../../../support/front.ts';
import { keeping } from '../../../support/keeping.ts';
import { tlsBytes, tlsFile, tlsStub, trust } from '../../../support/tls.ts';

const { cleanups, keep } = keeping();
const cluster = (url: string, config: Record<string, unknown> = {}, now?: () => number): Cluster =>
  keep(openCluster(url, { tls: trust, ...config }, now === undefined ? {} : { now }));

type Heard = { status: number; body: Buffer; error: string | undefined };
/** `slow`: takes a piece, and the next one only after some turns. */
const ask = (from: Cluster, request: Partial<StreamRequest> = {}, slow = false): Promise<Heard> =>
  new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let status = 0;
    const end = (error?: string): void => resolve({ status, body: Buffer.concat(pieces), error });
    const sink: AnswerSink = {
      onHead: (given) => {
        status = given;
      },
      onData: (piece) => {
        pieces.push(piece);
        if (slow) setTimeout(() => stream.resume(), 1);
        return !slow;
      },
      onEnd: () => end(),
      onError: ({ code }) => end(code),
    };
    const stream = from.stream({ method: 'GET', path: '/', headers: [], body: null, ...request }, sink);
  });
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const answer = (text: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
const head = (rest: string): string => `HTTP/1.1 200 OK\r\n${rest}\r\n\r\n`;
/** Without a message of TLS that says so. */
const cutOff = (socket: TLSSocket, text: string): unknown => socket.write(text, () => socket.destroy());

describe('an answer over TLS', () => {
  it.each<[string, (socket: TLSSocket) => unknown, string | undefined]>([
    ['of known length is whole', (socket) => socket.write(answer('half')), undefined],
    ['of known length is whole before a proper end', (socket) => socket.end(answer('half')), undefined],
    ['of known length is whole before a cut', (socket) => cutOff(socket, answer('half')), undefined],
    ['of known length is broken', (socket) => cutOff(socket, `${head('content-length: 5')}half`), 'UPSTREAM_RESET'],
    [
      'of known length is broken by a proper end',
      (socket) => socket.end(`${head('content-length: 5')}half`),
      'UPSTREAM_RESET',
    ],
    [
      'in chunks is broken',
      (socket) => cutOff(socket, `${head('transfer-encoding: chunked')}4\r\nhalf\r\n`),
      'UPSTREAM_RESET',
    ],
    [
      'that would end with the connection is broken',
      (socket) => cutOff(socket, `${head('x: y')}half`),
      'UPSTREAM_RESET',
    ],
    [
      'that would end with the connection cannot be told from a broken one',
      (socket) => socket.end(`${head('x: y')}half`),
      'UPSTREAM_RESET',
    ],
    ['that never begins is broken', (socket) => socket.destroy(), 'UPSTREAM_RESET'],
    ['that is no HTTP is invalid', (socket) => socket.write('220 smtp\r\n'), 'UPSTREAM_INVALID'],
  ])('%s', async (_, behave, error) => {
    const server = keep(await tlsStub((socket) => socket.once('data', () => behave(socket))));
    const heard = await ask(cluster(server.url), { method: 'POST', body: Buffer.from('{}') });
    expect(heard.error).toBe(error);
    if (error === undefined) expect(heard.body.toString()).toBe('half');
  });

  it('of many megabytes is whole at a slow reader, though the server has long closed', async () => {
    const body = Buffer.alloc(3_000_000, 'some answer ');
    const server = keep(
      await tlsStub((socket) =>
        socket.once('data', () => {
          socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`);
          socket.end(body);
        }),
      ),
    );
    const heard = await ask(cluster(server.url), {}, true);
    expect(heard.error).toBeUndefined();
    expect(sha(heard.body)).toBe(sha(body));
  });

  it('comes to who asked for it, of many at once, each with a body both ways', async () => {
    const server = keep(
      await tlsStub((socket) => {
        let bytes = Buffer.alloc(0);
        socket.on('data', (chunk) => {
          bytes = Buffer.concat([bytes, chunk]);
          const end = bytes.indexOf('\r\n\r\n');
          const length = Number(/content-length: (\d+)/.exec(bytes.subarray(0, end).toString('latin1'))?.[1]);
          if (bytes.length < end + 4 + length) return;
          socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
          socket.write(bytes.subarray(end + 4));
          bytes = Buffer.alloc(0);
        });
      }),
    );
    const upstream = cluster(server.url, { maxConnections: 8 });
    const bodies = Array.from({ length: 60 }, (_, i) => Buffer.alloc(1 + i * 3001, `body ${i} `));
    const heard = await Promise.all(bodies.map((body, i) => ask(upstream, { method: 'POST', body }, i % 3 === 0)));
    expect(heard.map(({ body }) => sha(body))).toEqual(bodies.map(sha));
  });
});

describe('a connection over TLS', () => {
  it('takes up the session of the one before, until the certificates change', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crossfade-tls-'));
    cleanups.push(async () => rmSync(folder, { recursive: true }));
    const put = (name: string, as: string): void => copyFileSync(tlsFile(name), join(folder, as));
    const seen: string[] = [];
    const options = { requestCert: true, rejectUnauthorized: false, ca: tlsBytes('ca.pem') };
    const server = keep(
      await tlsStub((socket) => {
        const name = socket.getPeerCertificate().subject?.CN;
        seen.push(`${socket.isSessionReused() ? 'again' : 'new'} ${String(name)} ${String(socket.alpnProtocol)}`);
        socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok`));
      }, options),
    );
    put('client.pem', 'cert.pem');
    put('client.key', 'key.pem');
    let nowMs = 0;
    const tls = { ...trust, certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
    const upstream = cluster(server.url, { tls }, () => nowMs);
    const asked = async (): Promise<string | undefined> => {
      nowMs += 2000;
      expect(await ask(upstream)).toMatchObject({ status: 200, error: undefined });
      return seen.at(-1);
    };
    expect(await asked()).toBe('new client.example http/1.1');
    // The ticket may come after the answer.
    await eventually(async () => (await asked()) === 'again client.example http/1.1');
    put('server.pem', 'cert.pem');
    expect(await asked()).toMatch(/client.example/);
    put('server.key', 'key.pem');
    expect(await asked()).toBe('new server.example http/1.1');
  });

  it('is made only to a server that speaks HTTP/1.1', async () => {
    const server = keep(await tlsStub((socket) => socket.resume(), { ALPNProtocols: ['h2'] }));
    expect((await ask(cluster(server.url))).error).toBe('UPSTREAM_UNREACHABLE');
  });

  it('that is cut off within the handshake never carried a request', async () => {
    const server = keep(await tlsStub((socket) => socket.resume()));
    server.server.removeAllListeners('connection').on('connection', (socket) => socket.destroy());
    expect((await ask(cluster(server.url), { method: 'POST' })).error).toBe('UPSTREAM_UNREACHABLE');
  });
});
