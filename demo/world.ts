/**
 * The demo's stage: two clusters, NATS, two sidecars with a gateway each, an index with documents. Also its eyes: what
 * the store, the sidecars' metrics and both clusters say.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { freePort } from '../test/support/services/child.ts';
import { type RunningServices, startServices } from '../test/support/services/start.ts';
import type { Product } from './load.ts';
import { crossfade, type Ran, startNode } from './processes.ts';
import { say } from './report.ts';

export const slug = 'products';
const bucket = 'crossfade';
const seeded = 3000;

/** What was there before anyone thought of a migration; no client of the demo writes to it. */
export const oldProducts: ReadonlyMap<string, Product> = new Map(
  Array.from({ length: seeded }, (_, i) => [
    `seed-${i}`,
    { name: `old steel lamp ${i}`, category: 'tools', price: i + 0.5, stock: i },
  ]),
);

export type Status = {
  phase: string;
  epoch: number;
  reign: number;
  percent: { read: number; shadow: number; write: number };
  members: unknown[];
  copies: { pending: number; dropped: number; quarantined: number };
  shadow: { compared: number; mismatched: number; skipped: number };
  verdict: { verdict: string; reason: string } | null;
  backfill: { state: string; docs: number } | null;
  safeToAdvance: { ok: boolean; reasons: string[] };
  safeToRollBack: { ok: boolean; reasons: string[] };
  lastCutover: { result: string; pauseMs?: number; path?: string; reason?: string } | null;
};
export type World = {
  services: RunningServices;
  gateways: string[];
  admins: string[];
  sidecars: string[];
  logDir: string;
  cli(...args: string[]): Promise<Ran>;
  status(): Promise<Status>;
  /** The bytes that `nats kv put crossfade KEY VALUE` sends. */
  kvPut(key: string, value: string): Promise<void>;
  /** Sum of a metric over both sidecars, for the label values given. */
  metric(name: string, labels?: Record<string, string>): Promise<number>;
  close(): Promise<void>;
};

const call = async (url: string, method: string, body?: unknown): Promise<unknown> => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'application/x-ndjson' : 'application/json';
  const answer = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: text, headers: { 'content-type': type } }),
  });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};
export const ask = call;

const mappings = {
  properties: {
    name: { type: 'text' },
    category: { type: 'keyword' },
    price: { type: 'double' },
    stock: { type: 'integer' },
  },
};

/** The application's index as it was before anyone thought of a migration. */
const seed = async (source: string): Promise<void> => {
  await fetch(`${source}/products_v1`, { method: 'DELETE' });
  await call(`${source}/products_v1`, 'PUT', {
    settings: { number_of_shards: 1, number_of_replicas: 0 },
    mappings,
    aliases: { products: {} },
  });
  const lines = [...oldProducts].flatMap(([id, product]) => [
    JSON.stringify({ index: { _id: id } }),
    JSON.stringify(product),
  ]);
  await call(`${source}/products_v1/_bulk?refresh=true`, 'POST', `${lines.join('\n')}\n`);
};

const route = {
  route: slug,
  indices: [{ source: 'products_v1', target: 'products_v2' }],
  aliases: ['products'],
  createTarget: true,
  targetSettings: { codec: 'best_compression', number_of_replicas: 0 },
  reads: { missingKey: 'random', key: ['preference'] },
};

const startPair = async (name: string, services: RunningServices, logDir: string) => {
  const ports = { proxy: await freePort(), admin: await freePort(), gateway: await freePort() };
  const sidecar = `http://127.0.0.1:${ports.proxy}`;
  const admin = `http://127.0.0.1:${ports.admin}`;
  const gateway = `http://127.0.0.1:${ports.gateway}`;
  await startNode({
    name: `sidecar-${name}`,
    args: ['src/main.ts', 'agent'],
    env: {
      CROSSFADE_LISTEN: `127.0.0.1:${ports.proxy}`,
      CROSSFADE_ADMIN_LISTEN: `127.0.0.1:${ports.admin}`,
      CROSSFADE_MEMBER: `gateway-${name}`,
      CROSSFADE_CLUSTERS_SOURCE_URL: services.sourceUrl,
      CROSSFADE_CLUSTERS_TARGET_URL: services.targetUrl,
      CROSSFADE_NATS_SERVERS: services.natsUrl,
      CROSSFADE_STATE_DIR: mkdtempSync(join(logDir, `state-${name}-`)),
      CROSSFADE_SHUTDOWN_QUIET_MS: '0',
    },
    logDir,
    readyUrl: `${admin}/readyz`,
  });
  const env = { OPENSEARCH_URL: sidecar, PORT: String(ports.gateway) };
  await startNode({ name: `gateway-${name}`, args: ['demo/gateway.ts'], env, logDir, readyUrl: `${gateway}/nothing` });
  return { sidecar, admin, gateway };
};

const sumOf = (text: string, name: string, labels: Record<string, string>): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

export const buildWorld = async (): Promise<World> => {
  const logDir = mkdtempSync(join(tmpdir(), 'crossfade-demo-'));
  const services = await startServices({ onProgress: (message) => say(`   ${message}`) });
  await fetch(`${services.targetUrl}/products_v2`, { method: 'DELETE' });
  await seed(services.sourceUrl);
  const routeFile = join(logDir, 'route.json');
  writeFileSync(routeFile, JSON.stringify(route));
  const pairs = [await startPair('0', services, logDir), await startPair('1', services, logDir)];
  const nats = await connect({ servers: [services.natsUrl] });
  const js = jetstream(nats);
  const cliEnv = { CROSSFADE_NATS_SERVERS: services.natsUrl, NO_COLOR: '1' };
  const cli = (...args: string[]): Promise<Ran> =>
    crossfade(
      args.map((arg) => (arg === 'ROUTE_FILE' ? routeFile : arg)),
      cliEnv,
    );
  return {
    services,
    gateways: pairs.map(({ gateway }) => gateway),
    admins: pairs.map(({ admin }) => admin),
    sidecars: pairs.map(({ sidecar }) => sidecar),
    logDir,
    cli,
    status: async () => JSON.parse((await cli('status', slug, '--json')).stdout) as Status,
    kvPut: async (key, value) => {
      await js.publish(`$KV.${bucket}.${key}`, value);
    },
    metric: async (name, labels = {}) => {
      const texts = await Promise.all(pairs.map(async ({ admin }) => (await fetch(`${admin}/metrics`)).text()));
      return texts.reduce((sum, text) => sum + sumOf(text, name, labels), 0);
    },
    close: async () => {
      await nats.close();
      await services.stop();
    },
  };
};
