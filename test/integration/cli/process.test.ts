/** The life of one agent process: refused starts, embedded store, drain, missing store. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer as createHttpServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AgentProcess, crossfade, startAgent } from '../../support/agent-process.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams } from '../coordination/nats-admin.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-process-'));
let clusters: Record<string, string>;
const started: AgentProcess[] = [];
const start = async (env: Record<string, string>): Promise<AgentProcess> => {
  const agent = await startAgent({ env: { ...clusters, ...env } });
  started.push(agent);
  return agent;
};

beforeAll(async () => {
  const { sourceUrl, targetUrl } = await services();
  clusters = { CROSSFADE_CLUSTERS_SOURCE_URL: sourceUrl, CROSSFADE_CLUSTERS_TARGET_URL: targetUrl };
});
afterAll(async () => {
  for (const agent of started) agent.signal('SIGKILL');
  await Promise.all(started.map((agent) => agent.exit()));
  for (const stub of stubs) stub.closeAllConnections();
  for (const stub of stubs) stub.close();
  rmSync(folder, { recursive: true, force: true });
});

const unusedPort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};
type StubCluster = { url: string; writes: () => string[] };
const stubs: Server[] = [];
/** A cluster that knows its aliases, takes every write and has no document to delete. */
const stubCluster = async (aliases: object): Promise<StubCluster> => {
  const seen: string[] = [];
  const server = createHttpServer((message, response) => {
    const path = message.url?.split('?')[0] ?? '';
    if (message.method === 'PUT') seen.push(path);
    message.resume();
    const status = { PUT: 201, DELETE: 404 }[message.method ?? ''] ?? 200;
    const written = { _id: '1', _seq_no: 0, _primary_term: 1, result: status === 404 ? 'not_found' : 'created' };
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify(path.startsWith('/_alias') ? aliases : written));
  }).listen(0, '127.0.0.1');
  stubs.push(server);
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, writes: () => seen };
};
const ready = async ({ adminUrl }: AgentProcess): Promise<number> => (await fetch(`${adminUrl}/readyz`)).status;

describe('a start with mistakes', () => {
  test('reports all of them, binds no port and exits with 64', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const file = join(folder, 'bad.yaml');
    // The port is taken: had the process tried to bind it, that would be the error.
    writeFileSync(
      file,
      `listen: 127.0.0.1:${port}\nlog: { level: loud }\nclusters: { source: { url: 1, passwordFile: /no/file } }\n`,
    );
    const ran = await crossfade(['agent', '--config', file], { CROSSFADE_LIMITS_MAX_BODY_BYTES: 'many' });
    taken.close();
    expect(ran.exit).toBe(64);
    for (const part of [
      'log.level',
      'clusters.source.url',
      'clusters.source.username',
      'CROSSFADE_LIMITS_MAX_BODY_BYTES',
    ])
      expect(ran.err).toContain(part);
    expect(ran.out).toBe('');
  });

  test('names files that cannot be read', async () => {
    const ran = await crossfade(['agent'], { ...clusters, CROSSFADE_ADMIN_TOKEN_FILE: '/no/such/file' });
    expect(ran).toMatchObject({
      exit: 64,
      err: expect.stringContaining('admin.tokenFile is "/no/such/file"; expected a readable file'),
    });
  });

  test('fails with a code of its own when the port is taken', async () => {
    const agent = await start({});
    const ran = await crossfade(['agent'], {
      ...clusters,
      CROSSFADE_LISTEN: new URL(agent.url).host,
      CROSSFADE_ADMIN_LISTEN: '127.0.0.1:0',
      CROSSFADE_STORE_FILE: join(folder, 'other.json'),
    });
    expect(ran.exit).toBe(1);
    expect(ran.out).toContain('EADDRINUSE');
    expect(await agent.stop()).toBe(0);
  });

  test("refuses a name that another agent has in the same store file, which serves on; one that was killed is in nobody's way", async () => {
    const env = { CROSSFADE_STORE_FILE: join(folder, 'twins.json'), CROSSFADE_MEMBER: 'gateway-0' };
    const first = await start(env);
    const ran = await crossfade(['agent'], { ...clusters, ...env, CROSSFADE_LISTEN: '127.0.0.1:0' });
    expect(ran).toMatchObject({ exit: 3, out: expect.stringContaining('Another agent runs as member gateway-0') });
    expect(await ready(first)).toBe(200);
    first.signal('SIGKILL');
    await first.exit();
    expect(await ready(await start(env))).toBe(200);
  });

  test('names the store file that is damaged, leaves it alone and exits with 6', async () => {
    const file = join(folder, 'damaged.json');
    writeFileSync(file, '{"schema":1,"incarnation":"x","revi');
    const ran = await crossfade(['agent'], { ...clusters, CROSSFADE_STORE_FILE: file });
    expect(ran).toMatchObject({ exit: 6, err: expect.stringContaining(`${file} is damaged; put back a whole copy`) });
    expect(readFileSync(file, 'utf8')).toBe('{"schema":1,"incarnation":"x","revi');
  });
});

describe('a command', () => {
  test('ends in time though NATS accepts connections and never says a word', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const ran = await crossfade(['status', '--json'], { CROSSFADE_NATS_SERVERS: `nats://127.0.0.1:${port}` });
    silent.close();
    expect({ ...ran, out: JSON.parse(ran.out) }).toMatchObject({
      exit: 6,
      out: { error: { code: 'STORE_UNAVAILABLE' } },
      err: expect.stringContaining('NATS: cannot connect: timeout'),
    });
  });

  test('whose reader has seen enough ends without a word', () => {
    const main = join(import.meta.dirname, '../../../src/main.ts');
    const ran = spawnSync('sh', ['-c', '"$0" "$1" help | true', process.execPath, main], { encoding: 'utf8' });
    expect(ran).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('an agent with the embedded store', () => {
  test('is seeded from its configuration and shares its file with the command line', async () => {
    const slug = uniqueName('seed');
    const env = {
      CROSSFADE_STORE_FILE: join(folder, 'embedded.json'),
      CROSSFADE_ROUTES: JSON.stringify([{ route: slug, indices: [{ source: `${slug}_v1`, target: `${slug}_v2` }] }]),
    };
    const agent = await start(env);
    const cli = (...args: string[]) => crossfade(args, { CROSSFADE_STORE_FILE: env.CROSSFADE_STORE_FILE });
    expect(JSON.parse((await cli('status', slug, '--json')).out)).toMatchObject({
      phase: 'off',
      epoch: 0,
      store: { kind: 'file' },
    });
    await cli('route', 'set', `${slug}.stop`, 'on');
    await eventually(async () => {
      const answer = await fetch(`${agent.adminUrl}/api/routes/${slug}`);
      return ((await answer.json()) as { stop: boolean }).stop;
    });
    expect(await agent.stop()).toBe(0);
    expect(readFileSync(env.CROSSFADE_STORE_FILE, 'utf8')).toContain(slug);
  });

  test('tells of a route on the target that its store has lost', async () => {
    const source = await stubCluster({ 'crossfade-fence': { aliases: { 'crossfade-lost-e1': {} } } });
    const moved = { 'crossfade-lost-e4': {}, 'crossfade-lost-authority-e4-r2': {} };
    const target = await stubCluster({ lost_v2: { aliases: moved } });
    const agent = await start({
      CROSSFADE_STORE_FILE: join(folder, 'anew.json'),
      CROSSFADE_CLUSTERS_SOURCE_URL: source.url,
      CROSSFADE_CLUSTERS_TARGET_URL: target.url,
    });
    const told = () => agent.log().find(({ msg }) => msg?.includes('that the store does not know'));
    expect(await eventually(told)).toMatchObject({ level: 50, route: 'lost', epoch: 4 });
    expect(await agent.stop()).toBe(0);
  });
});

describe('a worker', () => {
  test('needs a shared store', async () => {
    const ran = await crossfade(['worker'], {
      ...clusters,
      CROSSFADE_ADMIN_LISTEN: '127.0.0.1:0',
      CROSSFADE_STORE_FILE: join(folder, 'worker.json'),
    });
    expect(ran.exit).toBe(64);
    expect(ran.out).toContain('A worker needs NATS');
  });

  test('is no member, answers probes, and ends at SIGTERM', async () => {
    const { natsUrl } = await services();
    const bucket = uniqueName('worker');
    const env = { CROSSFADE_NATS_SERVERS: natsUrl, CROSSFADE_NATS_BUCKET: bucket };
    const worker = await startAgent({ env: { ...clusters, ...env }, command: 'worker', upAt: 'working' });
    started.push(worker);
    expect(await ready(worker)).toBe(200);
    const members = await eventually(async () => {
      const ran = await crossfade(['members', '--json'], env);
      return ran.exit === 0 ? (JSON.parse(ran.out) as { members: unknown[] }) : undefined;
    });
    expect(members).toEqual({ members: [] });
    const metrics = await (await fetch(`${worker.adminUrl}/metrics`)).text();
    expect(metrics).toContain('crossfade_store_connected 1');
    expect(await worker.stop()).toBe(0);
    await dropStreams(natsUrl, bucket);
  });
});

describe('probes', () => {
  test('liveness and readiness hold while target and NATS are away', async () => {
    const nowhere = `127.0.0.1:${await unusedPort()}`;
    const agent = await start({
      CROSSFADE_CLUSTERS_TARGET_URL: `http://${nowhere}`,
      CROSSFADE_STORE_FILE: join(folder, 'probes.json'),
    });
    for (const path of ['/livez', '/readyz', '/startupz'])
      expect((await fetch(`${agent.adminUrl}${path}`)).status, path).toBe(200);
    expect(await agent.stop()).toBe(0);
  });
});

describe('an agent that finds no store', () => {
  const withoutNats = async (source: StubCluster, target: StubCluster): Promise<AgentProcess> =>
    start({
      CROSSFADE_NATS_SERVERS: `nats://127.0.0.1:${await unusedPort()}`,
      CROSSFADE_CLUSTERS_SOURCE_URL: source.url,
      CROSSFADE_CLUSTERS_TARGET_URL: target.url,
    });
  const write = (agent: AgentProcess, index: string) =>
    fetch(`${agent.url}/${index}/_doc/1`, {
      method: 'PUT',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });

  test('passes traffic when both clusters show that no route was ever active', async () => {
    const [source, target] = [await stubCluster({}), await stubCluster({})];
    const agent = await withoutNats(source, target);
    expect((await write(agent, 'products')).status).toBe(201);
    expect(source.writes()).toEqual(['/products/_doc/1']);
    expect(target.writes()).toEqual([]);
    expect(await agent.stop()).toBe(0);
  });

  test('finds the authority in the marker that the last switch left', async () => {
    const source = await stubCluster({ 'crossfade-fence': { aliases: { 'crossfade-p-e1': {} } } });
    const marked = { products: {}, 'crossfade-p-e4': {}, 'crossfade-p-authority-e4-r2': {} };
    const target = await stubCluster({ products_v2: { aliases: marked } });
    const agent = await withoutNats(source, target);
    await write(agent, 'products');
    expect(source.writes()).toEqual([]);
    expect(target.writes()).toEqual(['/crossfade-p-e4/_doc/1']);
    expect(await agent.stop()).toBe(0);
  });

  test('refuses to write while the aliases show a switch that did not end', async () => {
    const source = await stubCluster({ 'crossfade-fence': { aliases: { 'crossfade-p-e1': {} } } });
    const target = await stubCluster({});
    const agent = await withoutNats(source, target);
    expect((await write(agent, 'products')).headers.get('x-crossfade-error')).toBe('AUTHORITY_UNKNOWN');
    expect([...source.writes(), ...target.writes()]).toEqual([]);
    expect(await agent.stop()).toBe(0);
  });

  test('refuses every request while not even the clusters can be asked, and stays alive', async () => {
    const agent = await start({
      CROSSFADE_NATS_SERVERS: `nats://127.0.0.1:${await unusedPort()}`,
      CROSSFADE_CLUSTERS_TARGET_URL: `http://127.0.0.1:${await unusedPort()}`,
    });
    const answer = await fetch(`${agent.url}/any/_doc/1`, {
      method: 'PUT',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('x-crossfade-error')).toBe('AUTHORITY_UNKNOWN');
    expect(answer.headers.get('x-crossfade-not-sent')).toBe('true');
    expect(await ready(agent)).toBe(503);
    expect((await fetch(`${agent.adminUrl}/livez`)).status).toBe(200);
    expect(await agent.stop()).toBe(0);
  });
});

describe('SIGTERM', () => {
  /** A connection that the application keeps open, with one answer read from it. */
  const keptConnection = (url: string) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const get = (): Promise<number> =>
      new Promise((resolve, reject) => {
        request(`${url}/`, { agent }, (answer) => {
          answer.resume();
          answer.once('end', () => resolve(answer.statusCode ?? 0));
        })
          .once('error', reject)
          .end();
      });
    return { get, close: () => agent.destroy() };
  };

  test('goes on serving the application until its connections are gone', async () => {
    const agent = await start({
      CROSSFADE_STORE_FILE: join(folder, 'drain.json'),
      CROSSFADE_SHUTDOWN_GRACE_MS: '20000',
    });
    const connection = keptConnection(agent.url);
    expect(await connection.get()).toBe(200);
    agent.signal('SIGTERM');
    await eventually(() => agent.log().some(({ msg }) => msg === 'draining'));
    expect(await ready(agent)).toBe(503);
    expect(await connection.get()).toBe(200);
    connection.close();
    expect(await agent.exit()).toBe(0);
  });

  test('goes on serving an application that has no connection open at that moment, and then ends', async () => {
    const agent = await start({
      CROSSFADE_STORE_FILE: join(folder, 'quiet.json'),
      CROSSFADE_SHUTDOWN_GRACE_MS: '20000',
      CROSSFADE_SHUTDOWN_QUIET_MS: '1500',
    });
    const connectOnce = async (): Promise<number> => {
      const connection = keptConnection(agent.url);
      return connection.get().finally(connection.close);
    };
    expect(await connectOnce()).toBe(200);
    agent.signal('SIGTERM');
    await eventually(() => agent.log().some(({ msg }) => msg === 'draining'));
    for (let request = 0; request < 3; request++) expect(await connectOnce()).toBe(200);
    expect(await agent.exit()).toBe(0);
  });

  test('ends after the grace when the application does not let go', async () => {
    const agent = await start({ CROSSFADE_STORE_FILE: join(folder, 'grace.json'), CROSSFADE_SHUTDOWN_GRACE_MS: '200' });
    const connection = keptConnection(agent.url);
    await connection.get();
    expect(await agent.stop()).toBe(0);
    connection.close();
  });

  test('a second time ends the process at once', async () => {
    const agent = await start({
      CROSSFADE_STORE_FILE: join(folder, 'twice.json'),
      CROSSFADE_SHUTDOWN_GRACE_MS: '20000',
    });
    const connection = keptConnection(agent.url);
    await connection.get();
    agent.signal('SIGTERM');
    await eventually(() => agent.log().some(({ msg }) => msg === 'draining'));
    agent.signal('SIGTERM');
    expect(await agent.exit()).toBe(143);
    connection.close();
  });
});
