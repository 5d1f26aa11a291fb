/**
 * What clients and clusters do at the edges of HTTP/1.1, over both readers of requests: clients that end their side,
 * answers that are cut where nothing but the connection could tell, requests that come byte by byte.
 */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { ClientExchange } from '../../../src/proxy/client-exchange.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { eventually } from '../../support/eventually.ts';
import { type Front, netStub, type Raw, rawConnection, startFront, stubCluster } from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';
import { tlsBytes, tlsFile } from '../../support/tls.ts';

const { cleanups, keep } = keeping();
type Options = NonNullable<Parameters<typeof startFront>[1]>;
const H = 'Host: a\r\n';
const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\n${H}${more}\r\n`;
const post = (path: string, body: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\n${H}${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const secure = { certFile: tlsFile('server.pem'), keyFile: tlsFile('server.key') };
const trusting = { ca: tlsBytes('ca.pem'), servername: 'localhost', allowHalfOpen: true };

const inFront = async (url: string, options: Options = {}): Promise<Front> => keep(await startFront(url, options));
const connected = async (front: Front, options?: Parameters<typeof rawConnection>[1]): Promise<Raw> => {
  const client = await rawConnection(front.port, options);
  cleanups.push(async () => void client.socket.destroy());
  return client;
};
type Handle = NonNullable<Options['handle']>;
const handledBy = (handle: Handle, options: Options): Promise<Front> =>
  inFront('http://127.0.0.1:1', { ...options, handle });
/** Once the client's side has ended, and in that very turn: what comes later meets a clock. */
const afterEnd = (request: ClientRequest, then: () => void): void => {
  const { socket } = (request as ClientExchange).connection;
  if (socket.readableEnded) then();
  else socket.once('end', then);
};
const answerAfterEnd: Handle = (request) => {
  afterEnd(request, () => request.respond({ status: 200, headers: {}, body: `<${request.path}>` }));
  return undefined;
};

describe.each([
  ['plain', undefined],
  ['over TLS', secure],
])('a client that ends its side, %s,', (_, tls) => {
  const options = { ...(tls === undefined ? {} : { tls }) };
  const client = (front: Front): Promise<Raw> => connected(front, tls === undefined ? undefined : trusting);

  it.each<[string, string, string[]]>([
    ['is answered', get('/1'), ['</1>']],
    ['is answered to a body', post('/1', '{}'), ['</1>']],
    ['is answered by node:http', get('/1', 'Connection: close\r\n'), ['</1>']],
    ['is answered to all that it sent', get('/1') + get('/2') + get('/3'), ['</1>', '</2>', '</3>']],
    ['is answered in HTTP/1.0', 'GET /1 HTTP/1.0\r\n\r\n', ['</1>']],
  ])('%s, and the connection ends', async (__, bytes, bodies) => {
    const front = await handledBy(answerAfterEnd, options);
    const { socket, closed } = await client(front);
    socket.end(bytes);
    expect((await closed).match(/<.*?>/g)).toEqual(bodies);
    await eventually(() => front.listener.connections === 0);
    expect(front.events.map(({ outcome }) => outcome)).toEqual(bodies.map(() => 'ok'));
  });

  it.each([
    ['a simple one', get('/2'), ['</1>', '</2>']],
    ['one for node:http', get('/2', 'Connection: close\r\n'), ['</1>', '</2>']],
    ['several', get('/2') + post('/3', '{}') + get('/4'), ['</1>', '</2>', '</3>', '</4>']],
    ['half a one', 'GET /2 HT', ['</1>']],
  ])('behind a request and %s gets what was whole', async (__, more, bodies) => {
    const seen: ClientRequest[] = [];
    const answer = (request: ClientRequest): void =>
      request.respond({ status: 200, headers: {}, body: `<${request.path}>` });
    const front = await handledBy((request) => {
      if (seen.push(request) > 1) answer(request);
      return undefined;
    }, options);
    const { socket, closed } = await client(front);
    socket.write(get('/1'));
    await eventually(() => seen.length === 1);
    const [first] = seen as [ClientExchange];
    const readBefore = first.connection.socket.bytesRead;
    socket.end(more);
    await eventually(() => first.connection.socket.bytesRead > readBefore);
    answer(first);
    expect((await closed).match(/<.*?>/g)).toEqual(bodies);
  });

  it('is taken for gone after a while, and its request is given up', async () => {
    let request: ClientRequest | undefined;
    const front = await handledBy((given) => {
      request = given;
      return undefined;
    }, options);
    const { socket, closed } = await client(front);
    socket.end(get('/1'));
    await closed;
    await eventually(() => request?.gone === true);
    expect(front.events).toMatchObject([{ outcome: 'client_closed', status: 499 }]);
  });

  it('is answered however slowly it reads', async () => {
    const body = Buffer.alloc(8_000_000, 'x');
    const front = await handledBy((request) => {
      afterEnd(request, () => {
        request.beginAnswer(200, 'OK', []);
        request.writeAnswer(body);
        request.endAnswer();
      });
      return undefined;
    }, options);
    const { socket, closed } = await client(front);
    socket.pause();
    socket.end(get('/1'));
    setTimeout(() => socket.resume(), 1500);
    const text = await closed;
    expect(text.length).toBeGreaterThan(body.length);
    expect(text).toMatch(/\r\n0\r\n\r\n$/);
  });
});

describe('a cluster that breaks off', () => {
  const behaviours: [string, string, string][] = [
    ['a counted answer', 'content-length: 9\r\n\r\nhalf', ''],
    ['an answer in chunks', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', ''],
    ['an answer in chunks within a chunk', 'transfer-encoding: chunked\r\n\r\n9\r\nhalf', ''],
    ['an answer in chunks before the last line', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n', ''],
  ];
  const behind = async (rest: string, options: Options = {}): Promise<Front> => {
    const end = (socket: Socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
    return inFront(keep(await netStub(end)).url, options);
  };
  /** How a client of HTTP/1.0, which reads to the end of the connection, sees that end. */
  const ending = async (client: Raw): Promise<string> => {
    let how = 'clean';
    client.socket.once('error', ({ message }) => (how = message));
    await client.closed;
    return how;
  };

  it.each(behaviours)('%s breaks off for HTTP/1.0 too, though its answers end with the connection', async (_, rest) => {
    const client = await connected(await behind(rest));
    const end = ending(client);
    client.socket.write('GET /x HTTP/1.0\r\n\r\n');
    expect(await end).toMatch(rest.startsWith('content-length') ? /clean|ECONNRESET/ : /ECONNRESET/);
  });

  it.each(behaviours)('%s breaks off for HTTP/1.1, by either reader', async (_, rest) => {
    for (const more of ['', 'Connection: close\r\n', 'Accept: a\r\nAccept: b\r\n']) {
      const front = await behind(rest);
      const client = await connected(front);
      client.socket.write(get('/x', more));
      const text = await client.closed;
      expect(text).not.toMatch(/0\r\n\r\n$/);
      expect(text).not.toMatch(/content-length: 4\r\n/i);
      await eventually(() => front.events.length === 1);
      expect(front.events).toMatchObject([{ errorCode: 'UPSTREAM_RESET', outcome: 'failed' }]);
    }
  });
});

describe('requests that come byte by byte', () => {
  const sequence = [
    get('/1'),
    post('/2', '{"a":1}'),
    `HEAD /3 HTTP/1.1\r\n${H}\r\n`,
    `GET /4 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n`,
    `PUT /5 HTTP/1.1\r\n${H}\r\n`,
    get('/6', 'Connection: close\r\n'),
  ].join('');

  it.each([1, 2, 3, 7, 50, 1000])('%i at a time are the same requests', async (size) => {
    const stub = keep(await stubCluster((request, response, body) => response.end(`<${request.url}:${String(body)}>`)));
    const front = await inFront(stub.url);
    const { socket, closed } = await connected(front);
    socket.setNoDelay(true);
    for (let at = 0; at < sequence.length; at += size)
      await new Promise((resolve) => socket.write(sequence.slice(at, at + size), resolve));
    const text = await closed;
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(Array(6).fill('HTTP/1.1 200'));
    expect(text.match(/<.*?>/g)).toEqual(['</1:>', '</2:{"a":1}>', '</4:abcd>', '</5:>', '</6:>']);
    expect(stub.seen.map(({ method, url }) => `${method} ${url}`).sort()).toEqual(
      ['GET /1', 'POST /2', 'HEAD /3', 'GET /4', 'PUT /5', 'GET /6'].sort(),
    );
  });
});

describe('an expectation', () => {
  it('of a request without a body is met, and the connection kept', async () => {
    const stub = keep(await stubCluster());
    const { socket, until } = await connected(await inFront(stub.url));
    socket.write(get('/1', 'Expect: 100-continue\r\n'));
    await until(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n.*\{\}$/s);
    socket.write(get('/2'));
    expect(await until(/200 OK.*200 OK.*\{\}$/s)).not.toMatch(/connection: close/i);
  });
});
