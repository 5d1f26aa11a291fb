/**
 * A real cluster with TLS, users and roles: the role that the documents name is enough for a whole migration, one right
 * less is named, and a user of the application keeps its own rights, with everything that the cluster refuses it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, must, startAgent, statusAt } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { type Answer, type Secured, startSecured, whyNoSecured } from '../../support/services/secured.ts';
import { services, uniqueName } from '../../support/services.ts';
import { trust } from '../../support/tls.ts';
import { dropStreams } from '../coordination/nats-admin.ts';

type Role = {
  cluster_permissions: string[];
  index_permissions: { index_patterns: string[]; allowed_actions: string[] }[];
};
const role = JSON.parse(readFileSync('deploy/opensearch/role.json', 'utf8')) as Role;
const own = { name: 'crossfade', password: 'Moves-An-Index-2' };
const shop = { name: 'shop', password: 'Buys-And-Sells-3' };
const limited = { name: 'limited', password: 'Sees-A-Part-4' };
const ofApplication = {
  cluster_permissions: ['cluster_composite_ops'],
  index_permissions: [{ index_patterns: ['products*'], allowed_actions: ['read', 'write'] }],
};
const withHidden = {
  ...ofApplication,
  index_permissions: [{ ...ofApplication.index_permissions[0], fls: ['~secret'] }],
};

const missing = await whyNoSecured();

describe.skipIf(missing !== undefined)(`a cluster with users${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const bucket = uniqueName('secured');
  const folder = mkdtempSync(join(tmpdir(), 'crossfade-secured-'));
  let cluster: Secured;
  let agent: AgentProcess;
  let natsUrl: string;
  let env: Record<string, string>;

  const put = async (path: string, body: unknown): Promise<void> => {
    const { status, text } = await cluster.ask({ method: 'PUT', path, body });
    expect([path, status < 300 ? '' : text]).toEqual([path, '']);
  };
  const setRole = (name: string, body: unknown) => put(`/_plugins/_security/api/roles/${name}`, body);
  const addUser = async (user: typeof own, body: unknown): Promise<void> => {
    await setRole(user.name, body);
    const account = { password: user.password, opendistro_security_roles: [user.name] };
    await put(`/_plugins/_security/api/internalusers/${user.name}`, account);
  };
  const through = async (
    user: typeof own | undefined,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer> => {
    const basic = user && `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
    const headers = { ...(basic && { authorization: basic }), 'content-type': 'application/json' };
    const answer = await fetch(`${agent.url}${path}`, { method, headers, body: body ? JSON.stringify(body) : null });
    return { status: answer.status, text: await answer.text() };
  };
  const done = async (...args: string[]): Promise<void> => {
    await must(crossfade(args, env));
  };
  /** Safe to advance, then the cutover. */
  const advance = async (): Promise<void> => {
    const ready = async (): Promise<boolean> => (await statusAt(agent, 'products')).safeToAdvance.ok;
    await eventually(ready, { what: 'safe to advance', timeoutMs: 30_000 });
    await done('advance', 'products', '--wait', '--yes');
  };
  const problems = async (): Promise<string[]> => {
    const { out } = await crossfade(['doctor', 'products', '--json'], env);
    const { findings } = JSON.parse(out) as { findings: Record<'level' | 'check' | 'about' | 'reason', string>[] };
    return findings.flatMap(({ level, check, about, reason }) =>
      level === 'ok' ? [] : [`${level} ${check} ${about}: ${reason}`],
    );
  };

  beforeAll(async () => {
    natsUrl = (await services()).natsUrl;
    cluster = await startSecured('secured');
    await addUser(own, role);
    await addUser(shop, ofApplication);
    await addUser(limited, withHidden);
    await put('/_ingest/pipeline/p', { processors: [] });
    await put('/products_v1', { settings: { number_of_replicas: 0 }, aliases: { products: {} } });
    await put('/products_v1/_doc/before?refresh=true', { n: 0, secret: 's' });
    writeFileSync(join(folder, 'password'), own.password);
    const side = (name: string) => ({
      [`CROSSFADE_CLUSTERS_${name}_URL`]: cluster.url,
      [`CROSSFADE_CLUSTERS_${name}_USERNAME`]: own.name,
      [`CROSSFADE_CLUSTERS_${name}_PASSWORD_FILE`]: join(folder, 'password'),
      [`CROSSFADE_CLUSTERS_${name}_PASS_CLIENT_CREDENTIALS`]: 'true',
      [`CROSSFADE_CLUSTERS_${name}_TLS_CA_FILE`]: trust.caFile,
      [`CROSSFADE_CLUSTERS_${name}_TLS_SERVER_NAME`]: trust.serverName,
    });
    env = { CROSSFADE_NATS_SERVERS: natsUrl, CROSSFADE_NATS_BUCKET: bucket, ...side('SOURCE'), ...side('TARGET') };
    agent = await startAgent({ env });
    const route = { route: 'products', aliases: ['products'], createTarget: true };
    const file = join(folder, 'route.json');
    writeFileSync(file, JSON.stringify({ ...route, indices: [{ source: 'products_v1', target: 'products_v2' }] }));
    await done('apply', '-f', file);
  });
  afterAll(async () => {
    await agent?.stop();
    await cluster?.stop();
    if (natsUrl !== undefined) await dropStreams(natsUrl, bucket);
    rmSync(folder, { recursive: true, force: true });
  });

  test('doctor names the one right that is missing', async () => {
    expect(await problems()).toEqual([]);
    const [indices, ...rest] = role.index_permissions;
    const allowed = indices?.allowed_actions.filter((action) => action !== 'indices:admin/mapping/put');
    await setRole(own.name, { ...role, index_permissions: [{ ...indices, allowed_actions: allowed }, ...rest] });
    expect(await problems()).toEqual([
      'refuse privileges source: missing: indices:admin/mapping/put on products_v1',
      'refuse privileges target: missing: indices:admin/mapping/put on products_v2',
    ]);
    const without = role.cluster_permissions.filter((action) => action !== 'cluster:monitor/health');
    await setRole(own.name, { ...role, cluster_permissions: without });
    expect(await problems()).toEqual([
      'warn cluster source: health cannot be read',
      'refuse privileges source: missing: cluster:monitor/health',
      'warn cluster target: health cannot be read',
      'refuse privileges target: missing: cluster:monitor/health',
      'refuse source index products_v1: health cannot be read',
    ]);
    await setRole(own.name, role);
  });

  test('what the cluster refuses a client, and what a client may do, stays as it is', async () => {
    const unknown = { name: 'shop', password: 'wrong' };
    expect((await through(undefined, 'GET', '/products/_count')).status).toBe(401);
    expect((await through(unknown, 'GET', '/products/_count')).status).toBe(401);
    const direct = await cluster.ask({ path: '/_cluster/settings', user: shop });
    expect(await through(shop, 'GET', '/_cluster/settings')).toEqual(direct);
    expect(direct.status).toBe(403);
    expect((await through(shop, 'GET', '/_plugins/_security/authinfo')).text).toContain('"user_name":"shop"');
  });

  test('the documented role is enough for a whole migration, there and back', async () => {
    await done('phase', 'products', 'dual');
    expect((await through(shop, 'PUT', '/products/_doc/1', { n: 1, more: 'a field' })).status).toBe(201);
    expect((await through(limited, 'PUT', '/products/_doc/2?pipeline=p', { n: 2, secret: 's' })).status).toBe(201);
    expect((await through(limited, 'PUT', '/products/_doc/3', { n: 3, secret: 's' })).status).toBe(201);
    await done('route', 'set', 'products.pct.shadow', '100');
    expect((await through(shop, 'GET', '/products/_search')).status).toBe(200);
    await advance();
    expect((await through(shop, 'PUT', '/products/_doc/4', { n: 4 })).status).toBe(201);
    expect((await through(undefined, 'GET', '/products/_count')).status).toBe(401);
    expect((await through(limited, 'GET', '/products/_doc/3')).text).not.toContain('secret');
    await done('rollback', 'products', '--wait', '--yes');
    expect((await through(shop, 'DELETE', '/products/_doc/4')).status).toBe(200);
    await advance();
    await done('verify', 'products', '--mode', 'full', '--wait', '--yes');
    await done('repair', 'products', '--id', '1', '--force', '--wait', '--yes');
    await done('finalize', 'products', '--wait', '--yes');
    const { text } = await cluster.ask({ path: '/products_v2/_search?sort=n&filter_path=hits.hits._source' });
    expect(JSON.parse(text)).toEqual({
      hits: {
        hits: [
          { n: 0, secret: 's' },
          { n: 1, more: 'a field' },
          { n: 2, secret: 's' },
          { n: 3, secret: 's' },
        ].map((_source) => ({ _source })),
      },
    });
    expect((await cluster.ask({ path: '/products_v1/_settings' })).text).toContain('"write":"true"');
  }, 120_000);
});
