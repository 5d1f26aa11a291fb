/**
 * Many clients at once before a cluster that breaks off, resets, closes at once and says more than it was asked: whoever
 * is told that all went well has the answer to the own request, and no write reaches the cluster twice.
 */
import { Agent, request as ask } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { netStub, startFront } from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';
import { tlsStub, trust } from '../../support/tls.ts';
import { seededRandom } from '../../sim/random.ts';

const { cleanups, keep } = keeping();
type Asked = { method: string; path: string; body: Buffer };

/** Answers each request with its method, path and length of body, in one of these ways. */
const ways: ((socket: Socket, whole: string, at: number) => unknown)[] = [
  (socket, whole) => socket.end(whole),
  (socket, whole) => socket.write(whole, () => socket.destroy()),
  (socket, whole) => socket.write(whole, () => setImmediate(() => socket.end())),
  (socket, whole) => socket.write(`${whole}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`),
  (socket) => socket.destroy(),
  (socket, whole, at) => socket.end(whole.slice(0, at)),
  (socket, whole, at) => socket.write(whole.slice(0, at), () => socket.destroy()),
];
const answerTo = ({ method, path, body }: Asked): string => `<${method} ${path} ${body.length}>`;
const counted = (text: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
const inChunks = (text: string): string =>
  `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

/** The requests of a connection, one after the other; only as much of HTTP as the sidecar writes. */
const reading = (socket: Socket, onRequest: (asked: Asked) => void): void => {
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    const head = bytes.subarray(0, Math.max(end, 0)).toString('latin1');
    const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (end < 0 || bytes.length < end + 4 + length) return;
    const [method = '', path = ''] = head.split(' ');
    const body = bytes.subarray(end + 4, end + 4 + length);
    bytes = bytes.subarray(end + 4 + length);
    onRequest({ method, path, body });
  });
};

const send = (port: number, agent: Agent, { method, path, body }: Asked): Promise<string | undefined> =>
  new Promise((resolve) => {
    const headers = body.length === 0 ? {} : { 'content-length': body.length };
    const asked = ask({ host: '127.0.0.1', port, agent, method, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(response.statusCode === 200 ? text : undefined));
    });
    asked.on('error', () => resolve(undefined)).end(body);
  });

describe('an unsteady cluster', () => {
  it.each([
    ['in the clear', false],
    ['over TLS', true],
  ])('%s gives nobody the answer of another', async (_, isSecure) => {
    const random = seededRandom(7);
    const writes: string[] = [];
    const onSocket = (socket: Socket): void => {
      socket.setNoDelay(true);
      reading(socket, (asked) => {
        if (asked.method === 'POST') writes.push(asked.path);
        const text = answerTo(asked);
        const whole = random.chance(0.3) ? inChunks(text) : counted(text);
        const way = random.chance(0.3) ? random.pick(ways) : undefined;
        if (way === undefined) socket.write(whole);
        else way(socket, whole, random.below(whole.length));
      });
    };
    const stub = keep(isSecure ? await tlsStub(onSocket) : await netStub(onSocket));
    const { port } = keep(await startFront(stub.url, isSecure ? { cluster: { tls: trust } } : {}));
    const agent = new Agent({ keepAlive: true, maxSockets: 12 });
    cleanups.push(async () => agent.destroy());
    const requests = Array.from({ length: 600 }, (__, i): Asked => {
      const body = Buffer.alloc(i % 3 === 0 ? (i % 9 === 0 ? 100_000 : 100) + i : 0, 'b');
      return { method: body.length === 0 ? 'GET' : 'POST', path: `/${i}`, body };
    });
    const answers = await Promise.all(requests.map((asked) => send(port, agent, asked)));
    const told = requests.filter((__, i) => answers[i] !== undefined);
    expect(answers.filter((answer) => answer !== undefined)).toEqual(told.map(answerTo));
    expect(told.length).toBeGreaterThan(200);
    expect(told.length).toBeLessThan(600);
    expect(new Set(writes).size).toBe(writes.length);
  });
});
