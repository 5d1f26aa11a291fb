import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerParser, maxHeadBytes } from '../../../../src/upstream/wire/answer-parser.ts';

type Heard = {
  head: [number, string, readonly string[]] | undefined;
  body: string;
  ended: boolean;
  fault: string | undefined;
  left: string;
  reusable: boolean;
};
type Options = { method?: string; fin?: boolean; pauses?: boolean };

const parsed = (pieces: readonly Buffer[], { method = 'GET', fin = false, pauses = false }: Options = {}): Heard => {
  const heard: Heard = { head: undefined, body: '', ended: false, fault: undefined, left: '', reusable: false };
  const parser = new AnswerParser({
    onHead: (...head) => {
      heard.head = head;
    },
    onData: (chunk) => {
      heard.body += chunk.toString('latin1');
      return !pauses;
    },
    onEnd: () => {
      heard.ended = true;
    },
  });
  parser.expect(method);
  try {
    for (const piece of pieces) {
      let rest = piece;
      for (;;) {
        rest = rest.subarray(parser.push(rest));
        if (!parser.paused) break;
        parser.paused = false;
      }
      heard.left += rest.toString('latin1');
    }
    if (fin && !heard.ended && !parser.finish()) heard.fault = 'cut';
  } catch (error) {
    heard.fault = (error as { fault: string }).fault;
  }
  heard.reusable = parser.reusable;
  return heard;
};
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const whole = (text: string, options?: Options): Heard => parsed([bytes(text)], options);
const ok = 'HTTP/1.1 200 OK\r\n';
const chunked = `${ok}transfer-encoding: chunked\r\n\r\n`;

/** name, bytes, body, whether the connection may be used again, options */
const good: [string, string, string, boolean, Options?][] = [
  ['a length', `${ok}content-length: 2\r\n\r\n{}`, '{}', true],
  ['an empty body', `${ok}content-length: 0\r\n\r\n`, '', true],
  ['spaces around a value', `${ok}Content-Length: \t 2 \t\r\n\r\nab`, 'ab', true],
  ['chunks', `${chunked}2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n`, 'ab0123456789', true],
  ['no chunks', `${chunked}0\r\n\r\n`, '', true],
  ['extensions and trailers', `${chunked}2;a=b\r\nab\r\n000\r\nx: y\r\nz: w\r\n\r\n`, 'ab', true],
  ['a body until the end', `${ok}\r\nab`, 'ab', false, { fin: true }],
  [
    'interim answers',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nlink: a\r\n\r\n${ok}content-length: 1\r\n\r\na`,
    'a',
    true,
  ],
  ['HEAD with a length', `${ok}content-length: 9\r\n\r\n`, '', true, { method: 'HEAD' }],
  ['HEAD with chunks', chunked, '', true, { method: 'HEAD' }],
  ['HEAD with nothing', `${ok}\r\n`, '', true, { method: 'HEAD' }],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
  ['204 with a length', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', '', false],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', '', false],
  ['no reason', 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n', '', true],
  ['no headers', 'HTTP/1.1 200 OK\r\n\r\n', '', false, { fin: true }],
  ['a wish to close', `${ok}connection: Close\r\ncontent-length: 1\r\n\r\na`, 'a', false],
  ['a wish to close among others', `${ok}connection: x, close\r\ncontent-length: 1\r\n\r\na`, 'a', false],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na', 'a', false],
  ['HTTP/1.0 kept', 'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na', 'a', true],
];
const bad: [string, string][] = [
  ['no HTTP', 'SSH-2.0-x\r\n\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['no status', 'HTTP/1.1 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['two lengths', `${ok}content-length: 1\r\ncontent-length: 2\r\n\r\nab`],
  ['the same length twice', `${ok}content-length: 1\r\ncontent-length: 1\r\n\r\na`],
  ['a list of lengths', `${ok}content-length: 1, 1\r\n\r\na`],
  ['a signed length', `${ok}content-length: +1\r\n\r\na`],
  ['a hexadecimal length', `${ok}content-length: 0x1\r\n\r\na`],
  ['an empty length', `${ok}content-length:\r\n\r\n`],
  ['an endless length', `${ok}content-length: ${'9'.repeat(30)}\r\n\r\na`],
  ['a length beside chunks', `${ok}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['another coding', `${ok}transfer-encoding: gzip\r\n\r\na`],
  ['another coding before chunks', `${ok}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['chunks twice', `${ok}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a folded line', `${ok}a: b\r\n c\r\ncontent-length: 0\r\n\r\n`],
  ['a space before the colon', `${ok}content-length : 1\r\n\r\na`],
  ['a line without a colon', `${ok}abc\r\ncontent-length: 0\r\n\r\n`],
  ['a name that is none', `${ok}a(b: c\r\ncontent-length: 0\r\n\r\n`],
  ['a bare LF', `${ok}a: b\nc: d\r\ncontent-length: 0\r\n\r\n`],
  ['no CR at all', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
  ['a bare CR', `${ok}a: b\rc: d\r\ncontent-length: 0\r\n\r\n`],
  ['a NUL', `${ok}a: \0\r\ncontent-length: 0\r\n\r\n`],
  ['an empty line first', `\r\n${ok}content-length: 0\r\n\r\n`],
  ['another protocol', 'HTTP/1.1 101 x\r\nupgrade: y\r\n\r\n'],
  ['a chunk size that is none', `${chunked}zz\r\n`],
  ['an empty chunk size', `${chunked}\r\nab`],
  ['a signed chunk size', `${chunked}-2\r\nab\r\n0\r\n\r\n`],
  ['a prefixed chunk size', `${chunked}0x2\r\nab\r\n0\r\n\r\n`],
  ['a space after the size', `${chunked}2 \r\nab\r\n0\r\n\r\n`],
  ['an endless chunk size', `${chunked}${'f'.repeat(17)}\r\nab`],
  ['LF after the size', `${chunked}2\nab\r\n0\r\n\r\n`],
  ['LF after the data', `${chunked}2\r\nab\n0\r\n\r\n`],
  ['more data than the size', `${chunked}2\r\nabc\r\n0\r\n\r\n`],
  ['LF in an extension', `${chunked}2;a\nab\r\n0\r\n\r\n`],
  ['a trailer without a colon', `${chunked}0\r\nabc\r\n\r\n`],
  ['a folded trailer', `${chunked}0\r\na: b\r\n c\r\n\r\n`],
  ['a head without end', `${ok}x: ${'a'.repeat(maxHeadBytes)}`],
  ['interim answers without end', 'HTTP/1.1 100 x\r\n\r\n'.repeat(maxHeadBytes / 16)],
];

describe('an answer', () => {
  it.each(good)('with %s is read', (_, text, body, reusable, options) => {
    expect(whole(text, options)).toMatchObject({ body, reusable, ended: true, fault: undefined, left: '' });
  });

  it.each(bad)('with %s is refused', (_, text) => {
    expect(whole(text, { fin: true })).toMatchObject({ ended: false, fault: 'invalid' });
  });

  it.each([
    ['the head', `${ok}conte`],
    ['a counted body', `${ok}content-length: 5\r\n\r\nab`],
    ['a chunk', `${chunked}5\r\nab`],
    ['chunks', `${chunked}2\r\nab\r\n`],
    ['the trailers', `${chunked}0\r\n`],
  ])('that is cut within %s has not ended', (_, text) => {
    expect(whole(text, { fin: true })).toMatchObject({ ended: false, fault: 'cut' });
  });

  it('has its status, reason and headers as they came', () => {
    expect(
      whole('HTTP/1.1 404 Not  Found\xe9\r\nX-A: 1\r\nx-a:2\r\nB: \xa0c \r\ncontent-length: 0\r\n\r\n').head,
    ).toEqual([404, 'Not  Found\xe9', ['X-A', '1', 'x-a', '2', 'B', '\xa0c', 'content-length', '0']]);
  });

  it('leaves alone what comes after its end', () => {
    const text = `${ok}content-length: 1\r\n\r\na`;
    expect(whole(text + text)).toMatchObject({ body: 'a', ended: true, left: text });
    expect(whole(`${text}x`)).toMatchObject({ body: 'a', ended: true, left: 'x' });
  });

  it.each([...good.map(([name, text, , , options]) => [name, text, options] as const), ...bad])(
    'with %s is the same however its bytes are cut, and whether its reader pauses or not',
    (_, text, options = {}) => {
      if (text.length > 10_000) return;
      const all = bytes(text);
      const { left: _left, ...expected } = whole(text, { fin: true, ...options });
      const cut = (sizes: readonly number[]): Buffer[] => {
        const pieces: Buffer[] = [];
        let at = 0;
        for (let i = 0; at < all.length; i++) {
          const size = sizes[i % sizes.length] as number;
          pieces.push(all.subarray(at, at + size));
          at += size;
        }
        return pieces;
      };
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), fc.boolean(), (sizes, pauses) => {
          const { left: _rest, ...heard } = parsed(cut(sizes), { fin: true, ...options, pauses });
          expect(heard).toEqual(expected);
        }),
        { examples: [[[1], true]], numRuns: 30 },
      );
    },
  );

  it('with a long head is read when it comes in pieces', () => {
    const text = `${ok}x: ${'a'.repeat(200_000)}\r\ncontent-length: 100000\r\n\r\n${'b'.repeat(100_000)}`;
    const pieces = Array.from({ length: Math.ceil(text.length / 65_536) }, (_, i) =>
      bytes(text.slice(i * 65_536, (i + 1) * 65_536)),
    );
    expect(parsed(pieces)).toMatchObject({ ended: true, fault: undefined });
  });
});

/** What the client of Node.js makes of the same bytes. */
const readByNode = async (text: string, method: string): Promise<{ body: string } | 'refused'> => {
  const server = createServer();
  server.removeAllListeners('connection');
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(bytes(text)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const answer = await new Promise<{ body: string } | 'refused'>((resolve) => {
    const asked = request({ port, host: '127.0.0.1', method, agent: false });
    asked.on('error', () => resolve('refused'));
    asked.on('upgrade', () => resolve('refused'));
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
      response.on('end', () => resolve({ body }));
      response.on('error', () => resolve('refused'));
    });
    asked.end();
  });
  await new Promise((resolve) => server.close(resolve));
  return answer;
};

describe('beside the parser of Node.js', () => {
  it.each(good)('an answer with %s is read alike', async (_, text, body, _reusable, options = {}) => {
    expect(await readByNode(text, options.method ?? 'GET')).toEqual({ body });
  });

  /** One byte put in, taken out or changed at each place of these. */
  const seeds = [
    `${ok}content-length: 3\r\nx: y\r\n\r\nabc`,
    `${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
  ];
  const odd = ['\r', '\n', '\0', ' ', ':', ';', '1', '-', ','];

  it('nothing is accepted that it refuses, and nothing read otherwise, one byte beside the right ones', async () => {
    const changed = seeds.flatMap((seed) =>
      Array.from({ length: seed.length }, (_, i) => {
        const byte = odd[i % odd.length] as string;
        return [seed.slice(0, i) + byte + seed.slice(i), seed.slice(0, i) + seed.slice(i + 1)];
      }).flat(),
    );
    let accepted = 0;
    for (const text of changed) {
      const ours = whole(text, { fin: true });
      // What follows the end is left to the connection, which closes.
      if (!ours.ended || ours.left !== '') continue;
      accepted++;
      expect(await readByNode(text, 'GET'), JSON.stringify(text)).toEqual({ body: ours.body });
    }
    expect(accepted).toBeGreaterThan(20);
  });
});
