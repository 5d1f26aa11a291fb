/**
 * The servers of the proxy benchmark: a fast stub in place of OpenSearch, the rivals in front of it, and Crossfade. Each
 * is a process of its own, so that its CPU time is its own.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createNetServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { openFileStore } from '../../src/coordination/file-store.ts';
import { keys } from '../../src/coordination/keys.ts';
import type { Store } from '../../src/coordination/ports.ts';
import { initialPhase, type Phase } from '../../src/coordination/records.ts';
import { RouteSpec } from '../../src/coordination/route-spec.ts';
import { freePort, type Server, startServer } from '../../test/support/services/child.ts';
import { findOnPath, run } from '../../test/support/services/prerequisites.ts';

const root = join(import.meta.dirname, '..', '..');

let build: Promise<unknown> | undefined;
/** Compiles what users run, once: started from its sources, Node.js keeps its compiler for TypeScript in memory. */
const buildCrossfade = async (): Promise<void> => {
  const args = [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')];
  build ??= run(process.execPath, args);
  await build;
};

/** The flags of Node.js that the container image sets. */
const shippedFlags = (): string[] =>
  /NODE_OPTIONS=(\S+)/.exec(readFileSync(join(root, 'Dockerfile'), 'utf8'))?.[1]?.split(',') ?? [];

export const needPrograms = (names: readonly string[]): void => {
  const missing = names.filter((name) => findOnPath(name) === undefined);
  if (missing.length > 0)
    throw new Error(
      `the benchmark needs ${missing.join(', ')} on the PATH (Debian: apt install wrk nginx-light haproxy)`,
    );
};

const answers = async (url: string): Promise<boolean> => (await fetch(url)).status < 500;

type NginxOptions = { name: string; dir: string; server: (port: number) => string; http?: string };
const nginx = async ({ name, dir, server, http = '' }: NginxOptions): Promise<Server> => {
  const port = await freePort();
  const home = join(dir, name);
  mkdirSync(home, { recursive: true });
  // Started by root its workers are another user, who may not write into this folder what a body has beyond the buffer.
  const user = process.getuid?.() === 0 ? 'user root; ' : '';
  const config = `${user}daemon off; pid ${home}/pid; error_log ${home}/error.log; worker_processes 1;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
keepalive_requests 10000000; client_max_body_size 100m; client_body_buffer_size 1m; ${http}
server { listen 127.0.0.1:${port}; ${server(port)} } }`;
  writeFileSync(join(home, 'nginx.conf'), config);
  const url = `http://127.0.0.1:${port}`;
  return startServer({
    name,
    command: 'nginx',
    args: ['-p', home, '-e', `${home}/start.log`, '-c', join(home, 'nginx.conf')],
    logFile: join(home, 'out.log'),
    url,
    isUp: () => answers(url),
    timeoutMs: 10_000,
  });
};

/** Ten hits, about 3 KB. */
const hit = (i: number): string =>
  `{"_index":"bench_v1","_id":"${i}","_score":1.0,"_source":{"name":"steel lamp ${i}","text":"${'lorem ipsum dolor sit amet '.repeat(7)}","price":${i}.5}}`;
export const searchAnswer = `{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":10,"relation":"eq"},"max_score":1.0,"hits":[${Array.from({ length: 10 }, (_, i) => hit(i)).join(',')}]}}`;
const writeAnswer =
  '{"_index":"bench_v1","_id":"1","_version":2,"result":"updated","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":7,"_primary_term":1}';
const bulkAnswer =
  '{"took":1,"errors":false,"items":[{"index":{"_index":"bench_v2","_id":"1","_version":2,"result":"updated","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":7,"_primary_term":1,"status":200}}]}';

/** Answers any search, write or bulk at once, and the question for ingest pipelines: there are none. */
export const startStub = (name: string, dir: string): Promise<Server> =>
  nginx({
    name,
    dir,
    server: () =>
      `default_type application/json;
location ~ /_settings/ { return 200 '{}'; } location ~ /_doc/ { return 200 '${writeAnswer}'; } location ~ /_bulk { return 200 '${bulkAnswer}'; } location / { return 200 '${searchAnswer}'; }`,
  });

const upstream = (url: string, name = 'backend'): string =>
  `upstream ${name} { server ${url.slice('http://'.length)}; keepalive 64; }`;
const pass = (name = 'backend'): string =>
  `proxy_pass http://${name}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;`;

export const startNginx = (dir: string, stub: string): Promise<Server> =>
  nginx({ name: 'nginx', dir, http: upstream(stub), server: () => `location / { ${pass()} }` });

/** A program of this folder that is told its port first. */
const startScript = async (
  { name, dir, flags = [] }: { name: string; dir: string; flags?: readonly string[] },
  script: string,
  ...args: readonly string[]
): Promise<Server> => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  return startServer({
    name,
    command: process.execPath,
    args: [...flags, join(import.meta.dirname, script), String(port), ...args],
    logFile: join(dir, `${name}.log`),
    url,
    isUp: () => answers(url),
    timeoutMs: 10_000,
  });
};

/** node:http and undici with nothing in between. */
export const startPlainNode = (dir: string, stub: string): Promise<Server> =>
  startScript({ name: 'plain-node', dir, flags: shippedFlags() }, 'plain-proxy.ts', stub);

export const startNginxMirror = (dir: string, stub: string, other: string): Promise<Server> =>
  nginx({
    name: 'nginx-mirror',
    dir,
    http: `${upstream(stub)} ${upstream(other, 'other')}`,
    server: () =>
      `location / { mirror /mirror; ${pass()} } location = /mirror { internal; ${pass('other').replace('http://other', 'http://other$request_uri')} }`,
  });

export const startHaproxy = async (dir: string, stub: string): Promise<Server> => {
  const port = await freePort();
  const file = join(dir, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server s ${stub.slice('http://'.length)}
`,
  );
  const url = `http://127.0.0.1:${port}`;
  return startServer({
    name: 'haproxy',
    command: 'haproxy',
    args: ['-db', '-f', file],
    logFile: join(dir, 'haproxy.log'),
    url,
    isUp: () => answers(url),
    timeoutMs: 10_000,
  });
};

/** A cluster that numbers writes; see stub-cluster.ts. */
export const startStubCluster = (name: string, dir: string): Promise<Server> =>
  startScript({ name, dir }, 'stub-cluster.ts');

/** A cluster whose searches take time and no CPU of this machine; see slow-stub.ts. */
export const startSlowStub = (name: string, dir: string, delayMs: number): Promise<Server> =>
  startScript({ name, dir }, 'slow-stub.ts', String(delayMs));

/** Takes connections and never answers. */
export const startHungServer = async (): Promise<{ url: string; stop(): void }> => {
  const open = new Set<Socket>();
  const server = createNetServer((socket) => {
    open.add(socket);
    socket.on('data', () => undefined);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = (): void => {
    for (const socket of open) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}`, stop };
};

export type CrossfadeMode = { phase: Phase; shadow?: number; copies?: { maxPendingBytes: number } };
type CrossfadeOptions = {
  name: string;
  dir: string;
  source: string;
  target: string;
  mode: CrossfadeMode;
  heapMb?: number;
  env?: Record<string, string>;
};

/** Puts a route into the wanted phase, as an earlier leader would have left it. */
export const seedRoute = async ({ config }: Pick<Store, 'config'>, slug: string, mode: CrossfadeMode) => {
  const { phase, shadow = 0, copies = {} } = mode;
  const spec = RouteSpec.parse({
    route: slug,
    indices: [{ source: `${slug}_v1`, target: `${slug}_v2` }],
    aliases: [slug],
    copies,
    shadow: { recheck: false, baselinePercent: 0, maxQueued: 2000, maxConcurrent: 32 },
  });
  await config.put(keys.config(slug), JSON.stringify({ ...spec, aliases: [slug] }));
  const at = new Date(0).toISOString();
  const record = { ...initialPhase, phase, epoch: 1, by: 'bench', reason: 'bench', at };
  await config.put(keys.phase(slug), JSON.stringify(record));
  await config.put(keys.percent(slug, 'shadow'), String(shadow));
};

const seedStore = async (file: string, mode: CrossfadeMode): Promise<void> => {
  if (mode.phase === 'off') return;
  const store = await openFileStore({ file });
  await seedRoute(store, 'bench', mode);
  await store.close();
};

export const startCrossfade = async ({
  name,
  dir,
  source,
  target,
  mode,
  heapMb,
  env = {},
}: CrossfadeOptions): Promise<Server & { adminUrl: string }> => {
  await buildCrossfade();
  const home = join(dir, name);
  mkdirSync(home, { recursive: true });
  const file = join(home, 'state.json');
  await seedStore(file, mode);
  const [port, adminPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const server = await startServer({
    name,
    command: process.execPath,
    args: [
      ...shippedFlags(),
      ...(heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`]),
      join(root, 'dist', 'main.js'),
      'agent',
    ],
    options: {
      cwd: home,
      env: {
        ...process.env,
        CROSSFADE_LISTEN: `127.0.0.1:${port}`,
        CROSSFADE_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        CROSSFADE_MEMBER: name,
        CROSSFADE_CLUSTERS_SOURCE_URL: source,
        CROSSFADE_CLUSTERS_TARGET_URL: target,
        CROSSFADE_STORE_FILE: file,
        CROSSFADE_LOG_LEVEL: 'error',
        CROSSFADE_SHUTDOWN_QUIET_MS: '0',
        ...env,
      },
    },
    logFile: join(home, 'out.log'),
    url,
    isUp: async () => (await fetch(`${adminUrl}/readyz`)).ok,
    timeoutMs: 30_000,
  });
  return { ...server, adminUrl };
};
