import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Side } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import type { ClientRequest } from '../../../src/proxy/client-request.ts';
import { createHandler, type HandlerDeps } from '../../../src/proxy/execute.ts';
import type { Executors, RoutedKind } from '../../../src/proxy/executors.ts';
import { isSafeToRepeat, type RelayOptions, type RelayResult, relay } from '../../../src/proxy/relay.ts';
import type { Operation, Plan, RouteTable } from '../../../src/proxy/types.ts';
import { type Front, openCluster, sendRaw, startFront, stubCluster } from '../../support/front.ts';
import { type RouteOptions, routeState } from '../../support/routes.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const operation: Operation = {
  group: 'search',
  family: 'search',
  access: 'read',
  namesIn: 'path',
  needsBody: false,
  params: {},
  indexSegment: 0,
};
const kinds = [
  ...['write', 'bulk', 'by_query', 'reindex', 'read', 'mixed_read', 'multi_read', 'by_body'],
  ...['cursor', 'pit_search', 'refresh', 'index_info', 'admin'],
] as RoutedKind[];
const tableOf = (routes: number): RouteTable => ({
  states: Array.from({ length: routes }, () => ({})) as unknown as RouteTable['states'],
  lookup: () => undefined,
  resolve: () => ({ kind: 'none' }),
});

/** Two pretended clusters, a planner that says what it is told, executors that answer with their name. */
const setUp = async (plan: Plan | (() => never), routes = 1) => {
  const stubs = {
    source: await stubCluster((_, r) => r.end('source')),
    target: await stubCluster((_, r) => r.end('target')),
  };
  const clusters = { source: openCluster(stubs.source.url), target: openCluster(stubs.target.url) };
  const called: { kind: string; plan: unknown }[] = [];
  const executor = (kind: string) => async (request: ClientRequest, given: unknown) => {
    called.push({ kind, plan: given });
    request.respond({ status: 200, headers: {}, body: `executor ${kind}` });
  };
  const classify = vi.fn(() => operation);
  const deps: HandlerDeps = {
    clusters,
    table: () => tableOf(routes),
    classify,
    plan: () => (typeof plan === 'function' ? plan() : plan),
    executors: Object.fromEntries(kinds.map((kind) => [kind, executor(kind)])) as unknown as Executors,
    listening: () => ({ address: '127.0.0.1:9200', defaultPort: 80 }),
    maxBodyBytes: 1 << 20,
  };
  const front = await startFront(stubs.source.url, { handle: createHandler(deps) });
  cleanups.push(stubs.source.close, stubs.target.close, clusters.source.close, clusters.target.close, front.close);
  return { front, stubs, called, classify };
};
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;

describe('a plan', () => {
  it.each(kinds)('of the kind %s is carried out by its executor', async (kind) => {
    const plan = { kind, operation } as unknown as Plan;
    const { front, called, stubs } = await setUp(plan);
    expect(await sendRaw(front.port, get('/p/_search'))).toMatch(new RegExp(`executor ${kind}$`));
    expect(called).toEqual([{ kind, plan }]);
    expect(stubs.source.seen.length + stubs.target.seen.length).toBe(0);
    expect(front.events).toMatchObject([{ family: 'search', access: 'read', side: 'none', outcome: 'ok' }]);
  });

  it.each<Side>(['source', 'target'])('to pass goes to the %s', async (side) => {
    const { front } = await setUp({ kind: 'pass', side, reason: 'cluster' });
    expect(await sendRaw(front.port, get('/'))).toMatch(new RegExp(`\r\n\r\n${side}$`));
    expect(front.events).toMatchObject([{ side, outcome: 'ok' }]);
    expect(front.events[0]?.upstreamMs).toBeGreaterThan(0);
    expect(front.events[0]?.durationMs).toBeGreaterThanOrEqual(front.events[0]?.upstreamMs as number);
  });

  it.each<RouteOptions>([{ phase: 'target' }, { phase: 'dual', percent: { read: 5 } }])(
    'to refresh everything refreshes the other side of the routes too, before the answer: %j',
    async (route) => {
      const refreshAlso = [routeState(route)];
      const { front, stubs } = await setUp({ kind: 'pass', side: 'source', reason: 'pinned', refreshAlso });
      expect(await sendRaw(front.port, get('/_refresh'))).toMatch(/^HTTP\/1.1 200.*source$/s);
      expect(stubs.source.seen.map(({ url }) => url)).toEqual(['/_refresh']);
      expect(stubs.target.seen.map(({ method, url }) => [method, url])).toEqual([
        ['POST', '/products_v2/_refresh?ignore_unavailable=true'],
      ]);
    },
  );

  it('to refresh everything fails with the authority that cannot be refreshed', async () => {
    const refreshAlso = [routeState({ phase: 'target' })];
    const { front, stubs } = await setUp({ kind: 'pass', side: 'source', reason: 'pinned', refreshAlso });
    await stubs.target.close();
    expect(await sendRaw(front.port, get('/_refresh'))).toMatch(/^HTTP\/1.1 503 /);
    expect(stubs.source.seen).toEqual([]);
  });

  it('to refuse is the answer', async () => {
    const { front, stubs } = await setUp({ kind: 'reject', error: new CrossfadeError('MIXED_ROUTES') });
    expect(await sendRaw(front.port, get('/a,b/_search'))).toMatch(
      /^HTTP\/1.1 400 .*x-crossfade-error: MIXED_ROUTES/is,
    );
    expect(stubs.source.seen).toEqual([]);
  });

  it('that cannot be made is a bug with an answer', async () => {
    const { front } = await setUp(() => {
      throw new TypeError('oops');
    });
    expect(await sendRaw(front.port, get('/'))).toMatch(/^HTTP\/1.1 500 /);
  });

  it('is not made while there is no route', async () => {
    const { front, classify } = await setUp(() => {
      throw new TypeError('oops');
    }, 0);
    expect(await sendRaw(front.port, get('/p/_search'))).toMatch(/source$/);
    expect(classify).not.toHaveBeenCalled();
    expect(front.events).toMatchObject([{ family: 'search', access: 'read', side: 'source' }]);
  });
});

describe('a list of nodes', () => {
  it('is asked for once more when a kept connection proves dead', async () => {
    const used = new Set<unknown>();
    const stub = await stubCluster(({ socket }, response) => {
      if (used.has(socket)) socket.resetAndDestroy();
      else response.end('{"nodes":{"a":{"http":{"publish_address":"10.0.0.1:9200"}}}}');
      used.add(socket);
    });
    const front = await startFront(stub.url);
    cleanups.push(stub.close, front.close);
    for (let i = 0; i < 2; i++)
      expect(await sendRaw(front.port, get('/_nodes/http'))).toMatch(/^HTTP\/1.1 200 .*"publish_address":"a:80"/s);
    expect(stub.seen.length).toBe(3);
  });
});

describe('a relay', () => {
  const relaying = async (options: Partial<RelayOptions>, answer?: Parameters<typeof stubCluster>[0]) => {
    const stub = await stubCluster(answer);
    const cluster = openCluster(stub.url);
    const results: RelayResult[] = [];
    const front: Front = await startFront(stub.url, {
      handle: async (request) => {
        const result = await relay(request, { cluster, ...options });
        results.push(result);
        if (!request.answerBegun) request.respond({ status: 200, headers: {}, body: 'another way' });
      },
    });
    cleanups.push(stub.close, cluster.close, front.close);
    return { stub, front, results };
  };

  it('sends what it is told instead of what the client sent', async () => {
    const { stub, front } = await relaying({ path: '/other?x', headers: ['x-a', '1'], body: Buffer.from('new') });
    await sendRaw(
      front.port,
      'POST /x HTTP/1.1\r\nHost: a\r\nX-B: 2\r\nConnection: close\r\nContent-Length: 3\r\n\r\nold',
    );
    const [seen] = stub.seen;
    expect(seen).toMatchObject({ method: 'POST', url: '/other?x' });
    expect(seen?.body.toString()).toBe('new');
    expect(seen?.rawHeaders.slice(4)).toEqual(['x-a', '1', 'content-length', '3']);
  });

  it('sends no body when told so', async () => {
    const { stub, front } = await relaying({ body: null });
    await sendRaw(front.port, 'POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nold');
    expect(stub.seen[0]?.body.length).toBe(0);
  });

  it('adds headers to the answer', async () => {
    const { front } = await relaying({ answerHeaders: ['x-crossfade-side', 'target'] });
    expect(await sendRaw(front.port, get('/'))).toMatch(/x-crossfade-side: target\r\n.*\{\}$/s);
  });

  it('lets a tap hear the whole answer', async () => {
    const heard: string[] = [];
    const tap = {
      onHead: (status: number) => heard.push(String(status)),
      onData: (chunk: Buffer) => heard.push(chunk.toString()),
      onEnd: () => heard.push('end'),
    };
    const { front } = await relaying({ tap }, (_, response) => response.writeHead(404).end('gone'));
    expect(await sendRaw(front.port, get('/'))).toMatch(/gone/);
    expect(heard).toEqual(['404', 'gone', 'end']);
  });

  it('leaves a failure before the answer to its caller', async () => {
    const { front, results } = await relaying({}, (request) => request.socket.destroy());
    expect(await sendRaw(front.port, get('/'))).toMatch(/another way$/);
    expect(results).toMatchObject([{ ok: false, error: { code: 'UPSTREAM_RESET' } }]);
  });

  it('tells the status of what it passed', async () => {
    const { front, results } = await relaying({}, (_, response) => response.writeHead(429).end());
    await sendRaw(front.port, get('/'));
    expect(results).toEqual([{ ok: true, status: 429 }]);
  });
});

describe('a second sending', () => {
  it.each([
    ['GET', '/p/_search', true],
    ['HEAD', '/p', true],
    ['OPTIONS', '/p', true],
    ['GET', '/_search/scroll', false],
    ['GET', '/p/_search?scroll=1m', false],
    ['GET', '/p/_search?SCROLL=1m', false],
    ['POST', '/p/_search', false],
    ['PUT', '/p/_doc/1', false],
    ['DELETE', '/p/_doc/1', false],
  ])('of %s %s is safe: %s', (method, target, safe) => {
    expect(isSafeToRepeat(method, target)).toBe(safe);
  });
});
