/** What passes and how, in front of a pretended cluster: framing, order, hop-by-hop headers, connections. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import {
  type Front,
  netStub,
  rawConnection,
  type Stub,
  sendRaw,
  startFront,
  stubCluster,
} from '../../support/front.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;
const setUp = async (
  answer?: Answer,
  options: Parameters<typeof startFront>[1] = {},
): Promise<{ stub: Stub; front: Front }> => {
  const stub = await stubCluster(answer);
  const front = await startFront(stub.url, options);
  cleanups.push(stub.close, front.close);
  return { stub, front };
};
const H = 'Host: a\r\n';
const last = `${H}Connection: close\r\n`;
const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);

describe('a request passes', () => {
  it('with its method, raw target, repeated headers and bytes, and with a Host of the cluster', async () => {
    const { stub, front } = await setUp();
    const target = '/a%2Fb/_doc/%C3%A9%20x?q=a+b;c&d=%zz#e';
    const headers = 'X-Opaque-Id: 1\r\nx-twice: a\r\nX-Twice: b\r\nX-High: \xe9\xff\r\n';
    const body = '\x00\x01\xfe\xff{"a":1}';
    await sendRaw(front.port, `PUT ${target} HTTP/1.1\r\n${last}${headers}Content-Length: 11\r\n\r\n${body}`);
    const [seen] = stub.seen;
    expect(seen?.method).toBe('PUT');
    expect(seen?.url).toBe(target);
    expect(seen?.body.toString('latin1')).toBe(body);
    expect(seen?.rawHeaders).toEqual([
      ...['host', `127.0.0.1:${stub.port}`, 'connection', 'keep-alive'],
      ...['X-Opaque-Id', '1', 'x-twice', 'a', 'X-Twice', 'b', 'X-High', '\xe9\xff', 'content-length', '11'],
    ]);
  });

  it('without headers of the hop, those that Connection names included', async () => {
    const { stub, front } = await setUp();
    const hop =
      'Keep-Alive: timeout=5\r\nTE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nProxy-Authorization: x\r\nX-Hop: 1\r\n';
    await sendRaw(front.port, `GET / HTTP/1.1\r\n${H}Connection: close, X-Hop, upgrade\r\n${hop}X-End: 2\r\n\r\n`);
    expect(stub.seen[0]?.rawHeaders.slice(4)).toEqual(['X-End', '2']);
  });

  it.each(['GET', 'DELETE', 'POST', 'OPTIONS', 'HEAD'])('with a body after %s', async (method) => {
    const { stub, front } = await setUp();
    await sendRaw(front.port, `${method} / HTTP/1.1\r\n${last}Content-Length: 3\r\n\r\nabc`);
    expect(stub.seen[0]?.body.toString()).toBe('abc');
  });

  it('in chunks that came in chunks, without extensions and trailers', async () => {
    const { stub, front } = await setUp();
    const body = '3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n';
    await sendRaw(front.port, `POST / HTTP/1.1\r\n${last}Transfer-Encoding: chunked\r\n\r\n${body}`);
    expect(stub.seen[0]?.body.toString()).toBe('abcde');
    expect(stub.seen[0]?.rawHeaders).toEqual(expect.arrayContaining(['transfer-encoding', 'chunked']));
    expect(stub.seen[0]?.rawHeaders.join()).not.toMatch(/trailer|content-length/i);
  });

  it('when it names this listener by an absolute target', async () => {
    const { stub, front } = await setUp();
    const own = `127.0.0.1:${front.port}`;
    const get = (target: string, host: string) =>
      sendRaw(front.port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(await get(`http://${own}/a?b`, own)).toMatch(/^HTTP\/1.1 200/);
    expect(await get(`http://evil.example/`, 'evil.example')).toMatch(/^HTTP\/1.1 400/);
    expect(await get(`http://evil.example/`, own)).toMatch(/^HTTP\/1.1 400/);
    expect(stub.seen.map(({ url }) => url)).toEqual(['/a?b']);
  });
});

describe('100 Continue', () => {
  it('is said before the body is asked for, once', async () => {
    const { stub, front } = await setUp();
    const client = await rawConnection(front.port);
    client.socket.write(`POST / HTTP/1.1\r\n${last}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
    expect(await client.until(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(stub.seen).toEqual([]);
    client.socket.write('abc');
    expect(await client.closed).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
    expect(stub.seen[0]?.body.toString()).toBe('abc');
    expect(stub.seen[0]?.rawHeaders.join()).not.toMatch(/expect/i);
  });

  it('is not said for another expectation, which is 417', async () => {
    const { stub, front } = await setUp();
    const answer = await sendRaw(front.port, `POST / HTTP/1.1\r\n${last}Expect: x\r\nContent-Length: 3\r\n\r\nabc`);
    expect(answer).toMatch(/^HTTP\/1.1 417 /);
    expect(answer).toContain('x-crossfade-error: EXPECTATION_FAILED');
    expect(stub.seen).toEqual([]);
  });

  it('is not said when the answer is known without the body', async () => {
    const { front } = await setUp(undefined, {
      handle: async (request) => request.respond({ status: 403, headers: {}, body: 'no' }),
    });
    const head = `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`;
    expect(await sendRaw(front.port, head)).toMatch(/^HTTP\/1.1 403 .*connection: close/is);
  });

  it.each(['103 Early Hints\r\nlink: x', '102 Processing'])(
    'and other news of the cluster stay behind: %s',
    async (news) => {
      const server = await netStub((socket) =>
        socket.on('data', () => socket.write(`HTTP/1.1 ${news}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`)),
      );
      const front = await startFront(server.url);
      cleanups.push(server.close, front.close);
      const answer = await sendRaw(front.port, `GET / HTTP/1.1\r\n${last}\r\n`);
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      expect(bodyOf(answer)).toBe('ok');
    },
  );
});

describe('an answer passes', () => {
  it('with its status, reason, repeated headers and bytes, without headers of the hop', async () => {
    const head = 'HTTP/1.1 299 Fine So Far\r\nWarning: a\r\nwarning: b\r\nConnection: X-Hop\r\nX-Hop: 1\r\n';
    const hop = 'Keep-Alive: timeout=9\r\nAlt-Svc: h3=":9200"\r\nProxy-Authenticate: x\r\nTrailer: y\r\n';
    const server = await netStub((socket) =>
      socket.on('data', () =>
        socket.write(`${head}${hop}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\xff`, 'latin1'),
      ),
    );
    const front = await startFront(server.url);
    cleanups.push(server.close, front.close);
    expect(await sendRaw(front.port, `GET / HTTP/1.1\r\n${last}\r\n`)).toBe(
      'HTTP/1.1 299 Fine So Far\r\nWarning: a\r\nwarning: b\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\xff',
    );
  });

  it('to HEAD with the length of what is not sent', async () => {
    const { front } = await setUp((_, response) => response.setHeader('content-length', '560').end());
    const answer = await sendRaw(front.port, `HEAD / HTTP/1.1\r\n${last}\r\n`);
    expect(answer).toMatch(/content-length: 560\r\n/i);
    expect(bodyOf(answer)).toBe('');
  });

  it.each([204, 304])('with status %d and no body', async (status) => {
    const { front } = await setUp((_, response) => response.writeHead(status).end());
    const answer = await sendRaw(front.port, `GET / HTTP/1.1\r\n${last}\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).not.toMatch(/content-length|transfer-encoding/i);
    expect(bodyOf(answer)).toBe('');
  });

  it('in chunks when its length is not known, and each chunk at once', async () => {
    let response: ServerResponse | undefined;
    const { front } = await setUp((_, given) => {
      response = given;
      given.write('first');
    });
    const client = await rawConnection(front.port);
    client.socket.write(`GET / HTTP/1.1\r\n${last}\r\n`);
    expect(await client.until(/first/)).toMatch(/transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n$/i);
    response?.addTrailers({ 'x-trailer': '1' });
    response?.end('last');
    expect(await client.closed).toMatch(/4\r\nlast\r\n0\r\n\r\n$/);
  });

  it('with its head at once when the length is not known and the body is late', async () => {
    let response: ServerResponse | undefined;
    const { front } = await setUp((_, given) => {
      response = given;
      given.flushHeaders();
    });
    const client = await rawConnection(front.port);
    client.socket.write(`GET / HTTP/1.1\r\n${last}\r\n`);
    await client.until(/\r\n\r\n/);
    response?.end();
    expect(await client.closed).toMatch(/\r\n\r\n0\r\n\r\n$/);
  });

  it('to HTTP/1.0 without chunks, and the connection ends', async () => {
    const { front } = await setUp((_, response) => {
      response.write('one ');
      response.end('two');
    });
    const answer = await sendRaw(front.port, 'GET / HTTP/1.0\r\n\r\n');
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(bodyOf(answer)).toBe('one two');
  });

  it('to HTTP/1.0 with a kept connection when that is asked for', async () => {
    const { front } = await setUp((_, response) => response.setHeader('content-length', '2').end('{}'));
    const client = await rawConnection(front.port);
    client.socket.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(await client.until(/\{\}/)).toMatch(/connection: keep-alive/i);
    client.socket.write('GET / HTTP/1.0\r\n\r\n');
    expect((await client.closed).match(/200 OK/g)).toHaveLength(2);
  });

  it('before the request is complete, and the rest of that is read off', async () => {
    const server = await netStub((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno')),
    );
    const front = await startFront(server.url);
    cleanups.push(server.close, front.close);
    const client = await rawConnection(front.port);
    const size = 8 << 20;
    client.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: ${size}\r\n\r\n`);
    for (let sent = 0; sent < size; sent += 1 << 20) client.socket.write(Buffer.alloc(1 << 20));
    expect(await client.until(/\r\n\r\nno/)).toMatch(/^HTTP\/1.1 413 /);
    client.socket.write(`GET / HTTP/1.1\r\n${last}\r\n`);
    expect((await client.closed).match(/HTTP\/1.1 413/g)).toHaveLength(2);
  });
});

describe('pipelined requests', () => {
  it('are answered in their order though the cluster answers in another', async () => {
    const waiting: (() => void)[] = [];
    const { front, stub } = await setUp((request, response) => {
      if (request.url === '/1') waiting.push(() => response.end('one'));
      else response.end(request.url);
    });
    const client = await rawConnection(front.port);
    const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\n${H}${more}\r\n`;
    client.socket.write(get('/1') + get('/2') + get('/3', 'Connection: close\r\n'));
    await eventually(() => stub.seen.length === 3);
    expect(client.text()).toBe('');
    waiting[0]?.();
    expect(await client.closed).toMatch(/\r\none.*\/2.*\/3$/s);
  });

  it('before a malformed one are answered, and the connection ends with its refusal', async () => {
    const waiting: (() => void)[] = [];
    const { front, stub } = await setUp((_, response) => void waiting.push(() => response.end('ok')));
    const client = await rawConnection(front.port);
    const get = `GET / HTTP/1.1\r\n${H}\r\n`;
    client.socket.write(`${get}${get}GET / HTTP/1.1\r\n${H}X : 1\r\n\r\n${get}`);
    await eventually(() => waiting.length === 2);
    for (const answer of waiting) answer();
    const text = await client.closed;
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 400']);
    expect(stub.seen).toHaveLength(2);
  });

  it('after `Connection: close` are not obeyed', async () => {
    const { front, stub } = await setUp();
    const text = await sendRaw(front.port, `GET /1 HTTP/1.1\r\n${last}\r\nGET /2 HTTP/1.1\r\n${H}\r\n`);
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(stub.seen).toHaveLength(1);
  });
});

describe('a client that offers another protocol', () => {
  const offer = `${H}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n`;

  it('is answered in this one and keeps its connection, request after request', async () => {
    const { front, stub } = await setUp();
    const client = await rawConnection(front.port);
    for (let i = 1; i <= 3; i++) {
      client.socket.write(`POST /${i} HTTP/1.1\r\n${offer}Content-Length: 2\r\n\r\n{}`);
      await client.until(new RegExp(`(200 OK.*){${i}}`, 's'));
    }
    expect(client.text()).not.toMatch(/connection: close/i);
    expect(stub.seen.map(({ url }) => url)).toEqual(['/1', '/2', '/3']);
    client.socket.destroy();
  });

  it('and sends more behind it loses its connection, not its order', async () => {
    const { front, stub } = await setUp();
    const text = await sendRaw(
      front.port,
      `GET /1 HTTP/1.1\r\n${offer}\r\nPOST /2 HTTP/1.1\r\n${H}Content-Length: 9\r\n\r\n`,
    );
    expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(text).toMatch(/connection: close/i);
    expect(stub.seen.map(({ url }) => url)).toEqual(['/1']);
  });

  it('cannot make the rest of a swallowed request be taken for a request', async () => {
    const waiting: (() => void)[] = [];
    const { front, stub } = await setUp((_, response) => void waiting.push(() => response.end('ok')));
    const client = await rawConnection(front.port);
    client.socket.write(`GET /1 HTTP/1.1\r\n${offer}\r\nPOST /2 HTTP/1.1\r\n${H}Content-Length: 99\r\n\r\n`);
    await eventually(() => waiting.length === 1);
    client.socket.write(`GET /smuggled HTTP/1.1\r\n${H}\r\n`);
    await eventually(() => front.listener.connections === 1);
    waiting[0]?.();
    expect((await client.closed).match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    expect(stub.seen.map(({ url }) => url)).toEqual(['/1']);
  });
});

describe('OPTIONS *', () => {
  it('is answered here, for there is no path to send on', async () => {
    const { front, stub } = await setUp();
    const answer = await sendRaw(front.port, `OPTIONS * HTTP/1.1\r\n${last}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\nallow: GET, HEAD, POST/);
    expect(stub.seen).toEqual([]);
  });
});

describe('lists of nodes', () => {
  it('name the address that the client used', async () => {
    const { front } = await setUp((_, response) =>
      response
        .setHeader('content-type', 'application/json')
        .end('{"nodes":{"n":{"http":{"publish_address":"10.0.0.1:9200"}}}}'),
    );
    const get = (host: string) =>
      sendRaw(front.port, `GET /_nodes/http HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(bodyOf(await get('search.local:9200'))).toBe(
      '{"nodes":{"n":{"http":{"publish_address":"search.local:9200"}}}}',
    );
    expect(bodyOf(await get('"'))).toBe(`{"nodes":{"n":{"http":{"publish_address":"127.0.0.1:${front.port}"}}}}`);
  });
});
