/**
 * What the sidecar costs against a real cluster: search, get, single index and bulk, direct beside nginx, off, dual and
 * shadow 100 %, on the same two clusters in one run, first on cores that all of them share, then nginx and `off` again with
 * the clusters on a core of their own: with few connections, whose number and the way there and back decide what passes, and
 * with so many that the cluster's core is busy. Rounds are interleaved; ratios are taken within a round.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { copyAlias, epochAlias } from '../src/coordination/keys.ts';
import { startServices } from '../test/support/services/start.ts';
import { type Load, type LoadResult, runLoad } from './lib/load.ts';
import { pin } from './lib/process-cost.ts';
import { median, type Report, table } from './lib/report.ts';
import { needPrograms, startCrossfade, startNginx } from './lib/servers.ts';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 4);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4);
const documents = 2000;
const few = 8;
const many = 32;
const apart = (connections: number): string => `, clusters apart, ${connections} connections`;

const document = (i: number): string =>
  JSON.stringify({ name: `steel lamp ${i}`, text: 'lorem ipsum dolor '.repeat(8), price: i + 0.5 });
const lines = (ids: readonly number[]): string =>
  ids.map((i) => `{"index":{"_index":"bench","_id":"${i}"}}\n${document(i)}\n`).join('');
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

const loads: Record<string, Load> = {
  search: { method: 'POST', path: '/bench/_search', body: '{"query":{"match":{"name":"lamp"}},"size":10}' },
  get: { method: 'GET', path: '/bench/_doc/7' },
  index: { method: 'PUT', path: '/bench/_doc/7', body: document(7) },
  'bulk of 100': { method: 'POST', path: '/_bulk', body: lines(range(100)) },
};

const call = async (url: string, method: 'PUT' | 'POST' | 'DELETE', body?: string): Promise<void> => {
  const headers = { 'content-type': 'application/json' };
  const answer = await request(url, { method, ...(body === undefined ? {} : { body, headers }) });
  await answer.body.dump();
  if (answer.statusCode >= 400 && method !== 'DELETE') throw new Error(`${method} ${url}: ${answer.statusCode}`);
};

/** The index as it is in `dual` with a complete backfill: the same documents, and the aliases of epoch 1. */
const seed = async (url: string, index: string, aliases: readonly string[]): Promise<void> => {
  await call(`${url}/${index}`, 'DELETE');
  const settings = { settings: { number_of_shards: 1, number_of_replicas: 0 } };
  const named = Object.fromEntries(aliases.map((alias) => [alias, { is_write_index: true }]));
  await call(`${url}/${index}`, 'PUT', JSON.stringify({ ...settings, aliases: named }));
  await call(`${url}/_bulk?refresh=true`, 'POST', lines(range(documents)).replaceAll('"bench"', `"${index}"`));
};

type Results = Record<string, Record<string, LoadResult[]>>;
type Urls = Readonly<Record<string, string>>;

/** `core`: where the load comes from; default: wherever there is room. */
type Measuring = { dir: string; core?: number; connections: number };
const measure = async (urls: Urls, { dir, core, connections }: Measuring): Promise<Results> => {
  const results: Results = {};
  for (let round = 0; round <= rounds; round++)
    for (const [kind, load] of Object.entries(loads))
      // In turns forward and back: a cluster gets warmer, and whoever always came first would look slow.
      for (const [name, url] of round % 2 === 0 ? Object.entries(urls) : Object.entries(urls).toReversed()) {
        const result = await runLoad({
          url,
          load,
          connections,
          seconds,
          dir,
          ...(core === undefined ? {} : { core }),
        });
        if (result.errors > 0) throw new Error(`${name}, ${kind}: ${result.errors} failed requests`);
        // The first round warms up.
        if (round > 0) ((results[kind] ??= {})[name] ??= []).push(result);
      }
  return results;
};

/**
 * As where a sidecar runs: clusters have their own machine, and a request costs them no CPU that the sidecar takes.
 * The clusters share the first core, the proxy and the load the second.
 */
const measureApart = async (
  urls: Urls,
  { dir, pids }: { dir: string; pids: { clusters: number[]; proxies: number[] } },
): Promise<Results[]> => {
  for (const pid of pids.clusters) await pin(pid, 0);
  for (const pid of pids.proxies) await pin(pid, 1);
  const results: Results[] = [];
  for (const connections of [few, many]) {
    const named = Object.entries(urls).map(([name, url]) => [`${name}${apart(connections)}`, url]);
    results.push(await measure(Object.fromEntries(named), { dir, core: 1, connections }));
  }
  return results;
};

const processOf = async (url: string): Promise<number> => {
  const answer = await request(`${url}/_nodes/_local/process?filter_path=nodes.*.process.id`);
  const { nodes } = (await answer.body.json()) as { nodes: Record<string, { process: { id: number } }> };
  return Object.values(nodes)[0]?.process.id ?? Number.NaN;
};

const started = async (dir: string, source: string, target: string) => {
  await seed(source, 'bench_v1', ['bench', epochAlias('bench', 1, 0)]);
  await seed(target, 'bench_v2', [copyAlias('bench', 1, 0)]);
  const crossfade = (name: string, mode: Parameters<typeof startCrossfade>[0]['mode']) =>
    startCrossfade({ name, dir, source, target, mode });
  return {
    nginx: await startNginx(dir, source),
    off: await crossfade('off', { phase: 'off' }),
    dual: await crossfade('dual', { phase: 'dual' }),
    shadow: await crossfade('shadow', { phase: 'dual', shadow: 100 }),
  };
};

const report = (results: Results): Report => {
  const of = (kind: string, name: string): LoadResult[] => results[kind]?.[name] ?? [];
  const throughput = (kind: string, name: string): number => {
    const direct = of(kind, name.replace(/^[^,]*/, 'direct'));
    return median(of(kind, name).map((one, round) => one.perSecond / (direct[round]?.perSecond ?? Number.NaN)));
  };
  const each = Object.entries(results).flatMap(([kind, ways]) =>
    Object.keys(ways).map((name) => [kind, name] as const),
  );
  const rows = each.map(([kind, name]) => ({
    load: kind,
    through: name,
    'req/s': median(of(kind, name).map((one) => one.perSecond)).toFixed(0),
    'p50 ms': median(of(kind, name).map((one) => one.p50Ms)).toFixed(2),
    'p99 ms': median(of(kind, name).map((one) => one.p99Ms)).toFixed(2),
    'throughput / direct': throughput(kind, name).toFixed(2),
  }));
  const ratios = Object.fromEntries(each.map(([kind, name]) => [`${kind}, ${name} / direct`, throughput(kind, name)]));
  process.stdout.write(`${table(rows)}\n`);
  return { name: 'cluster', rows, ratios, raw: results };
};

export const benchCluster = async (): Promise<Report> => {
  needPrograms(['wrk', 'taskset', 'nginx']);
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
  const services = await startServices({ onProgress: (message) => process.stdout.write(`${message}\n`) });
  const { sourceUrl: source, targetUrl: target } = services;
  const servers = await started(dir, source, target);
  const { nginx, off, dual, shadow } = servers;
  try {
    const passing = { direct: source, nginx: nginx.url, off: off.url };
    const urls = { ...passing, dual: dual.url, 'shadow 100 %': shadow.url };
    const shared = await measure(urls, { dir, connections: few });
    const pids = { clusters: await Promise.all([source, target].map(processOf)), proxies: [nginx.pid, off.pid] };
    const all = [shared, ...(await measureApart(passing, { dir, pids }))];
    const ofKind = (kind: string) => Object.assign({}, ...all.map((results) => results[kind])) as Results[string];
    return report(Object.fromEntries(Object.keys(loads).map((kind) => [kind, ofKind(kind)])));
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
    await Promise.all([call(`${source}/bench_v1`, 'DELETE'), call(`${target}/bench_v2`, 'DELETE')]);
    await services.stop();
  }
};
