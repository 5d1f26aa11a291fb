import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AnswerSink, Cluster, StreamRequest, UpstreamStream } from '../../../../src/upstream/types.ts';
import { eventually } from '../../../support/eventually.ts';
import { netStub, openCluster, stubCluster } from '../../../support/front.ts';
import { keeping } from '../../../support/keeping.ts';

const { keep } = keeping();
const cluster = (...parameters: Parameters<typeof openCluster>): Cluster => keep(openCluster(...parameters));
const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await turn();
};

type Heard = { status: number; body: string; pieces: number; error: string | undefined; over: boolean };
const newHeard = (): Heard => ({ status: 0, body: '', pieces: 0, error: undefined, over: false });
const begin = (
  from: Cluster,
  request: Partial<StreamRequest>,
  heard: Heard,
  isReady: () => boolean = () => true,
): UpstreamStream => {
  const sink: AnswerSink = {
    onHead: (status) => {
      heard.status = status;
    },
    onData: (chunk) => {
      heard.body += chunk.toString('latin1');
      heard.pieces++;
      return isReady();
    },
    onEnd: () => {
      heard.over = true;
    },
    onError: ({ code }) => Object.assign(heard, { error: code, over: true }),
  };
  return from.stream({ method: 'GET', path: '/', headers: [], body: null, ...request }, sink);
};
const ask = async (from: Cluster, request: Partial<StreamRequest> = {}): Promise<Heard> => {
  const heard = newHeard();
  begin(from, request, heard);
  await eventually(() => heard.over);
  return heard;
};

/** A server of bytes: answers each head by its turn, counted over all connections. */
const scripted = async (answer: (socket: Socket, turn: number) => void) => {
  let count = 0;
  const connections = new Set<Socket>();
  const server = await netStub((socket) => {
    connections.add(socket);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        text = text.slice(end + 4);
        answer(socket, count++);
      }
    });
  });
  return { ...keep(server), connections };
};
const ok = 'HTTP/1.1 200 OK\r\n';
const okBody = (body: string): string => `${ok}content-length: ${body.length}\r\n\r\n${body}`;

async function* pieces(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

describe('on the wire', () => {
  const plain = 'host: HOST\r\nconnection: keep-alive\r\n';
  it.each<[string, Partial<StreamRequest>, string]>([
    ['GET', {}, `GET / HTTP/1.1\r\n${plain}\r\n`],
    ['GET with a body', { body: Buffer.from('{}') }, `GET / HTTP/1.1\r\n${plain}content-length: 2\r\n\r\n{}`],
    ['HEAD', { method: 'HEAD' }, `HEAD / HTTP/1.1\r\n${plain}\r\n`],
    ['an empty DELETE', { method: 'DELETE' }, `DELETE / HTTP/1.1\r\n${plain}\r\n`],
    ['an empty POST', { method: 'POST' }, `POST / HTTP/1.1\r\n${plain}content-length: 0\r\n\r\n`],
    ['an empty PUT', { method: 'PUT', body: Buffer.alloc(0) }, `PUT / HTTP/1.1\r\n${plain}content-length: 0\r\n\r\n`],
    [
      'a streamed body of known length',
      { method: 'POST', body: pieces('ab', '', 'c'), bodyLength: 3 },
      `POST / HTTP/1.1\r\n${plain}content-length: 3\r\n\r\nabc`,
    ],
    [
      'a streamed body of unknown length',
      { method: 'POST', body: pieces('ab', '', '0123456789abcdef') },
      `POST / HTTP/1.1\r\n${plain}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n`,
    ],
    [
      'a streamed body with nothing in it',
      { method: 'POST', body: pieces() },
      `POST / HTTP/1.1\r\n${plain}content-length: 0\r\n\r\n`,
    ],
    [
      'a large body',
      { method: 'POST', body: Buffer.alloc(100_000, 'x') },
      `POST / HTTP/1.1\r\n${plain}content-length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
    ],
  ])('%s is these bytes', async (_, request, bytes) => {
    let seen = '';
    const server = keep(await netStub((socket) => socket.on('data', (chunk) => (seen += chunk.toString('latin1')))));
    const expected = bytes.replace('HOST', `127.0.0.1:${server.port}`);
    begin(cluster(server.url), request, newHeard());
    await eventually(() => seen.length >= expected.length);
    expect(seen).toBe(expected);
  });
});

describe('an answer', () => {
  it.each<[string, string, string]>([
    ['after 100 and 103', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nlink: a\r\n\r\n${okBody('ab')}`, 'ab'],
    ['in chunks', `${ok}transfer-encoding: chunked\r\n\r\n1;x=y\r\na\r\n1\r\nb\r\n0\r\nt: u\r\n\r\n`, 'ab'],
  ])('%s is the same when it trickles', async (_, text, body) => {
    const server = await scripted((socket) => {
      socket.setNoDelay(true);
      const next = (at: number): void => {
        if (at < text.length) socket.write(text.charAt(at), 'latin1', () => setImmediate(next, at + 1));
      };
      next(0);
    });
    expect(await ask(cluster(server.url))).toMatchObject({ status: 200, body, error: undefined });
  });

  it('to HEAD has a length and no body, and its connection is used again', async () => {
    const server = await scripted((socket) => socket.write(`${ok}content-length: 99\r\n\r\n`));
    const upstream = cluster(server.url);
    for (let i = 0; i < 3; i++)
      expect(await ask(upstream, { method: 'HEAD' })).toMatchObject({ status: 200, body: '', error: undefined });
    expect(server.connections.size).toBe(1);
  });

  it('of 204 that has a length is taken, and its connection closed', async () => {
    const server = await scripted((socket) => socket.write('HTTP/1.1 204 x\r\ncontent-length: 2\r\n\r\nab'));
    expect(await ask(cluster(server.url))).toMatchObject({ status: 204, body: '', error: undefined });
    await eventually(() => server.sockets.size === 0);
  });

  it('that ends with its connection is whole; one that is reset is not', async () => {
    const server = await scripted((socket, count) => {
      if (count === 0) socket.end(`${ok}\r\nab`);
      else socket.write(`${ok}\r\nab`, () => socket.resetAndDestroy());
    });
    const upstream = cluster(server.url);
    expect(await ask(upstream)).toMatchObject({ body: 'ab', error: undefined });
    expect(await ask(upstream, { safeToRepeat: true })).toMatchObject({ error: 'UPSTREAM_RESET' });
  });

  it('in chunks is told no further while its reader is not ready, to the last byte and the end', async () => {
    const piece = 'x'.repeat(1000);
    const count = 300;
    const server = await scripted((socket) => {
      const chunks = `3e8\r\n${piece}\r\n`.repeat(count);
      socket.write(`${ok}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    });
    const heard = newHeard();
    const upstream = begin(cluster(server.url), {}, heard, () => false);
    for (let told = 1; told <= count; told++) {
      await eventually(() => heard.pieces >= told);
      expect(heard.over).toBe(false);
      const before = heard.pieces;
      upstream.resume();
      expect(heard.pieces).toBeLessThanOrEqual(before + 1);
    }
    await eventually(() => {
      upstream.resume();
      return heard.over;
    });
    expect(heard.body.length).toBe(count * piece.length);
  });
});

describe('what nobody asked for', () => {
  it.each([
    ['a second answer', okBody('evil')],
    ['garbage', 'x'],
    ['an empty line', '\r\n'],
  ])('%s behind an answer is never the answer to the next request', async (_, extra) => {
    const server = await scripted((socket, count) => socket.write(okBody(`${count}`) + (count === 0 ? extra : '')));
    const upstream = cluster(server.url);
    expect(await ask(upstream)).toMatchObject({ body: '0', error: undefined });
    expect(await ask(upstream, { method: 'POST' })).toMatchObject({ body: '1', error: undefined });
  });

  it('a second answer on an idle connection closes it', async () => {
    const held: Socket[] = [];
    const server = await scripted((socket, count) => {
      held.push(socket);
      socket.write(okBody(`${count}`));
    });
    const upstream = cluster(server.url);
    await ask(upstream);
    held[0]?.write(okBody('evil'));
    await eventually(() => held[0]?.destroyed === true);
    expect(await ask(upstream, { method: 'POST' })).toMatchObject({ body: '1', error: undefined });
  });

  it('connections that are dead without a word cost a read nothing, however many there are', async () => {
    const used = new Set<Socket>();
    const waiting: Socket[] = [];
    const server = await scripted((socket) => {
      if (used.has(socket)) return void socket.resetAndDestroy();
      used.add(socket);
      waiting.push(socket);
      if (waiting.length === 3 || used.size > 3) for (const one of waiting.splice(0)) one.write(okBody('ok'));
    });
    const upstream = cluster(server.url, { maxConnections: 3 });
    await Promise.all([1, 2, 3].map(() => ask(upstream)));
    expect(await ask(upstream, { safeToRepeat: true })).toMatchObject({ status: 200, body: 'ok', error: undefined });
    expect(used.size).toBe(4);
  });

  it('a connection that the server has just closed costs a read nothing', async () => {
    const server = await scripted((socket) => socket.write(okBody('{}')));
    const upstream = cluster(server.url, {}, { now: () => 0 });
    for (let round = 0; round < 10; round++) {
      expect(await ask(upstream, { safeToRepeat: true })).toMatchObject({ body: '{}', error: undefined });
      for (const socket of server.sockets) await new Promise<void>((resolve) => socket.end(() => resolve()));
    }
    expect(server.connections.size).toBeGreaterThan(1);
  });

  it('a connection that the server has just reset costs a write nothing', async () => {
    const server = await scripted((socket) => socket.write(okBody('{}')));
    const upstream = cluster(server.url);
    for (let round = 0; round < 3; round++) {
      expect(await ask(upstream, { method: 'POST' })).toMatchObject({ body: '{}', error: undefined });
      for (const socket of server.sockets) socket.resetAndDestroy();
    }
    expect(server.connections.size).toBe(3);
  });
});

describe('a body at hand', () => {
  it('that the server answers before it has read it does not stand in the way of the next request', async () => {
    const paused = new Set<Socket>();
    const server = keep(
      await netStub((socket) =>
        socket.once('data', (head) => {
          const isLarge = head.includes('POST');
          if (isLarge) paused.add(socket.pause());
          socket.write(isLarge ? 'HTTP/1.1 429 x\r\ncontent-length: 1\r\n\r\nn' : okBody('{}'));
        }),
      ),
    );
    const upstream = cluster(server.url);
    const body = Buffer.alloc(32 << 20, 'x');
    expect(await ask(upstream, { method: 'POST', body })).toMatchObject({ status: 429, body: 'n', error: undefined });
    expect(await ask(upstream)).toMatchObject({ status: 200, body: '{}', error: undefined });
    for (const socket of paused) socket.resume();
    await eventually(() => server.sockets.size === 1);
  });
});

describe('a streamed body', () => {
  it('that the server answers early is not sent on, and its connection is closed', async () => {
    const server = await scripted((socket) => socket.write('HTTP/1.1 413 x\r\ncontent-length: 1\r\n\r\nn'));
    async function* endless() {
      yield Buffer.from('x');
      await new Promise(() => undefined);
    }
    expect(await ask(cluster(server.url), { method: 'POST', body: endless() })).toMatchObject({
      status: 413,
      body: 'n',
      error: undefined,
    });
    await eventually(() => server.sockets.size === 0);
  });

  it('that the server hangs up on does not keep its answer from being read', async () => {
    let hangUp: () => void = () => undefined;
    const hungUp = new Promise<void>((resolve) => (hangUp = resolve));
    const refuse = (socket: Socket) => (): void => {
      socket.resetAndDestroy();
      hangUp();
    };
    const answer = 'HTTP/1.1 413 x\r\ncontent-length: 1\r\n\r\nn';
    const server = keep(await netStub((socket) => socket.once('data', () => socket.write(answer, refuse(socket)))));
    async function* wanted() {
      yield Buffer.alloc(1 << 16, 'x');
      // The next piece is written in the turn in which the reset has come, before the answer is read.
      await hungUp;
      for (let i = 0; i < 9; i++) yield Buffer.alloc(1 << 16, 'x');
    }
    const upstream = cluster(server.url);
    expect(await ask(upstream, { method: 'POST', body: wanted() })).toMatchObject({ status: 413, body: 'n' });
    await eventually(() => server.sockets.size === 0);
  });

  it.each([
    ['longer', pieces('abc', 'd'), 3],
    ['shorter', pieces('ab'), 3],
    ['empty', pieces(), 3],
    ['there although none was', pieces('a'), 0],
  ])('that is %s than declared takes its connection with it', async (_, body, bodyLength) => {
    let seen = '';
    const server = keep(await netStub((socket) => socket.on('data', (chunk) => (seen += chunk.toString('latin1')))));
    const heard = await ask(cluster(server.url), { method: 'POST', body, bodyLength });
    expect(heard.error).toBe('UPSTREAM_RESET');
    await eventually(() => server.sockets.size === 0);
    const sent = seen.slice(seen.indexOf('\r\n\r\n') + 4);
    expect(sent.length).toBeLessThanOrEqual(bodyLength);
  });

  it('of many megabytes is pulled at the pace of the connection', async () => {
    const total = 1000 * (1 << 16);
    let taken = 0;
    let isOver = false;
    const sockets: Socket[] = [];
    const server = keep(
      await netStub((socket) => {
        sockets.push(socket.pause());
        socket.on('data', (chunk) => {
          taken += chunk.length;
          if (taken > total) socket.write(okBody('{}'));
        });
      }),
    );
    let pulled = 0;
    async function* large() {
      for (; pulled < 1000; pulled++) yield Buffer.alloc(1 << 16, 'x');
      isOver = true;
    }
    const asked = ask(cluster(server.url), { method: 'POST', body: large(), bodyLength: total });
    await eventually(() => sockets.length === 1 && pulled > 0);
    await settled();
    expect(isOver).toBe(false);
    sockets[0]?.resume();
    expect(await asked).toMatchObject({ status: 200, error: undefined });
    expect(taken).toBeGreaterThan(total);
  });
});

describe('a connection at rest', () => {
  const idleFor = async (idleMs: number, header = ''): Promise<number> => {
    let nowMs = 0;
    const server = await scripted((socket) => socket.write(`${ok}${header}content-length: 0\r\n\r\n`));
    const upstream = cluster(server.url, {}, { now: () => nowMs });
    for (let i = 0; i < 2; i++) {
      expect((await ask(upstream)).status).toBe(200);
      nowMs += idleMs;
    }
    return server.connections.size;
  };

  it.each([
    [24_000, '', 1],
    [25_000, '', 2],
    [3_000, 'keep-alive: timeout=5\r\n', 1],
    [4_000, 'keep-alive: timeout=5\r\n', 2],
    [0, 'keep-alive: timeout=1\r\n', 2],
    [26_000, 'keep-alive: timeout=600, max=5\r\n', 2],
    [0, 'connection: close\r\n', 2],
  ])('for %i ms after an answer with %o: connections needed %i', async (idleMs, header, count) => {
    expect(await idleFor(idleMs, header)).toBe(count);
  });

  it('that the server closes is not used again', async () => {
    const held: Socket[] = [];
    const server = await scripted((socket, count) => {
      held.push(socket);
      socket.write(okBody(`${count}`));
    });
    const upstream = cluster(server.url);
    await ask(upstream);
    held[0]?.end();
    await eventually(() => server.sockets.size === 0);
    expect(await ask(upstream, { method: 'POST' })).toMatchObject({ body: '1', error: undefined });
  });
});

describe('a pool', () => {
  it('lets requests wait in their order and never opens more connections than it may', async () => {
    const held: (() => void)[] = [];
    let most = 0;
    const server = keep(await stubCluster((_, response) => void held.push(() => response.end('{}'))));
    const upstream = cluster(server.url, { maxConnections: 2 });
    const asked = Array.from({ length: 8 }, (_, i) => ask(upstream, { path: `/${i}` }));
    for (let i = 0; i < 8; i++) {
      await eventually(() => held.length > i);
      most = Math.max(most, server.sockets.size);
      held[i]?.();
    }
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    expect(most).toBeLessThanOrEqual(2);
    expect(server.seen.slice(2).map(({ url }) => url)).toEqual(['/2', '/3', '/4', '/5', '/6', '/7']);
  });

  it('takes a connection that is not made in time for no connection, its handshake included', async () => {
    const server = keep(await netStub((socket) => socket.resume()));
    const upstream = cluster(server.url.replace('http:', 'https:'), { connectTimeoutMs: 200 });
    expect((await ask(upstream)).error).toBe('UPSTREAM_UNREACHABLE');
    await eventually(() => server.sockets.size === 0);
  });

  it('has room again for each connection that was lost', async () => {
    const server = await scripted((socket, count) => {
      if (count < 6) socket.resetAndDestroy();
      else socket.write(okBody('{}'));
    });
    const upstream = cluster(server.url, { maxConnections: 2 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(upstream, { method: 'POST' })));
    expect(answers.map(({ error }) => error).sort()).toEqual([
      ...Array(6).fill('UPSTREAM_RESET'),
      undefined,
      undefined,
    ]);
  });

  it('fails what waits and what is under way when it is closed without grace', async () => {
    let seen = 0;
    const server = keep(await netStub((socket) => socket.on('data', () => seen++)));
    const upstream = openCluster(server.url, { maxConnections: 1 });
    const [sent, waiting] = [newHeard(), newHeard()];
    begin(upstream, {}, sent);
    begin(upstream, {}, waiting);
    await eventually(() => seen > 0);
    await upstream.close();
    expect(sent.error).toBe('UPSTREAM_RESET');
    expect(waiting.error).toBe('NOT_READY');
    await eventually(() => server.sockets.size === 0);
  });

  it('survives a sink that throws', async () => {
    const server = await scripted((socket) => socket.write(okBody('{}')));
    const upstream = cluster(server.url);
    let error: string | undefined;
    upstream.stream(
      { method: 'GET', path: '/', headers: [], body: null },
      {
        onHead: () => {
          throw new Error('a bug');
        },
        onData: () => true,
        onEnd: () => undefined,
        onError: ({ code }) => {
          error = code;
        },
      },
    );
    await eventually(() => error !== undefined);
    expect(error).toBe('UPSTREAM_RESET');
    expect((await ask(upstream)).status).toBe(200);
  });
});
