import { noDiscrepancies } from '../../../src/admin/discrepancies-api.ts';
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HealthFacts } from '../../../src/admin/health.ts';
import { createAdminServer } from '../../../src/admin/server.ts';
import { AdminConfig } from '../../../src/config.ts';
import { askResultName } from '../../../src/coordination/job-status.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { initialPhase } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { readFleet } from '../../../src/fleet/read-fleet.ts';
import { silentLogger } from '../../../src/log.ts';
import { createMetrics } from '../../../src/metrics.ts';
import { MemoryStore } from '../../support/memory-store.ts';

const planted = 'hunter2-secret';
let store: MemoryStore;
let health: HealthFacts;
let changes: string[];
let app: FastifyInstance;

const start = (config: Partial<AdminConfig> = {}): FastifyInstance => {
  const registry = new Registry();
  createMetrics(registry);
  return createAdminServer({
    config: AdminConfig.parse(config),
    token: config.token === undefined ? undefined : () => planted,
    registry,
    health: () => health,
    logger: silentLogger(),
    api: {
      store,
      member: 'm1',
      version: '0.0.0',
      boot: 'boot-1',
      fleet: () => readFleet(store),
      discrepancies: {
        ...noDiscrepancies,
        list: (slug, filter) => [{ id: 'd1', route: slug, ...filter }],
        find: (id) => (id === '0a1b2c3d' ? { id } : noDiscrepancies.find(id)),
        replay: async (id) => ({ id, severity: 'none' }),
      },
      self: () => ({ member: 'm1' }),
      changed: ({ by, action, route }) => changes.push(`${by}: ${action} on ${route}`),
      now: () => Date.UTC(2026, 0, 1),
      sleep: async () => undefined,
      newId: () => 'id-1',
    },
  }).app;
};

const post = (url: string, payload: object | string, headers: Record<string, string> = {}) =>
  app.inject({
    method: 'POST',
    url,
    payload,
    headers: { host: '127.0.0.1:9600', 'content-type': 'application/json', ...headers },
  });
const get = (url: string, headers: Record<string, string> = {}) =>
  app.inject({ method: 'GET', url, headers: { host: '127.0.0.1:9600', ...headers } });

beforeEach(async () => {
  store = new MemoryStore();
  health = { lifecycle: 'serving', unknownAuthority: [] };
  changes = [];
  const spec = RouteSpec.parse({ route: 'products', indices: [{ source: 'a', target: 'b' }] });
  await store.config.put(keys.config('products'), JSON.stringify(spec));
  await store.config.put(keys.phase('products'), JSON.stringify({ ...initialPhase, phase: 'dual', epoch: 1 }));
  app = start();
});
afterEach(() => app.close());

describe('health and metrics', () => {
  test.each([
    ['/livez', 'starting', 200],
    ['/startupz', 'starting', 503],
    ['/startupz', 'serving', 200],
    ['/readyz', 'serving', 200],
    ['/readyz', 'draining', 503],
  ] as const)('%s while %s answers %d', async (path, lifecycle, status) => {
    health = { ...health, lifecycle };
    expect((await get(path)).statusCode).toBe(status);
  });

  test('metrics are in the Prometheus text format', async () => {
    const answer = await get('/metrics', { host: 'pod-7:9600' });
    expect(answer.headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(answer.body).toContain('# TYPE crossfade_requests_total counter');
  });
});

describe('the API', () => {
  test.each([
    ['/api/status', { routes: [{ route: 'products', phase: 'dual' }] }],
    ['/api/routes/products', { route: 'products', epoch: 1, copies: { pending: 0 } }],
    ['/api/members', { members: [] }],
    ['/api/self', { member: 'm1' }],
    ['/api/routes/products/audit', { entries: [] }],
    ['/api/routes/products/ask', { result: null }],
    ['/api/routes/products/discrepancies?severity=S4', { discrepancies: [{ id: 'd1', severity: 'S4' }] }],
    ['/api/discrepancies/0a1b2c3d', { discrepancy: { id: '0a1b2c3d' } }],
  ])('%s answers JSON', async (path, expected) => {
    const answer = await get(path);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject(expected);
  });

  test('replays a discrepancy, and tells an unknown or misspelt id', async () => {
    expect((await post('/api/discrepancies/0a1b2c3d/replay', {})).json()).toEqual({
      replay: { id: '0a1b2c3d', severity: 'none' },
    });
    const [unknown, odd] = await Promise.all(['ffffffff', 'nonsense'].map((id) => get(`/api/discrepancies/${id}`)));
    expect([unknown?.statusCode, odd?.statusCode]).toEqual([404, 400]);
  });

  test('sets a percentage as the bytes that a person would type, and tells who did', async () => {
    const answer = await post('/api/routes/products/set', { setting: 'pct.read', value: 12.5, by: 'ann' });
    expect(answer.statusCode).toBe(200);
    expect((await store.config.get(keys.percent('products', 'read')))?.value).toBe('12.5');
    expect(changes).toEqual(['ann: set pct.read 12.5 on products']);
  });

  test('leaves who changed what, why and from what in the audit log', async () => {
    for (const value of [5, 20])
      await post('/api/routes/products/set', { setting: 'pct.read', value, by: 'ann', reason: 'ramp' });
    const { entries } = (await get('/api/routes/products/audit')).json() as { entries: object[] };
    expect(entries).toMatchObject([
      { n: 1, by: 'ann', what: 'set pct.read 5', reason: 'ramp', evidence: { before: null } },
      { n: 2, by: 'ann', what: 'set pct.read 20', reason: 'ramp', evidence: { before: '5' } },
    ]);
  });

  test('sets the brake and resets the route', async () => {
    await post('/api/routes/products/set', { setting: 'stop', value: true });
    expect((await store.config.get(keys.stop('products')))?.value).toBe('on');
    expect((await post('/api/routes/products/reset', {})).statusCode).toBe(200);
    expect(await store.config.get(keys.stop('products'))).toBeUndefined();
  });

  test('leaves a request for the leader and answers 202', async () => {
    const answer = await post('/api/routes/products/ask', { action: 'rehearse', by: 'ann', reason: 'tonight' });
    expect([answer.statusCode, answer.json()]).toEqual([202, { id: 'id-1' }]);
    const ask = JSON.parse((await store.config.get(keys.ask('products')))?.value ?? '');
    expect(ask).toMatchObject({ action: 'rehearse', by: 'ann', reason: 'tonight' });
  });

  test.each([
    ['an unknown route', '/api/routes/nothing/set', { setting: 'stop', value: true }, 404, 'ROUTE_UNKNOWN'],
    ['an unknown setting', '/api/routes/products/set', { setting: 'phase', value: 'dual' }, 400, 'USAGE'],
    ['a value out of range', '/api/routes/products/set', { setting: 'pct.read', value: 101 }, 400, 'USAGE'],
    ['an unknown field', '/api/routes/products/reset', { all: true }, 400, 'USAGE'],
    ['an unknown action', '/api/routes/products/ask', { action: 'explode' }, 400, 'USAGE'],
    ['a body that is no JSON', '/api/routes/products/reset', '{', 400, 'USAGE'],
    ['a body that is too large', '/api/routes/products/reset', { reason: 'x'.repeat(100_000) }, 400, 'USAGE'],
  ])('refuses %s', async (_, path, body, status, code) => {
    const answer = await post(path, body);
    expect([answer.statusCode, answer.headers['x-crossfade-error']]).toEqual([status, code]);
    expect(changes).toEqual([]);
  });

  test('answers 409 while another request is being carried out', async () => {
    await post('/api/routes/products/ask', { action: 'verify' });
    await store.config.put(
      keys.job('products', askResultName),
      JSON.stringify({ schema: 1, id: 'id-1', state: 'running', message: '', at: '' }),
    );
    expect((await post('/api/routes/products/ask', { action: 'advance' })).statusCode).toBe(409);
  });

  test('takes changes by POST only', async () => {
    expect((await get('/api/routes/products/reset')).statusCode).toBe(404);
  });

  test('refuses a change that a foreign page sent', async () => {
    const answer = await post('/api/routes/products/reset', {}, { origin: 'https://evil.example' });
    expect([answer.statusCode, answer.headers['x-crossfade-error']]).toEqual([403, 'FORBIDDEN']);
  });
});

describe('with a token', () => {
  beforeEach(async () => {
    await app.close();
    app = start({ token: planted, listen: '0.0.0.0:9600' });
  });

  test.each([
    ['no token', {}, 401],
    ['a wrong token', { authorization: 'Bearer nope' }, 401],
    ['another scheme', { authorization: `Basic ${planted}` }, 401],
    ['the token', { authorization: `Bearer ${planted}` }, 200],
  ])('%s answers %#', async (_, headers, status) => {
    const answer = await get('/api/status', headers as unknown as Record<string, string>);
    expect(answer.statusCode).toBe(status);
    expect(answer.body).not.toContain(planted);
  });

  test('health and metrics stay open and hold no secret', async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const answer = await get(path);
      expect(answer.statusCode).toBe(200);
      expect(answer.body).not.toContain(planted);
    }
  });
});

describe('the dashboard', () => {
  const paths = [
    '/',
    '/assets/main.js',
    '/assets/style.css',
    '/assets/uplot.js',
    '/assets/uplot.css',
    '/assets/icon.svg',
  ];

  test.each(paths)('%s is served from this process, also to who has no token yet', async (path) => {
    await app.close();
    app = start({ token: planted, listen: '0.0.0.0:9600' });
    const answer = await get(path, { host: 'pod-7:9600' });
    expect(answer.statusCode).toBe(200);
    expect(answer.body.length).toBeGreaterThan(100);
    expect(answer.headers['content-security-policy']).toContain("script-src 'self'");
  });

  test('names every file that its modules import, and nothing of another origin', async () => {
    const html = (await get('/')).body;
    const seen = new Set<string>();
    const wanted = [...html.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path = '']) => path);
    for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      const answer = await get(path);
      expect([path, answer.statusCode]).toEqual([path, 200]);
      if (!path.endsWith('.js') || path.endsWith('uplot.js')) continue;
      const imports = [...answer.body.matchAll(/from '\.\/([\w-]+\.js)'/g)];
      wanted.push(...imports.map(([, file]) => `/assets/${file}`));
    }
    expect(seen.size).toBeGreaterThan(10);
    expect(html).not.toMatch(/https?:|style=|<style|onclick/);
  });

  test.each(['/assets/../package.json', '/assets/%2e%2e/package.json', '/assets/tsconfig.json', '/assets/nothing.js'])(
    '%s is no file of the page',
    async (path) => {
      expect((await get(path)).statusCode).toBe(404);
    },
  );

  test('asks all members for their samples through the store', async () => {
    const found = { id: 'd1', at: '2026-01-01T00:00:00.000Z', severity: 'S4' };
    const record = { schema: 1, member: 'm2', routes: { products: [found], others: [{ ...found, id: 'd2' }] } };
    await store.live.put(keys.found('m2'), JSON.stringify(record));
    const answer = await get('/api/routes/products/findings');
    expect(answer.json()).toEqual({ findings: [{ ...found, member: 'm2' }] });
    const watch = JSON.parse((await store.live.get(keys.watch('m1')))?.value ?? '');
    expect(watch).toEqual({ schema: 1, samples: ['products'] });
  });
});

describe('every answer', () => {
  test.each(['/livez', '/api/status', '/nowhere', '/api/routes/nothing'])(
    '%s forbids framing, foreign scripts and caching',
    async (path) => {
      const { headers } = await get(path);
      expect(headers['content-security-policy']).toContain("default-src 'self'");
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    },
  );
});
