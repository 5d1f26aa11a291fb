/** A pretended cluster on port 0 that answers reads with one document, or misbehaves as told. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const misbehaviours = [
  'hang',
  'slow',
  'reset',
  'cut',
  'error',
  'throttle',
  'deny',
  'huge',
  'partial',
  'garbage',
  'no_index',
] as const;
export type Behaviour = 'ok' | (typeof misbehaviours)[number];
export type Seen = { method: string; path: string; headers: IncomingMessage['headers']; body: string };
export type FakeCluster = {
  readonly url: string;
  readonly seen: Seen[];
  /** Requests whose answer is not complete and whose client is still there. */
  open: number;
  behaviour: Behaviour;
  /** For `slow`. */
  delayMs: number;
  /** For `slow`, beside `delayMs`: what has to happen first. */
  slowUntil: () => Promise<unknown>;
  /** Overrides the answer of a well-behaved cluster. */
  answer: (seen: Seen) => { status?: number; body: unknown } | undefined;
  close(): Promise<void>;
};

type Exchange = { request: IncomingMessage; response: ServerResponse; seen: Seen };

const hit = (name: string) => ({ _index: `${name}_index`, _id: '1', _score: 1, _source: { n: 1, from: 'anywhere' } });
export const searchAnswer = (name: string) => ({
  took: 1,
  timed_out: false,
  _shards: { total: 1, successful: 1, skipped: 0, failed: 0 },
  hits: { total: { value: 1, relation: 'eq' }, max_score: 1, hits: [hit(name)] },
});

const read = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

const send = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};

/** `name`: its only index is `<name>_index`. */
export const startFakeCluster = async (name: string): Promise<FakeCluster> => {
  const waiting = new Set<NodeJS.Timeout>();
  const usual = (seen: Seen, response: ServerResponse): void => {
    const { status = 200, body } = cluster.answer(seen) ?? { body: searchAnswer(name) };
    send(response, status, body);
  };
  const failing =
    (status: number, type: string) =>
    ({ response }: Exchange) =>
      send(response, status, { error: { type, reason: 'as told' }, status });
  const giving =
    (change: object) =>
    ({ response }: Exchange) =>
      send(response, 200, { ...searchAnswer(name), ...change });
  const behaviours: Readonly<Record<Behaviour, (exchange: Exchange) => void>> = {
    ok: ({ seen, response }) => usual(seen, response),
    hang: () => undefined,
    slow: async ({ seen, response }) => {
      await cluster.slowUntil();
      waiting.add(setTimeout(usual, cluster.delayMs, seen, response));
    },
    reset: ({ request }) => void request.socket.resetAndDestroy(),
    cut: ({ request, response }) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"took":1');
      setImmediate(() => request.socket.destroy());
    },
    error: failing(500, 'boom'),
    throttle: failing(429, 'rejected_execution_exception'),
    deny: failing(403, 'security_exception'),
    no_index: failing(404, 'index_not_found_exception'),
    huge: giving({ padding: 'x'.repeat(12 * 1024 * 1024) }),
    partial: giving({ _shards: { total: 2, successful: 1, skipped: 0, failed: 1 } }),
    garbage: ({ response }) => send(response, 200, '{"took":1,'),
  };
  const server = createServer(async (request, response) => {
    cluster.open++;
    response.on('close', () => cluster.open--);
    const seen: Seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: await read(request),
    };
    cluster.seen.push(seen);
    behaviours[cluster.behaviour]({ request, response, seen });
  });
  const cluster: FakeCluster = {
    url: '',
    seen: [],
    open: 0,
    behaviour: 'ok',
    delayMs: 0,
    slowUntil: () => Promise.resolve(),
    answer: () => undefined,
    close: () =>
      new Promise((resolve) => {
        for (const timer of waiting) clearTimeout(timer);
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(cluster, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
};
