/** The same requests straight to a real cluster and through the listener: the answers must be the same. */
import http, { type IncomingHttpHeaders } from 'node:http';
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type Front, rawConnection, sendRaw, startFront } from '../../support/front.ts';
import { services, uniqueName } from '../../support/services.ts';

type Asked = {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  chunked?: boolean;
};
type Got = { status: number; headers: IncomingHttpHeaders; body: Buffer };

const ask = (url: string, { method, path, headers = {}, body, chunked }: Asked): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const length = body === undefined || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { hostname, port, method, path, headers: { ...headers, ...length }, agent: false as const };
    const request = http.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.on('error', reject);
    if (chunked && body !== undefined) {
      const half = Math.floor(body.length / 2);
      request.write(body.slice(0, half));
      request.write(body.slice(half));
    } else if (body !== undefined) request.write(body);
    request.end();
  });

let direct: string;
let front: Front;
const index = uniqueName('front');
const json = { 'content-type': 'application/json' };
const ndjson = { 'content-type': 'application/x-ndjson' };
const search = JSON.stringify({ query: { match_all: {} }, sort: ['n'] });

beforeAll(async () => {
  direct = (await services()).sourceUrl;
  front = await startFront(direct);
  const settings = JSON.stringify({ settings: { number_of_shards: 1, number_of_replicas: 0 } });
  await ask(direct, { method: 'PUT', path: `/${index}`, headers: json, body: settings });
  const lines = Array.from(
    { length: 50 },
    (_, n) => `{"index":{"_id":"${n}"}}\n{"n":${n},"text":"${'x'.repeat(50)}"}\n`,
  );
  await ask(direct, { method: 'POST', path: `/${index}/_bulk?refresh=true`, headers: ndjson, body: lines.join('') });
});
afterAll(async () => {
  await ask(direct, { method: 'DELETE', path: `/${index}` });
  await front.close();
});

/** What differs between two runs of the same request on the same cluster. */
const steady = (body: Buffer, encoding: string | undefined): string =>
  (encoding === 'gzip' ? zlib.gunzipSync(body) : body).toString('latin1').replace(/"took"\s*:\s*\d+/, '"took":0');
const endToEnd = ({ headers }: Got): IncomingHttpHeaders => {
  const { connection, 'keep-alive': keepAlive, date, ...rest } = headers;
  return rest;
};
/** Where `took` has another number of digits, the length differs too. */
const withoutLength = (headers: IncomingHttpHeaders): IncomingHttpHeaders => ({ ...headers, 'content-length': '' });

const same = async (asked: Asked): Promise<{ there: Got; through: Got }> => {
  const there = await ask(direct, asked);
  const through = await ask(front.url, asked);
  expect(through.status).toBe(there.status);
  expect(steady(through.body, through.headers['content-encoding'])).toBe(
    steady(there.body, there.headers['content-encoding']),
  );
  expect(withoutLength(endToEnd(through))).toEqual(withoutLength(endToEnd(there)));
  return { there, through };
};

describe('the answer through the listener is the cluster’s own', () => {
  const p = (path: string): string => path.replaceAll('{i}', index);
  it.each<[string, Asked, number]>([
    ['GET /', { method: 'GET', path: '/' }, 200],
    ['POST _search', { method: 'POST', path: '/{i}/_search', headers: json, body: search }, 200],
    ['GET _search with a body', { method: 'GET', path: '/{i}/_search', headers: json, body: search }, 200],
    [
      '_search with a chunked body',
      { method: 'POST', path: '/{i}/_search', headers: json, body: search, chunked: true },
      200,
    ],
    ['_search by query string', { method: 'GET', path: '/{i}/_search?q=n:3+n:4;size=2&sort=n' }, 200],
    ['_count', { method: 'GET', path: '/{i}/_count' }, 200],
    ['a document', { method: 'GET', path: '/{i}/_doc/7' }, 200],
    ['a document that is not there', { method: 'GET', path: '/{i}/_doc/none' }, 404],
    ['an index that is not there', { method: 'GET', path: '/{i}-none/_search' }, 404],
    ['HEAD of an index', { method: 'HEAD', path: '/{i}' }, 200],
    ['HEAD of a document', { method: 'HEAD', path: '/{i}/_doc/7' }, 200],
    ['HEAD of nothing', { method: 'HEAD', path: '/{i}/_doc/none' }, 404],
    ['a wrong method', { method: 'POST', path: '/_cat/health' }, 405],
    ['OPTIONS', { method: 'OPTIONS', path: '/{i}/_search' }, 200],
    ['a path without handler', { method: 'GET', path: '/_nope/_x/_y/z' }, 400],
    ['a malformed body', { method: 'POST', path: '/{i}/_search', headers: json, body: '{' }, 400],
    ['a missing content type', { method: 'POST', path: '/{i}/_search', body: search }, 406],
    ['plain text', { method: 'GET', path: '/_cat/indices/{i}?h=index,health' }, 200],
    ['YAML', { method: 'GET', path: '/{i}/_doc/7?format=yaml' }, 200],
    ['CBOR', { method: 'GET', path: '/{i}/_doc/7', headers: { accept: 'application/cbor' } }, 200],
    ['a filtered answer', { method: 'GET', path: '/{i}/_search?filter_path=hits.hits._id,hits.total&sort=n' }, 200],
    ['a warning', { method: 'GET', path: '/{i}/_search?sort=n&size=1', headers: { 'x-opaque-id': 'tag-1' } }, 200],
  ])('for %s', async (_, asked, status) => {
    const { there } = await same({ ...asked, path: p(asked.path) });
    expect(there.status).toBe(status);
  });

  it('when it is packed, byte for byte', async () => {
    const asked = { method: 'GET', path: `/${index}/_doc/7`, headers: { 'accept-encoding': 'gzip' } };
    const { there, through } = await same(asked);
    expect(there.headers['content-encoding']).toBe('gzip');
    expect(through.body).toEqual(there.body);
    expect(through.headers['content-length']).toBe(there.headers['content-length']);
  });

  it('with the length of the body for HEAD', async () => {
    const { there, through } = await same({ method: 'HEAD', path: '/' });
    expect(through.headers['content-length']).toBe(there.headers['content-length']);
    expect(Number(through.headers['content-length'])).toBeGreaterThan(0);
  });

  it('with the X-Opaque-Id that was sent', async () => {
    const got = await ask(front.url, { method: 'GET', path: '/', headers: { 'x-opaque-id': 'order-7' } });
    expect(got.headers['x-opaque-id']).toBe('order-7');
  });

  it('with the warning that a deprecated request earns', async () => {
    const asked = (id: string): Asked => ({
      method: 'GET',
      path: '/_cat/master',
      headers: { 'x-opaque-id': `${index}-${id}` },
    });
    const there = await ask(direct, asked('a'));
    const through = await ask(front.url, asked('b'));
    expect(there.headers.warning).toMatch(/^299 OpenSearch/);
    expect(through.headers.warning).toBe(there.headers.warning);
  });

  it('when a repeated single-valued header is refused by the cluster', async () => {
    const bytes = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Opaque-Id: a\r\nX-Opaque-Id: b\r\n\r\n';
    const answer = await sendRaw(front.port, bytes);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('multiple values for single-valued header [X-Opaque-Id]');
    expect(answer).not.toContain('x-crossfade-error');
  });
});

describe('writes through the listener', () => {
  const read = (id: string) => ask(direct, { method: 'GET', path: `/${index}/_doc/${id}` });

  it.each(['a%2Fb', 'caf%C3%A9', '%F0%9F%A6%8A', 'a+b%20c', 'x%25y', 'http%3A%2F%2Fx'])(
    'keep the encoded id %s',
    async (id) => {
      const path = `/${index}/_doc/${id}?refresh=true`;
      const body = `{"id":"${id}"}`;
      expect((await ask(front.url, { method: 'PUT', path, headers: json, body })).status).toBe(201);
      const got = JSON.parse((await read(id)).body.toString());
      expect(got._id).toBe(decodeURIComponent(id));
      expect((await ask(front.url, { method: 'DELETE', path, headers: json, body: '' })).status).toBe(200);
    },
  );

  it('take a chunked and a packed bulk', async () => {
    const lines = (from: number): string =>
      Array.from({ length: 200 }, (_, n) => `{"index":{"_id":"b${from + n}"}}\n{"n":${1000 + n}}\n`).join('');
    const path = `/${index}/_bulk`;
    const chunked = await ask(front.url, { method: 'POST', path, headers: ndjson, body: lines(0), chunked: true });
    const headers = { ...ndjson, 'content-encoding': 'gzip' };
    const packed = await ask(front.url, { method: 'POST', path, headers, body: zlib.gzipSync(lines(200)) });
    for (const got of [chunked, packed]) {
      expect(got.status).toBe(200);
      expect(JSON.parse(got.body.toString()).errors).toBe(false);
    }
    expect((await read('b399')).status).toBe(200);
  });

  it('take a body after DELETE', async () => {
    const opened = await ask(direct, {
      method: 'POST',
      path: `/${index}/_search?scroll=1m`,
      headers: json,
      body: '{"size":1}',
    });
    const id = JSON.parse(opened.body.toString())._scroll_id;
    const body = JSON.stringify({ scroll_id: [id] });
    const got = await ask(front.url, { method: 'DELETE', path: '/_search/scroll', headers: json, body });
    expect(JSON.parse(got.body.toString())).toEqual({ succeeded: true, num_freed: 1 });
  });

  it('wait for 100 Continue and get it', async () => {
    const client = await rawConnection(front.port);
    const body = '{"n":1}';
    client.socket.write(
      `PUT /${index}/_doc/continued HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await client.until(/^HTTP\/1.1 100 /);
    client.socket.write(body);
    expect(await client.closed).toMatch(/HTTP\/1.1 201 /);
  });
});

describe('connections through the listener', () => {
  it('answer pipelined requests in their order', async () => {
    const get = (n: number, more = ''): string => `GET /${index}/_doc/${n} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
    const answer = await sendRaw(front.port, get(1) + get(2) + get(3, 'Connection: close\r\n'));
    expect([...answer.matchAll(/"_id":"(\d+)"/g)].map(([, id]) => id)).toEqual(['1', '2', '3']);
  });

  it('speak HTTP/1.0', async () => {
    const answer = await sendRaw(front.port, `GET /${index}/_doc/7 HTTP/1.0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n.*"_id":"7"/s);
    expect(answer).not.toMatch(/transfer-encoding/i);
  });

  it.each(['_doc/7', '_search?q=n:7'])('answer GET %s to a client that ends its side', async (path) => {
    // Again where the cluster took longer than such a client is waited for.
    await eventually(async () => {
      const { socket, closed } = await rawConnection(front.port);
      socket.end(`GET /${index}/${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      return /^HTTP\/1.1 200 OK\r\n.*"_id":"7"/s.test(await closed);
    });
  });

  it('carry the cluster’s refusal of a body that it hangs up on', async () => {
    const body = Buffer.alloc(105 << 20, ' ');
    const got = await ask(front.url, { method: 'POST', path: `/${index}/_bulk`, headers: ndjson, body, chunked: true });
    expect(got.status).toBe(413);
    expect(got.headers['x-crossfade-error']).toBeUndefined();
  });

  it('survive a line and a header that are too long for the cluster', async () => {
    const long = await ask(front.url, { method: 'GET', path: `/${index}/_search?q=${'a'.repeat(5000)}` });
    expect(long.status).toBe(400);
    expect(long.body.toString()).toContain('too_long_http_line_exception');
    for (let i = 0; i < 5; i++) expect((await ask(front.url, { method: 'GET', path: '/' })).status).toBe(200);
  });

  it('carry a large body both ways without holding it', async () => {
    const filler = 'y'.repeat(1000);
    const line = (n: number): string => `{"index":{"_id":"big${n}"}}\n{"n":${n},"filler":"${filler}"}\n`;
    const body = Array.from({ length: 20_000 }, (_, n) => line(n)).join('');
    const path = `/${index}/_bulk?refresh=true`;
    const sent = await ask(front.url, { method: 'POST', path, headers: ndjson, body, chunked: true });
    expect(sent.status).toBe(200);
    const got = await ask(front.url, { method: 'GET', path: `/${index}/_search?q=filler:*&size=10000` });
    expect(JSON.parse(got.body.toString()).hits.hits).toHaveLength(10_000);
    expect(got.body.length).toBeGreaterThan(10_000_000);
  });

  it('cancel a search on the cluster when the client leaves', async () => {
    const slow = {
      source: 'long end = System.nanoTime() + 20000000L; while (System.nanoTime() < end) {} return true;',
    };
    const body = JSON.stringify({ query: { bool: { filter: { script: { script: slow } } } }, size: 0 });
    const opaque = uniqueName('leaver');
    const client = await rawConnection(front.port);
    client.socket.write(
      `POST /${index}/_search HTTP/1.1\r\nHost: a\r\nX-Opaque-Id: ${opaque}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const running = async (): Promise<boolean> => {
      const tasks = await ask(direct, { method: 'GET', path: '/_tasks?actions=indices:data/read/search*&detailed' });
      return tasks.body.includes(opaque);
    };
    await eventually(running, { what: 'the search to run' });
    client.socket.destroy();
    await eventually(async () => !(await running()), { what: 'the search to be cancelled', timeoutMs: 10_000 });
    expect(front.events.at(-1)).toMatchObject({ outcome: 'client_closed', status: 499 });
  });
});

describe('a client that sniffs', () => {
  it.each(['/_nodes/http', '/_nodes/_all/http', '/_nodes', '/_nodes/_local/http,settings'])(
    'learns no address but the listener’s from %s',
    async (path) => {
      const got = await ask(front.url, { method: 'GET', path, headers: { 'accept-encoding': 'gzip, deflate' } });
      const { nodes } = JSON.parse(got.body.toString()) as { nodes: Record<string, { http: Record<string, unknown> }> };
      expect(Object.keys(nodes).length).toBeGreaterThan(0);
      for (const { http: addresses } of Object.values(nodes)) {
        expect(addresses['publish_address']).toBe(`127.0.0.1:${front.port}`);
        expect(addresses['bound_address']).toEqual([`127.0.0.1:${front.port}`]);
      }
    },
  );
});
