import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { AnswerSink, Cluster, StreamRequest } from '../../../src/upstream/types.ts';
import { eventually } from '../../support/eventually.ts';
import { closedPort, netStub, openCluster, stubCluster } from '../../support/front.ts';
import { keeping } from '../../support/keeping.ts';

const { keep } = keeping();
const cluster = (...parameters: Parameters<typeof openCluster>): Cluster => keep(openCluster(...parameters));
/** A connection is free for the next request some turns of the loop after its answer. */
const connectionFree = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await turn();
};
const code = (value: string) => expect.objectContaining({ code: value });
const answerOk = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';
const onHead = (socket: Socket, then: (head: string) => void): void => {
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = text.slice(0, end);
    text = '';
    then(head);
  });
};

type Heard = { status: number; headers: string[]; body: string; error: { code: string } | undefined };
const streamed = (
  from: Cluster,
  request: Partial<StreamRequest>,
  onData: (sink: Heard) => boolean = () => true,
): Promise<Heard> =>
  new Promise((resolve) => {
    const heard: Heard = { status: 0, headers: [], body: '', error: undefined };
    const sink: AnswerSink = {
      onHead: (status, _, headers) => Object.assign(heard, { status, headers }),
      onData: (chunk) => {
        heard.body += chunk.toString();
        return onData(heard);
      },
      onEnd: () => resolve(heard),
      onError: (error) => resolve(Object.assign(heard, { error })),
    };
    from.stream({ method: 'GET', path: '/', headers: [], body: null, ...request }, sink);
  });

describe('a failure on the way to a cluster', () => {
  it.each<[string, (socket: Socket) => void, string]>([
    ['reset before the answer', (socket) => onHead(socket, () => socket.resetAndDestroy()), 'UPSTREAM_RESET'],
    ['closed before the answer', (socket) => onHead(socket, () => socket.end()), 'UPSTREAM_RESET'],
    [
      'closed within the head',
      (socket) => onHead(socket, () => socket.end('HTTP/1.1 200 OK\r\ncont')),
      'UPSTREAM_RESET',
    ],
    [
      'closed within a counted body',
      (socket) => onHead(socket, () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab')),
      'UPSTREAM_RESET',
    ],
    [
      'closed within a counted body of a connection that was to close',
      (socket) =>
        onHead(socket, () => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nab')),
      'UPSTREAM_RESET',
    ],
    [
      'closed within a chunked body',
      (socket) => onHead(socket, () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab')),
      'UPSTREAM_RESET',
    ],
    ['no HTTP at all', (socket) => onHead(socket, () => socket.end('SSH-2.0-x\r\n')), 'UPSTREAM_INVALID'],
    [
      'two lengths',
      (socket) =>
        onHead(socket, () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab')),
      'UPSTREAM_INVALID',
    ],
    [
      'a malformed chunk',
      (socket) => onHead(socket, () => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')),
      'UPSTREAM_INVALID',
    ],
    [
      'a head without end',
      (socket) => onHead(socket, () => socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(1 << 20)}`)),
      'UPSTREAM_INVALID',
    ],
    [
      'an unasked change of protocol',
      (socket) => onHead(socket, () => socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n')),
      'UPSTREAM_INVALID',
    ],
    ['silence', (socket) => socket.resume(), 'UPSTREAM_TIMEOUT'],
    [
      'silence within the body',
      (socket) => onHead(socket, () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab')),
      'UPSTREAM_TIMEOUT',
    ],
  ])('%s', async (_, behave, expected) => {
    const server = keep(await netStub(behave));
    const { transport } = cluster(server.url);
    const timeoutMs = expected === 'UPSTREAM_TIMEOUT' ? 200 : 10_000;
    await expect(transport.request({ method: 'POST', path: '/', body: '{}', timeoutMs })).rejects.toEqual(
      code(expected),
    );
  });

  it('nobody listening means that nothing was sent', async () => {
    const url = `http://127.0.0.1:${await closedPort()}`;
    const { transport } = cluster(url);
    await expect(transport.request({ method: 'POST', path: '/', body: '{}' })).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      notSent: true,
      message: `No connection to the source cluster (${url}) could be made; the request was not sent.`,
    });
  });

  it('waiting for a free connection in vain means that nothing was sent', async () => {
    const server = keep(await netStub((socket) => socket.resume()));
    const { transport } = cluster(server.url, { maxConnections: 1 });
    const first = transport.request({ method: 'GET', path: '/', timeoutMs: 2000 }).catch((error) => error);
    const second = transport.request({ method: 'GET', path: '/', timeoutMs: 200 }).catch((error) => error);
    const where = `the source cluster (${server.url})`;
    expect(await second).toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      message: `No connection to ${where} became free in time.`,
    });
    expect(await first).toMatchObject({ code: 'UPSTREAM_TIMEOUT', message: `No answer from ${where} in time.` });
    expect(server.sockets.size).toBeLessThanOrEqual(1);
  });

  it('an answer larger than allowed is not kept', async () => {
    const server = keep(await stubCluster((_, response) => response.end(Buffer.alloc(4096))));
    const { transport } = cluster(server.url);
    await expect(transport.request({ method: 'GET', path: '/', maxBodyBytes: 4095 })).rejects.toEqual(
      code('UPSTREAM_BODY_TOO_LARGE'),
    );
    expect((await transport.request({ method: 'GET', path: '/', maxBodyBytes: 4096 })).body.length).toBe(4096);
  });

  it('a packed answer that grows too large is not kept', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(8 << 20));
    const server = keep(await stubCluster((_, response) => response.setHeader('content-encoding', 'gzip').end(bomb)));
    await expect(
      cluster(server.url).transport.request({ method: 'GET', path: '/', maxBodyBytes: 1 << 20 }),
    ).rejects.toEqual(code('UPSTREAM_BODY_TOO_LARGE'));
  });

  it('a path that is no path is refused before anything is sent', async () => {
    const server = keep(await stubCluster());
    await expect(cluster(server.url).transport.request({ method: 'GET', path: '/a b' })).rejects.toEqual(
      code('BAD_FRAMING'),
    );
    expect(server.seen).toEqual([]);
  });
});

describe('a request that is given up', () => {
  it('is told as CLIENT_CLOSED and takes its connection with it', async () => {
    const server = keep(await netStub((socket) => socket.resume()));
    const aborter = new AbortController();
    const asked = cluster(server.url)
      .transport.request({ method: 'GET', path: '/', signal: aborter.signal })
      .catch((error) => error.code);
    await eventually(() => server.sockets.size === 1);
    aborter.abort();
    expect(await asked).toBe('CLIENT_CLOSED');
    await eventually(() => server.sockets.size === 0);
  });

  it('was never sent when it was given up before', async () => {
    const server = keep(await stubCluster());
    await expect(
      cluster(server.url).transport.request({ method: 'GET', path: '/', signal: AbortSignal.abort() }),
    ).rejects.toEqual(code('CLIENT_CLOSED'));
    expect(server.seen).toEqual([]);
  });

  it('while it waits for a connection leaves that connection to others', async () => {
    const held: (() => void)[] = [];
    const server = keep(await stubCluster((_, response) => void held.push(() => response.end('{}'))));
    const only = cluster(server.url, { maxConnections: 1 });
    const first = only.transport.request({ method: 'GET', path: '/first' });
    await eventually(() => held.length === 1);
    const second = only.stream(
      { method: 'GET', path: '/second', headers: [], body: null },
      { onHead: () => undefined, onData: () => true, onEnd: () => undefined, onError: () => undefined },
    );
    second.abort();
    const third = only.transport.request({ method: 'GET', path: '/third' });
    held[0]?.();
    expect((await first).status).toBe(200);
    await eventually(() => held.length === 2);
    held[1]?.();
    expect((await third).status).toBe(200);
    expect(server.seen.map(({ url }) => url)).toEqual(['/first', '/third']);
    expect(new Set(server.seen.map(({ connection }) => connection)).size).toBe(1);
  });
});

describe('a second sending', () => {
  /** Answers the first request of each connection and cuts it at the second. */
  const staleAfterOne = (requests: string[]) => (socket: Socket) => {
    let count = 0;
    onHead(socket, (head) => {
      requests.push(head.slice(0, head.indexOf(' HTTP')));
      if (count++ === 0) socket.write(answerOk);
      else socket.resetAndDestroy();
    });
  };

  it.each([
    [
      'happens for a safe request on a connection that was used before',
      { method: 'GET', safeToRepeat: true },
      undefined,
      3,
    ],
    ['never happens for a write', { method: 'POST' }, 'UPSTREAM_RESET', 2],
  ] as const)('%s', async (_, second, error, count) => {
    const requests: string[] = [];
    const server = keep(await netStub(staleAfterOne(requests)));
    const upstream = cluster(server.url);
    expect((await streamed(upstream, {})).status).toBe(200);
    await connectionFree();
    const heard = await streamed(upstream, second);
    expect(heard.error?.code).toBe(error);
    expect(requests.length).toBe(count);
  });

  it('never happens on a fresh connection, for then the cluster itself refuses', async () => {
    let requests = 0;
    const server = keep(
      await netStub((socket) =>
        onHead(socket, () => {
          requests++;
          socket.resetAndDestroy();
        }),
      ),
    );
    const heard = await streamed(cluster(server.url), { safeToRepeat: true });
    expect(heard.error?.code).toBe('UPSTREAM_RESET');
    expect(requests).toBe(1);
  });

  it('never happens after a byte of the answer', async () => {
    let requests = 0;
    const server = keep(
      await netStub((socket) =>
        onHead(socket, () => {
          requests++;
          if (requests === 1) socket.write(answerOk);
          else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab');
        }),
      ),
    );
    const upstream = cluster(server.url);
    await streamed(upstream, {});
    await connectionFree();
    expect((await streamed(upstream, { safeToRepeat: true })).error?.code).toBe('UPSTREAM_RESET');
    expect(requests).toBe(2);
  });
});

describe('several URLs', () => {
  it('take turns, and one that is down costs nobody an answer', async () => {
    const [a, b] = [keep(await stubCluster()), keep(await stubCluster())];
    const dead = `http://127.0.0.1:${await closedPort()}`;
    const { transport } = cluster([dead, a.url, b.url]);
    for (let i = 0; i < 9; i++)
      expect((await transport.request({ method: 'POST', path: `/${i}`, body: '{}' })).status).toBe(200);
    expect(a.seen.length + b.seen.length).toBe(9);
    expect(Math.abs(a.seen.length - b.seen.length)).toBeLessThanOrEqual(1);
  });

  it('that are all down say so once each was tried', async () => {
    const urls = [`http://127.0.0.1:${await closedPort()}`, `http://127.0.0.1:${await closedPort()}`];
    await expect(cluster(urls).transport.request({ method: 'GET', path: '/' })).rejects.toEqual(
      code('UPSTREAM_UNREACHABLE'),
    );
  });

  it('get a streamed body that no dead URL has eaten', async () => {
    const live = keep(await stubCluster());
    const upstream = cluster([`http://127.0.0.1:${await closedPort()}`, live.url]);
    async function* body() {
      yield Buffer.from('one ');
      yield Buffer.from('two');
    }
    const heard = await streamed(upstream, { method: 'POST', body: body() });
    expect(heard.status).toBe(200);
    expect(live.seen[0]?.body.toString()).toBe('one two');
  });
});

describe('one of several URLs that takes requests and answers none', () => {
  /** The first hangs; requests say where they went. */
  const withHung = async (config = {}) => {
    let nowMs = 0;
    const hung = keep(await stubCluster(() => undefined));
    const live = keep(await stubCluster());
    const upstream = cluster([hung.url, live.url], config, { now: () => nowMs });
    const later = (ms: number): void => void (nowMs += ms);
    const served = async (count: number): Promise<number> => {
      const before = live.seen.length;
      for (let i = 0; i < count; i++)
        await upstream.transport
          .request({ method: 'POST', path: '/', body: '{}', timeoutMs: 50 })
          .catch(() => undefined);
      return live.seen.length - before;
    };
    return { hung, live, upstream, served, later };
  };

  it('is left out after a time without an answer, and tried again later', async () => {
    const { hung, served, later } = await withHung();
    expect(await served(1)).toBe(0);
    expect(await served(6)).toBe(6);
    later(500);
    expect(await served(6)).toBe(5);
    expect(hung.seen.length).toBe(2);
  });

  it('is left out after a wait for a free connection in vain', async () => {
    const { upstream, served } = await withHung({ maxConnections: 1 });
    const stuck = upstream.transport.request({ method: 'GET', path: '/', timeoutMs: 10_000 }).catch(() => undefined);
    expect(await served(2)).toBe(1);
    expect(await served(4)).toBe(4);
    await upstream.close();
    await stuck;
  });

  it.each([
    ['is left out after a client waited for long and left', 5000, 1],
    ['stays in when a client leaves soon', 4999, 2],
  ])('%s', async (_, waitedMs, asked) => {
    const { hung, upstream, served, later } = await withHung();
    const client = new AbortController();
    const left = upstream.transport.request({ method: 'GET', path: '/', signal: client.signal }).catch(() => undefined);
    await eventually(() => hung.seen.length === 1);
    later(waitedMs);
    client.abort();
    await left;
    await served(4);
    expect(hung.seen.length).toBe(asked);
  });

  it('stays in when it answers others', async () => {
    const slow = keep(await stubCluster(({ url }, response) => void (url === '/slow' || response.end('{}'))));
    const other = keep(await stubCluster());
    const { transport } = cluster([slow.url, other.url]);
    const asked = transport.request({ method: 'GET', path: '/slow', timeoutMs: 300 }).catch(() => undefined);
    for (let i = 0; i < 3; i++) await transport.request({ method: 'GET', path: '/' });
    await asked;
    for (let i = 0; i < 4; i++) await transport.request({ method: 'GET', path: '/' });
    expect(slow.seen.length).toBe(4);
  });

  it('stays in when it was the body of a request that did not come', async () => {
    const { hung, upstream, served } = await withHung();
    async function* endless() {
      yield Buffer.from('x');
      await new Promise(() => undefined);
    }
    expect((await streamed(upstream, { method: 'POST', body: endless(), timeoutMs: 50 })).error?.code).toBe(
      'UPSTREAM_TIMEOUT',
    );
    await served(2);
    expect(hung.seen.length).toBe(1);
  });
});

describe('a connection', () => {
  const connections = async (method: string, status: number, count = 3): Promise<number> => {
    const server = keep(await stubCluster((_, response) => response.writeHead(status, { 'content-length': 0 }).end()));
    const { transport } = cluster(server.url);
    const used = new Set<Socket>();
    for (let i = 0; i < count; i++) {
      await transport.request({ method, path: '/', ...(method === 'HEAD' ? {} : { body: '{}' }) });
      for (const { connection } of server.seen) used.add(connection);
      await connectionFree();
    }
    return used.size;
  };

  it.each(['POST', 'GET', 'DELETE', 'HEAD'])(
    'is used again after %s, with a body where there can be one',
    async (method) => {
      expect(await connections(method, 200)).toBe(1);
    },
  );

  it('is not used again after a 400, for the server may have stopped listening to it', async () => {
    expect(await connections('POST', 400)).toBe(3);
  });

  it('is used again after a 404', async () => {
    expect(await connections('GET', 404)).toBe(1);
  });
});

describe('an answer', () => {
  it('keeps repeated headers, their order and their case when it is streamed', async () => {
    const head = 'HTTP/1.1 200 OK\r\nWarning: 299 a\r\nX-B: 1\r\nwarning: 299 b\r\ncontent-length: 0\r\n\r\n';
    const server = keep(await netStub((socket) => onHead(socket, () => socket.write(head))));
    expect((await streamed(cluster(server.url), {})).headers).toEqual([
      'Warning',
      '299 a',
      'X-B',
      '1',
      'warning',
      '299 b',
      'content-length',
      '0',
    ]);
  });

  it('has its content-encoding undone when it is buffered', async () => {
    const server = keep(
      await stubCluster((_, response) => response.setHeader('content-encoding', 'gzip').end(zlib.gzipSync('{"a":1}'))),
    );
    const answer = await cluster(server.url).transport.request({ method: 'GET', path: '/' });
    expect(answer.body.toString()).toBe('{"a":1}');
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  it('waits while its reader is not ready, and goes on when it is', async () => {
    const total = 64 << 20;
    let written = 0;
    const server = keep(
      await stubCluster((_, response) => {
        const more = (): void => {
          while (written < total) {
            written += 1 << 16;
            if (!response.write(Buffer.alloc(1 << 16))) return void response.once('drain', more);
          }
          response.end();
        };
        more();
      }),
    );
    let received = 0;
    let paused = true;
    const done = new Promise<void>((resolve) => {
      const upstream = cluster(server.url).stream(
        { method: 'GET', path: '/', headers: [], body: null },
        {
          onHead: () => undefined,
          onData: (chunk) => {
            received += chunk.length;
            return !paused;
          },
          onEnd: resolve,
          onError: () => resolve(),
        },
      );
      void eventually(async () => {
        const before = written;
        await delay(100);
        return before > 0 && before === written;
      }).then(() => {
        expect(received).toBeLessThan(1 << 20);
        expect(written).toBeLessThan(total / 2);
        paused = false;
        upstream.resume();
      });
    });
    await done;
    expect(received).toBe(total);
  });
});

describe('a request', () => {
  it('carries no header that the transport makes itself', async () => {
    const server = keep(await stubCluster());
    const headers = {
      host: 'evil',
      'content-length': '999',
      connection: 'x-a',
      'transfer-encoding': 'chunked',
      te: 'trailers',
      expect: '100-continue',
      'x-b': ['1', '2'],
    };
    await cluster(server.url).transport.request({ method: 'POST', path: '/p?q=%20', headers, body: 'ab' });
    const [seen] = server.seen;
    expect(seen?.url).toBe('/p?q=%20');
    expect(seen?.rawHeaders).toEqual([
      ...['host', `127.0.0.1:${server.port}`, 'connection', 'keep-alive'],
      ...['x-b', '1', 'x-b', '2', 'content-length', '2'],
    ]);
  });

  it('goes below the path of the URL', async () => {
    const server = keep(await stubCluster());
    await cluster(`${server.url}/search/`).transport.request({ method: 'GET', path: '/_cat' });
    expect(server.seen[0]?.url).toBe('/search/_cat');
  });

  it('in pieces is sent with its length', async () => {
    const server = keep(await stubCluster());
    const lines = Array.from({ length: 5000 }, (_, i) => Buffer.from(`{"n":${i}}\n`));
    const byteLength = lines.reduce((sum, line) => sum + line.length, 0);
    const body = { byteLength, pieces: () => lines };
    await cluster(server.url).transport.request({ method: 'POST', path: '/_bulk', body });
    expect(server.seen[0]?.body).toEqual(Buffer.concat(lines));
    expect(server.seen[0]?.rawHeaders).toContain(String(byteLength));
  });

  it('whose streamed body breaks off is never made to look complete', async () => {
    let bytes = '';
    const server = keep(await netStub((socket) => socket.on('data', (chunk) => (bytes += chunk.toString('latin1')))));
    async function* body() {
      yield Buffer.from('half');
      throw new Error('the client is gone');
    }
    const heard = await streamed(cluster(server.url), { method: 'POST', body: body() });
    expect(heard.error?.code).toBe('UPSTREAM_RESET');
    await eventually(() => server.sockets.size === 0);
    expect(bytes).toMatch(/4\r\nhalf$/);
  });

  it('lets go of a streamed body when the answer comes first', async () => {
    const server = keep(await netStub((socket) => onHead(socket, () => socket.write(answerOk))));
    let released = false;
    const endless: AsyncIterable<Buffer> = {
      [Symbol.asyncIterator]: () => {
        let asked = 0;
        return {
          next: () =>
            asked++ === 0 ? Promise.resolve({ done: false, value: Buffer.from('x') }) : new Promise(() => undefined),
          return: async () => {
            released = true;
            return { done: true, value: undefined };
          },
        };
      },
    };
    expect((await streamed(cluster(server.url), { method: 'POST', body: endless })).status).toBe(200);
    await eventually(() => released);
  });
});

describe('a signed request', () => {
  const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
  const encode = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

  /** The server's side of AWS Signature Version 4, from the bytes that arrived. */
  const signatureOf = (seen: { method: string; url: string; rawHeaders: string[]; body: Buffer }, service: string) => {
    const headers = new Map<string, string>();
    for (let i = 0; i < seen.rawHeaders.length; i += 2)
      headers.set(seen.rawHeaders[i]!.toLowerCase(), seen.rawHeaders[i + 1]!);
    const authorization = headers.get('authorization') ?? '';
    const signed = /SignedHeaders=([^,]*)/.exec(authorization)?.[1] ?? '';
    const [path = '', query = ''] = seen.url.split('?');
    const parameters = query
      .split('&')
      .filter((part) => part !== '')
      .map((part) => part.split('='))
      .map(([name = '', value = '']) => `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`)
      .sort();
    const canonical = [
      seen.method,
      path.split('/').map(encode).join('/'),
      parameters.join('&'),
      ...signed.split(';').map((name) => `${name}:${headers.get(name)}`),
      '',
      signed,
      sha256(seen.body),
    ].join('\n');
    const date = headers.get('x-amz-date') ?? '';
    const scope = `${date.slice(0, 8)}/eu-west-1/${service}/aws4_request`;
    const key = ['eu-west-1', service, 'aws4_request'].reduce(hmac, hmac(`AWS4${secretAccessKey}`, date.slice(0, 8)));
    const expected = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
    return { headers, signed, expected, given: /Signature=(\w+)/.exec(authorization)?.[1] };
  };
  const sigv4 = (service: string) => ({
    sigv4: { region: 'eu-west-1', service, accessKeyId: 'AKIDEXAMPLE', secretAccessKey, sessionToken: 'token' },
  });
  async function* chunks() {
    yield Buffer.from('{"a"');
    yield Buffer.from(':1}');
  }

  it.each<[string, string, Partial<StreamRequest>, string?]>([
    ['es', 'a read', { path: '/idx/_search?q=a+b&size=1' }],
    ['aoss', 'a body', { method: 'POST', path: '/_bulk', body: Buffer.from('{}\n') }],
    ['es', 'a streamed body', { method: 'POST', path: '/_bulk', body: chunks() }],
    ['es', 'an encoded id', { method: 'PUT', path: '/i/_doc/a%2Fb%20c', body: Buffer.from('{}') }],
    ['es', 'a repeated parameter and one without value', { path: '/_search?x=2&x=1&pretty' }],
    ['es', 'a path in the URL of the cluster', { path: '/i/_doc/a%2Fb?refresh' }, '/search/v1'],
  ])('for %s can be verified: %s', async (service, _, request, prefix = '') => {
    const server = keep(await stubCluster());
    const headers = ['Connection', 'x', 'accept-encoding', 'gzip', 'Authorization', 'Basic x', 'X-Amz-Date', 'old'];
    const upstream = cluster(`${server.url}${prefix}`, sigv4(service));
    const heard = await streamed(upstream, { headers: headers.slice(2), ...request });
    expect(heard.status).toBe(200);
    expect(server.seen[0]?.url.startsWith(`${prefix}${request.path?.slice(0, 3)}`)).toBe(true);
    const { given, expected, signed, headers: sent } = signatureOf(server.seen[0]!, service);
    expect(given).toBe(expected);
    expect(signed).toBe('host;x-amz-content-sha256;x-amz-date;x-amz-security-token');
    expect(sent.get('x-amz-content-sha256')).toBe(sha256(server.seen[0]!.body));
    expect(sent.get('accept-encoding')).toBe('gzip');
  });

  it('whose streamed body is too large to be held is refused', async () => {
    const server = keep(await stubCluster());
    const small = cluster(server.url, sigv4('es'), { maxBodyBytes: 6 });
    expect((await streamed(small, { method: 'POST', body: chunks() })).error?.code).toBe('BODY_TOO_LARGE');
    expect(server.seen).toEqual([]);
  });
});

describe('TLS', () => {
  const file = (name: string): string => join(import.meta.dirname, '../../fixtures/tls', name);
  const secureStub = async (options: Record<string, unknown> = {}) => {
    const server = createSecureServer(
      { key: readFileSync(file('server.key')), cert: readFileSync(file('server.pem')), ...options },
      (_, response) => response.end('{}'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = async (): Promise<void> => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    return keep({ port: (server.address() as AddressInfo).port, close });
  };
  const ask = (port: number, tls: Record<string, unknown> | undefined, host = '127.0.0.1') =>
    cluster(`https://${host}:${port}`, tls === undefined ? {} : { tls }).transport.request({
      method: 'GET',
      path: '/',
    });

  it('is verified by default, so an unknown authority is out of reach', async () => {
    const { port } = await secureStub();
    await expect(ask(port, undefined)).rejects.toEqual(code('UPSTREAM_UNREACHABLE'));
  });

  it('is verified by name too', async () => {
    const { port } = await secureStub();
    await expect(ask(port, { caFile: file('ca.pem') })).rejects.toEqual(code('UPSTREAM_UNREACHABLE'));
    expect((await ask(port, { caFile: file('ca.pem'), serverName: 'cluster.example' })).status).toBe(200);
    expect((await ask(port, { caFile: file('ca.pem') }, 'localhost')).status).toBe(200);
  });

  it('is not verified when an experiment asks for that', async () => {
    const { port } = await secureStub();
    expect((await ask(port, { verify: false })).status).toBe(200);
  });

  it('shows the client certificate', async () => {
    const { port } = await secureStub({
      requestCert: true,
      rejectUnauthorized: true,
      ca: readFileSync(file('ca.pem')),
    });
    const server = { caFile: file('ca.pem'), serverName: 'cluster.example' };
    await expect(ask(port, server)).rejects.toThrow();
    const client = { certFile: file('client.pem'), keyFile: file('client.key') };
    expect((await ask(port, { ...server, ...client })).status).toBe(200);
  });
});

describe('a cluster', () => {
  it.each([
    ['a user in the URL', 'http://user:pw@127.0.0.1', {}],
    ['a query in the URL', 'http://127.0.0.1/?a', {}],
    ['a missing secret file', 'http://127.0.0.1', { apiKeyFile: '/nowhere/key' }],
    ['a missing certificate', 'https://127.0.0.1', { tls: { caFile: '/nowhere/ca.pem' } }],
  ])('is refused with %s', (_, url, config) => {
    expect(() => openCluster(url, config)).toThrow(code('CONFIG_INVALID'));
  });

  it('lets a request finish while it is being closed', async () => {
    let finish: (() => void) | undefined;
    const server = keep(
      await stubCluster((_, response) => {
        finish = () => response.end('{}');
      }),
    );
    const closing = openCluster(server.url);
    const asked = closing.transport.request({ method: 'GET', path: '/' });
    await eventually(() => finish !== undefined);
    const closed = closing.close(5000);
    finish?.();
    expect((await asked).status).toBe(200);
    await closed;
    await expect(closing.transport.request({ method: 'GET', path: '/' })).rejects.toEqual(code('NOT_READY'));
  });
});
