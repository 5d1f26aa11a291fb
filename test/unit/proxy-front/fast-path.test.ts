/**
 * Connections that are read without node:http: a client cannot tell, whatever the cluster does; and from the first
 * request that is not simple node:http goes on where the fast path ended, with the same connection, order and limits.
 */
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../src/errors.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { eventually } from '../../support/eventually.ts';
import { type Front, netStub, type Raw, rawConnection, startFront, stubCluster } from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';

const { cleanups, keep } = keeping();
type Options = NonNullable<Parameters<typeof startFront>[1]>;
const H = 'Host: a\r\n';
const get = (path = '/x', more = ''): string => `GET ${path} HTTP/1.1\r\n${H}${more}\r\n`;
const post = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${H}Content-Length: ${body.length}\r\n\r\n${body}`;
const connected = async (front: Front): Promise<Raw> => {
  const client = await rawConnection(front.port);
  cleanups.push(async () => void client.socket.destroy());
  return client;
};
const inFront = async (url: string, options: Options = {}): Promise<Front> => keep(await startFront(url, options));
const withHandle = (handle: NonNullable<Options['handle']>, limits: Record<string, number> = {}): Promise<Front> =>
  inFront('http://127.0.0.1:1', { handle, limits });
/** Tells which of the two read a request: only node:http says how many bytes of a body it still expects. */
const readers = (seen: string[]) => async (request: ClientRequest) => {
  seen.push(`${request.path} ${request.constructor.name} ${request.connectionId}`);
  request.respond({ status: 200, headers: {}, body: request.path });
};

const once = (text: string) => (socket: Socket) => socket.once('data', () => socket.write(text, 'latin1'));
const big = 'z'.repeat(300_000);

const behaviours: Record<string, (socket: Socket) => void> = {
  'a counted answer': once('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  'an answer with odd headers': once(
    'HTTP/1.1 299 Fine So Far\r\nWarning: a\r\nwarning: b\r\nX-High: \xe9\xff\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok',
  ),
  'an answer with odd headers in chunks': once(
    'HTTP/1.1 200 OK\r\nX-High: \xe9\xff\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  ),
  'a long answer with odd headers': once(
    `HTTP/1.1 200 OK\r\nX-High: \xe9\xff\r\ncontent-length: ${big.length}\r\n\r\n${big}`,
  ),
  'an answer without a reason': once('HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n'),
  'an empty answer': once('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
  'no content': once('HTTP/1.1 204 No Content\r\n\r\n'),
  'not modified': once('HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n'),
  'news before the answer': once(
    'HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  ),
  chunks: once('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'),
  'chunks with a trailer': once('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n'),
  'an end of the connection as end of the body': (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nabc')),
  'a long answer': once(`HTTP/1.1 200 OK\r\ncontent-length: ${big.length}\r\n\r\n${big}`),
  'a long answer in chunks': once(
    `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${big.length.toString(16)}\r\n${big}\r\n0\r\n\r\n`,
  ),
  'a refusal': once('HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\nno'),
  'a reset': (socket) => socket.once('data', () => socket.resetAndDestroy()),
  'no HTTP': once('220 smtp ready\r\n'),
  silence: (socket) => socket.resume(),
  'half an answer': (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf')),
  'half an answer in chunks': (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n')),
};

/** Sends a request and returns all that came until it was answered or cut off; pieces of chunks put together. */
const talk = async (front: Front, request: string): Promise<string> => {
  const client = await connected(front);
  client.socket.write(request);
  await Promise.race([eventually(() => front.events.length === 1), client.closed]);
  client.socket.end();
  const text = await client.closed;
  return text.replace(/([0-9a-f]+)\r\n(z+)\r\n/g, '$2').replace(/"reason":"[^"]*"/g, '');
};

describe.each(['GET', 'HEAD', 'POST'])('a client cannot tell by the answer to %s', (method) => {
  it.each(Object.entries(behaviours))(
    'which of the two read its request, when the cluster sends %s',
    async (_, behave) => {
      const answers: string[] = [];
      const events: unknown[] = [];
      for (const fastPath of [true, false]) {
        const server = keep(await netStub(behave));
        const front = await inFront(server.url, { fastPath, cluster: { requestTimeoutMs: 200 } });
        answers.push(
          await talk(
            front,
            `${method} /x HTTP/1.1\r\n${H}${method === 'POST' ? 'Content-Length: 2\r\n\r\n{}' : '\r\n'}`,
          ),
        );
        await eventually(() => front.events.length > 0 && front.listener.requests === 0);
        events.push(
          front.events.map(({ status, outcome, errorCode, side, family }) => ({
            status,
            outcome,
            errorCode,
            side,
            family,
          })),
        );
      }
      expect(answers[0]).toMatch(/^HTTP\/1\.1 \d\d\d /);
      expect(answers[0]).toBe(answers[1]);
      expect(events[0]).toEqual(events[1]);
    },
  );
});

it.each([0, 500, 1000])(
  'a client cannot tell by what it is told of %i ms that its connection is kept',
  async (keepAliveMs) => {
    const stub = keep(await stubCluster());
    const answers: string[] = [];
    for (const fastPath of [true, false]) {
      const answer = await talk(await inFront(stub.url, { fastPath, limits: { keepAliveMs } }), get());
      // Another second may have begun between the two.
      answers.push(answer.replace(/^date: .*$/im, 'date'));
    }
    expect(answers[0]).toBe(answers[1]);
    expect(answers[0]).toMatch(keepAliveMs === 0 ? /^(?!.*timeout=)/is : /timeout=[01]\r\n/i);
  },
);

describe('a connection goes on in node:http', () => {
  it.each<[string, string, string]>([
    ['chunks', `POST /2 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`, '200'],
    ['a long body', post('/2', 'x'.repeat(70_000)), '200'],
    ['an offer of another protocol', get('/2', 'Connection: Upgrade\r\nUpgrade: h2c\r\n'), '200'],
    ['what is refused', get('/2', 'X : 1\r\n'), '400'],
  ])('from the first that is not simple: %s', async (_, second, status) => {
    const seen: string[] = [];
    const front = await withHandle(readers(seen));
    const client = await connected(front);
    client.socket.write(get('/1'));
    await client.until(/\/1$/);
    client.socket.write(second);
    await client.until(new RegExp(`HTTP/1\\.1 ${status} `));
    if (status === '400') {
      expect(seen).toEqual(['/1 FastExchange 1']);
      return;
    }
    await client.until(/\/2$/);
    client.socket.write(get('/3'));
    const text = await client.until(/\/3$/);
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(Array(3).fill('HTTP/1.1 200'));
    expect(text).not.toMatch(/connection: close/i);
    expect(seen).toEqual(['/1 FastExchange 1', '/2 NodeExchange 1', '/3 NodeExchange 1']);
    expect(front.listener.connections).toBe(1);
  });

  it('when it begins with bytes that are no request', async () => {
    const front = await withHandle(readers([]));
    const client = await connected(front);
    client.socket.write('\x16\x03\x01\x02\x00');
    expect(await client.closed).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('when several requests come at once, and each is carried out at once', async () => {
    const waiting: ClientRequest[] = [];
    const front = await withHandle((request) => {
      waiting.push(request);
      return undefined;
    });
    const client = await connected(front);
    client.socket.write(get('/1') + get('/2') + get('/3'));
    await eventually(() => waiting.length === 3);
    for (const request of waiting.reverse()) request.respond({ status: 200, headers: {}, body: request.path });
    expect(await client.until(/\/1.*\/2.*\/3$/s)).toBeDefined();
  });

  it('when a request is slow to arrive, with its clock', async () => {
    const echo = async (request: ClientRequest): Promise<void> =>
      request.respond({ status: 200, headers: {}, body: await request.readBody({ maxBytes: 100 }) });
    const front = await withHandle(echo, { headersTimeoutMs: 300, requestTimeoutMs: 400 });
    const [head, body] = [await connected(front), await connected(front)];
    head.socket.write(get('/x').slice(0, -2));
    body.socket.write(post('/x', 'abc').slice(0, -1));
    expect(await head.closed).toMatch(/^HTTP\/1\.1 408 /);
    expect(await body.closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('and a slow request is served there when its rest comes', async () => {
    const seen: string[] = [];
    const front = await withHandle(readers(seen));
    const client = await connected(front);
    client.socket.write(post('/1', 'abc').slice(0, -1));
    await eventually(() => seen.length === 1);
    client.socket.write('c');
    await client.until(/\/1$/);
    expect(seen).toEqual(['/1 NodeExchange 1']);
  });
});

describe('a request that arrives in pieces', () => {
  it('is read when it is whole', async () => {
    const stub = keep(await stubCluster());
    const front = await inFront(stub.url);
    const client = await connected(front);
    for (const piece of post('/1', '{"a":1}').match(/.{1,9}/gs) ?? []) {
      client.socket.write(piece);
      await new Promise(setImmediate);
    }
    await client.until(/\{\}$/);
    // A shorter one does not wait until it is as long.
    client.socket.write(get('/2'));
    await eventually(() => stub.seen.length === 2);
    expect(stub.seen.map(({ url, body }) => `${url} ${body}`)).toEqual(['/1 {"a":1}', '/2 ']);
  });

  it('behind another whose answer is not out is read afterwards', async () => {
    const waiting: ClientRequest[] = [];
    const front = await withHandle((request) => {
      waiting.push(request);
      return undefined;
    });
    const client = await connected(front);
    client.socket.write(get('/1'));
    await eventually(() => waiting.length === 1);
    client.socket.write(get('/2').slice(0, 9));
    await new Promise(setImmediate);
    client.socket.write(get('/2').slice(9));
    await eventually(() => client.socket.bytesWritten === 2 * get('/1').length);
    waiting[0]?.respond({ status: 200, headers: {}, body: 'one' });
    await eventually(() => waiting.length === 2);
    waiting[1]?.respond({ status: 200, headers: {}, body: 'two' });
    expect(await client.until(/two$/)).toMatch(/one.*two$/s);
    expect(waiting.map(({ path }) => path)).toEqual(['/1', '/2']);
  });

  it('far ahead of its turn waits outside', async () => {
    const waiting: ClientRequest[] = [];
    const front = await withHandle((request) => {
      waiting.push(request);
      return undefined;
    });
    const client = await connected(front);
    client.socket.write(get('/1'));
    await eventually(() => waiting.length === 1);
    const flood = Array.from({ length: 40 }, (_, i) => post(`/flood${i}`, 'x'.repeat(60_000))).join('');
    client.socket.write(flood);
    waiting[0]?.respond({ status: 200, headers: {}, body: 'one' });
    for (let answered = 1; answered <= 40; answered++) {
      await eventually(() => waiting.length > answered);
      waiting[answered]?.respond({ status: 200, headers: {}, body: `<${answered}>` });
    }
    await client.until(/<40>$/);
    expect(waiting.slice(1).map(({ path }) => path)).toEqual(Array.from({ length: 40 }, (_, i) => `/flood${i}`));
  });
});

describe('a connection without a request', () => {
  it.each([
    ['is let go when it was used long ago', { keepAliveMs: 50 }, get('/1')],
    ['is let go when it never was used', { headersTimeoutMs: 100 }, ''],
  ])('%s', async (_, limits, before) => {
    const front = await withHandle(readers([]), limits);
    const client = await connected(front);
    if (before !== '') client.socket.write(before);
    expect(await client.closed).toMatch(before === '' ? /^$/ : /\/1$/);
    await eventually(() => front.listener.connections === 0);
  });

  it('is kept while a request takes longer than that', async () => {
    let pending: ClientRequest | undefined;
    const front = await withHandle(
      (request) => {
        if (request.path === '/long') pending = request;
        else request.respond({ status: 200, headers: {}, body: request.path });
        return undefined;
      },
      { keepAliveMs: 1, headersTimeoutMs: 500 },
    );
    const [busy, idle] = [await connected(front), await connected(front)];
    busy.socket.write(get('/long'));
    await eventually(() => pending !== undefined);
    idle.socket.write(get('/short'));
    await idle.closed;
    pending?.respond({ status: 200, headers: {}, body: 'late' });
    expect(await busy.until(/late$/)).toBeDefined();
  });
});

describe('an answer', () => {
  it('that was begun and fails ends with its connection', async () => {
    const front = await withHandle(async (request) => {
      request.beginAnswer(200, 'OK', []);
      request.writeAnswer(Buffer.from('half'));
      throw new CrossfadeError('UPSTREAM_RESET');
    });
    const client = await connected(front);
    client.socket.write(get());
    expect(await client.closed).not.toMatch(/0\r\n\r\n$/);
    expect(front.events).toMatchObject([{ status: 200, errorCode: 'UPSTREAM_RESET', outcome: 'failed' }]);
  });

  it('that nobody waits for any more is not written', async () => {
    let request: ClientRequest | undefined;
    const front = await withHandle((given) => {
      request = given;
      return undefined;
    });
    const client = await connected(front);
    client.socket.write(get());
    await eventually(() => request !== undefined);
    client.socket.destroy();
    await eventually(() => request?.gone === true);
    request?.respond({ status: 200, headers: {}, body: 'x' });
    request?.respondError(new CrossfadeError('UPSTREAM_RESET'));
    expect(front.events).toMatchObject([{ status: 499, outcome: 'client_closed' }]);
    expect(front.listener.requests).toBe(0);
  });

  it('is the last when the listener is being drained, and the client is told', async () => {
    const front = await withHandle(readers([]));
    const client = await connected(front);
    client.socket.write(get('/1'));
    await client.until(/\/1$/);
    const drained = front.listener.drain({ graceMs: 10_000, stopAccepting: true });
    client.socket.write(get('/2'));
    expect(await client.closed).toMatch(/connection: close\r\n.*\/2$/is);
    expect(await drained).toBe(true);
  });

  it('reaches a client that has ended its side as soon as it sent', async () => {
    const front = await withHandle(async (request) =>
      request.respond({ status: 200, headers: {}, body: 'x'.repeat(2_000_000) }),
    );
    const client = await connected(front);
    client.socket.write(get());
    await client.until(/x/);
    client.socket.end();
    expect((await client.closed).length).toBeGreaterThan(2_000_000);
  });
});
