/** What goes wrong between client, sidecar and cluster, and what each of them gets to see of it. */
import { readFileSync } from 'node:fs';
import { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Limits } from '../../../src/config.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { createListener } from '../../../src/proxy/listener.ts';
import { eventually } from '../../support/eventually.ts';
import {
  closedPort,
  type Front,
  netStub,
  rawConnection,
  sendRaw,
  startFront,
  stubCluster,
} from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';

const { cleanups, keep } = keeping();
const H = 'Host: a\r\n';
const get = `GET /x HTTP/1.1\r\n${H}Connection: close\r\n\r\n`;
const behind = async (onSocket: (socket: Socket) => void, options?: Parameters<typeof startFront>[1]) => {
  const server = keep(await netStub(onSocket));
  return { server, front: keep(await startFront(server.url, options)) };
};
const answering = (text: string) => (socket: Socket) => socket.on('data', () => socket.write(text));
const withHandle = async (handle: (request: ClientRequest) => Promise<void>, limits = {}): Promise<Front> =>
  keep(await startFront('http://127.0.0.1:1', { handle, limits }));

describe('a cluster that', () => {
  it.each<[string, (socket: Socket) => void, number, string, boolean]>([
    ['resets', (socket) => socket.once('data', () => socket.resetAndDestroy()), 502, 'UPSTREAM_RESET', false],
    ['closes', (socket) => socket.once('data', () => socket.end()), 502, 'UPSTREAM_RESET', false],
    ['speaks no HTTP', answering('220 smtp ready\r\n'), 502, 'UPSTREAM_INVALID', false],
    ['is silent', (socket) => socket.resume(), 504, 'UPSTREAM_TIMEOUT', false],
    [
      'announces a body and closes',
      (socket) => socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n')),
      502,
      'UPSTREAM_RESET',
      false,
    ],
  ])('%s is told in the shape of OpenSearch', async (_, behave, status, code, notSent) => {
    const { front } = await behind(behave, { cluster: { requestTimeoutMs: 300 } });
    const answer = await sendRaw(front.port, get);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain(`x-crossfade-error: ${code}`);
    expect(answer.includes('x-crossfade-not-sent')).toBe(notSent);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ status, error: { root_cause: [{}] } });
    expect(front.events).toMatchObject([{ status, errorCode: code, outcome: 'failed', side: 'source' }]);
  });

  it('is not there is 503, and the client may send again', async () => {
    const front = keep(await startFront(`http://127.0.0.1:${await closedPort()}`));
    const answer = await sendRaw(front.port, get);
    expect(answer).toMatch(/^HTTP\/1.1 503 .*x-crossfade-not-sent: true\r\n.*retry-after: 1/is);
    expect(front.events).toMatchObject([{ errorCode: 'UPSTREAM_UNREACHABLE', outcome: 'refused' }]);
  });

  it('is not there is told before a client is asked for a body that nobody takes', async () => {
    const front = keep(await startFront(`http://127.0.0.1:${await closedPort()}`));
    const client = await rawConnection(front.port);
    client.socket.write(`POST /_bulk HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`);
    expect(await client.until(/UPSTREAM_UNREACHABLE/)).toMatch(/^HTTP\/1.1 503 /);
    client.socket.destroy();
  });

  it.each([
    ['counted', 'content-length: 99\r\n\r\nhalf'],
    ['chunked', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('breaks off within a %s body makes the client see a broken answer', async (_, rest) => {
    const { front } = await behind((socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`)));
    const client = await rawConnection(front.port);
    client.socket.write(`GET /x HTTP/1.1\r\n${H}\r\n`);
    const text = await client.closed;
    expect(text).toContain('half');
    expect(text).not.toMatch(/0\r\n\r\n$/);
    await eventually(() => front.events.length === 1);
    expect(front.events).toMatchObject([{ status: 200, errorCode: 'UPSTREAM_RESET', outcome: 'failed' }]);
  });

  it('answers after a streamed upload was cut sees no complete request', async () => {
    let bytes = '';
    const { front, server } = await behind((socket) =>
      socket.on('data', (chunk) => (bytes += chunk.toString('latin1'))),
    );
    const client = await rawConnection(front.port);
    client.socket.write(`POST /_bulk HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`);
    await eventually(() => bytes.includes('half'));
    client.socket.destroy();
    await eventually(() => server.sockets.size === 0 && front.events.length === 1);
    expect(bytes).toMatch(/half(\r\n)?$/);
    expect(front.events).toMatchObject([{ outcome: 'client_closed', status: 499 }]);
  });
});

describe('a client that leaves', () => {
  it.each([
    ['by closing', (socket: Socket) => socket.end()],
    ['by a reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('%s takes its request at the cluster with it', async (_, leave) => {
    const { front, server } = await behind((socket) => socket.resume());
    const client = await rawConnection(front.port);
    client.socket.write(`GET /_search HTTP/1.1\r\n${H}\r\n`);
    await eventually(() => server.sockets.size === 1);
    leave(client.socket);
    await eventually(() => server.sockets.size === 0);
    await eventually(() => front.events.length === 1);
    expect(front.events).toMatchObject([{ outcome: 'client_closed', status: 499, errorCode: undefined }]);
  });

  it('in the middle of an answer does so too', async () => {
    const { front, server } = await behind(
      answering('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'),
    );
    const client = await rawConnection(front.port);
    client.socket.write(`GET /_search HTTP/1.1\r\n${H}\r\n`);
    await client.until(/half/);
    client.socket.destroy();
    await eventually(() => server.sockets.size === 0);
  });

  it('takes all its pipelined requests with it, not only the one whose turn it is', async () => {
    const { front, server } = await behind((socket) => socket.resume());
    const client = await rawConnection(front.port);
    client.socket.write(`GET /1 HTTP/1.1\r\n${H}\r\nGET /2 HTTP/1.1\r\n${H}\r\nGET /3 HTTP/1.1\r\n${H}\r\n`);
    await eventually(() => server.sockets.size === 3);
    client.socket.destroy();
    await eventually(() => server.sockets.size === 0 && front.events.length === 3);
    expect(front.events.map(({ outcome }) => outcome)).toEqual(Array(3).fill('client_closed'));
  });

  it('is known to whoever works for it', async () => {
    const heard: string[] = [];
    let begun = false;
    const front = await withHandle(async (request) => {
      begun = true;
      request.onGone(() => heard.push('onGone'));
      request.aborted.addEventListener('abort', () => heard.push('aborted'));
      await request.readBody({ maxBytes: 100 }).catch((error) => heard.push(error.code));
      request.onGone(() => heard.push('late'));
      expect(request.gone && request.aborted.aborted).toBe(true);
      throw new CrossfadeError('CLIENT_CLOSED');
    });
    const client = await rawConnection(front.port);
    client.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nab`);
    await eventually(() => begun);
    client.socket.destroy();
    await eventually(() => heard.length === 4);
    expect(heard.sort()).toEqual(['CLIENT_CLOSED', 'aborted', 'late', 'onGone']);
  });
});

describe('limits', () => {
  it('of the head answer 431', async () => {
    const front = await withHandle(async () => undefined, { maxHeaderBytes: 1024 });
    const answer = await sendRaw(front.port, `GET / HTTP/1.1\r\n${H}X: ${'a'.repeat(2000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 .*x-crossfade-error: HEADERS_TOO_LARGE/is);
    const path = await sendRaw(front.port, `GET /${'a'.repeat(2000)} HTTP/1.1\r\n${H}\r\n`);
    expect(path).toMatch(/^HTTP\/1.1 431 /);
  });

  it('of the head do not drop headers because there are many', async () => {
    let count = 0;
    const front = await withHandle(async (request) => {
      count = request.headers.length / 2;
      request.respond({ status: 200, headers: {} });
    });
    await sendRaw(front.port, `GET / HTTP/1.1\r\n${H}Connection: close\r\n${'a:\r\n'.repeat(2500)}\r\n`);
    expect(count).toBe(2500);
  });

  it.each([
    ['declared', `Content-Length: 11\r\n\r\n${'a'.repeat(11)}`],
    ['chunked', `Transfer-Encoding: chunked\r\n\r\nb\r\n${'a'.repeat(11)}\r\n0\r\n\r\n`],
  ])('of a body that must be held answer 413 and keep the connection: %s', async (_, rest) => {
    const front = await withHandle(async (request) => {
      const body = await request.readBody({ maxBytes: 10 });
      request.respond({ status: 200, headers: {}, body });
    });
    const client = await rawConnection(front.port);
    client.socket.write(`POST / HTTP/1.1\r\n${H}${rest}`);
    await client.until(/413 .*x-crossfade-error: BODY_TOO_LARGE.*not-sent: true/is);
    client.socket.write(`POST / HTTP/1.1\r\n${H}Connection: close\r\nContent-Length: 2\r\n\r\nok`);
    expect(await client.closed).toMatch(/\r\n\r\nok$/);
  });

  it('of time answer 408 to a head that does not end', async () => {
    const front = await withHandle(async () => undefined, { headersTimeoutMs: 200 });
    expect(await sendRaw(front.port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow')).toMatch(
      /^HTTP\/1.1 408 .*REQUEST_TIMEOUT/is,
    );
  });

  it('of time answer 408 to a body that does not end, and the cluster sees no complete request', async () => {
    const stub = keep(await stubCluster());
    const front = keep(await startFront(stub.url, { limits: { headersTimeoutMs: 200, requestTimeoutMs: 300 } }));
    const slow = `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n`;
    expect(await sendRaw(front.port, slow)).toMatch(/^HTTP\/1.1 408 .*REQUEST_TIMEOUT/is);
    expect(stub.seen).toEqual([]);
  });

  it('of time end a connection on which nothing was ever sent without a word', async () => {
    const front = await withHandle(async () => undefined, { headersTimeoutMs: 100 });
    expect(await (await rawConnection(front.port)).closed).toBe('');
  });

  it('of connections answer 503', async () => {
    const front = await withHandle(async (request) => request.respond({ status: 200, headers: {}, body: 'ok' }), {
      maxConnections: 1,
    });
    const first = await rawConnection(front.port);
    await eventually(() => front.listener.connections === 1);
    expect(await sendRaw(front.port, get)).toMatch(/^HTTP\/1.1 503 .*TOO_MANY_CONNECTIONS.*not-sent: true/is);
    first.socket.write(get);
    expect(await first.closed).toMatch(/ok$/);
  });
});

describe('a handler', () => {
  it('that throws is a bug with an answer', async () => {
    const front = await withHandle(() => {
      throw new TypeError('oops');
    });
    const answer = await sendRaw(front.port, get);
    expect(answer).toMatch(/^HTTP\/1.1 500 .*x-crossfade-error: INTERNAL/is);
    expect(answer).not.toContain('oops');
  });

  it('that forgets to answer is a bug with an answer', async () => {
    const front = await withHandle(async () => undefined);
    expect(await sendRaw(front.port, get)).toMatch(/^HTTP\/1.1 500 .*x-crossfade-error: INTERNAL/is);
  });

  it('that answers twice is heard once', async () => {
    const front = await withHandle(async (request) => {
      request.respond({ status: 200, headers: {}, body: 'one' });
      request.respond({ status: 201, headers: {}, body: 'two' });
      throw new CrossfadeError('INTERNAL');
    });
    expect((await sendRaw(front.port, get)).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });

  it('may read the same body again', async () => {
    const front = await withHandle(async (request) => {
      const [one, two] = [await request.readBody({ maxBytes: 9 }), await request.readBody({ maxBytes: 9 })];
      request.respond({ status: 200, headers: {}, body: one === two ? one : 'differs' });
    });
    const post = `POST / HTTP/1.1\r\n${H}Connection: close\r\nContent-Length: 2\r\n\r\nab`;
    expect(await sendRaw(front.port, post)).toMatch(/\r\n\r\nab$/);
  });
});

describe('a drain', () => {
  it('goes on serving until the clients are gone', async () => {
    const front = await withHandle(async (request) => request.respond({ status: 200, headers: {}, body: 'ok' }));
    const client = await rawConnection(front.port);
    await eventually(() => front.listener.connections === 1);
    const gone = front.listener.drain({ graceMs: 10_000 });
    client.socket.write(`GET / HTTP/1.1\r\n${H}\r\n`);
    expect(await client.until(/ok$/)).not.toMatch(/connection: close/i);
    expect(await sendRaw(front.port, get)).toMatch(/ok$/);
    client.socket.end();
    expect(await gone).toBe(true);
  });

  it('waits for clients that connect for each request', async () => {
    const front = await withHandle(async (request) => request.respond({ status: 200, headers: {}, body: 'ok' }));
    let over = false;
    const gone = front.listener.drain({ graceMs: 10_000, quietMs: 400 }).then((result) => {
      over = true;
      return result;
    });
    for (let i = 0; i < 3; i++) expect(await sendRaw(front.port, get)).toMatch(/ok$/);
    expect(over).toBe(false);
    expect(await gone).toBe(true);
  });

  it('of clients that left only just before the grace was over leaves nobody behind', async () => {
    const front = await withHandle(async (request) => request.respond({ status: 200, headers: {}, body: 'ok' }));
    expect(await front.listener.drain({ graceMs: 20, quietMs: 10_000 })).toBe(true);
  });

  it('that stops accepting ends each connection with its next answer', async () => {
    const front = await withHandle(async (request) => request.respond({ status: 200, headers: {}, body: 'ok' }));
    const client = await rawConnection(front.port);
    await eventually(() => front.listener.connections === 1);
    const gone = front.listener.drain({ graceMs: 10_000, stopAccepting: true });
    await expect(rawConnection(front.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    client.socket.write(`GET / HTTP/1.1\r\n${H}\r\n`);
    expect(await client.closed).toMatch(/connection: close.*ok$/is);
    expect(await gone).toBe(true);
  });

  it('gives up after the grace, and closing cuts what is left', async () => {
    const front = await withHandle(() => new Promise(() => undefined));
    const client = await rawConnection(front.port);
    client.socket.write(get);
    await eventually(() => front.listener.connections === 1);
    expect(await front.listener.drain({ graceMs: 20 })).toBe(false);
    await front.listener.close(20);
    expect(await client.closed).toBe('');
  });
});

describe('a listener', () => {
  it('says when its address is taken', async () => {
    const front = await withHandle(async () => undefined);
    const other = createListener({ limits: Limits.parse({}), logger: silentLogger(), handle: async () => undefined });
    await expect(other.listen(`127.0.0.1:${front.port}`)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('speaks TLS, and knows a client by its certificate', async () => {
    const file = (name: string): string => join(import.meta.dirname, '../../fixtures/tls', name);
    const tls = { certFile: file('server.pem'), keyFile: file('server.key'), caFile: file('ca.pem') };
    const listener = createListener({
      limits: Limits.parse({}),
      logger: silentLogger(),
      tls,
      handle: async (request) => request.respond({ status: 200, headers: {}, body: `hello ${request.principal}` }),
    });
    const { port } = await listener.listen('127.0.0.1:0');
    cleanups.push(() => listener.close());
    const ca = readFileSync(file('ca.pem'));
    const ask = (client: Record<string, unknown>): Promise<string> =>
      new Promise((resolve, reject) => {
        const options = { port, host: '127.0.0.1', servername: 'localhost', ca, agent: false, ...client };
        const asked = secureRequest(options, (response) => {
          let text = '';
          response.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text));
        });
        asked.on('error', reject).end();
      });
    const certificate = { cert: readFileSync(file('client.pem')), key: readFileSync(file('client.key')) };
    expect(await ask(certificate)).toBe('hello client.example');
    await expect(ask({})).rejects.toThrow();
  });
});
