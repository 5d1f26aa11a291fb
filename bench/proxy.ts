/**
 * What the sidecar costs beside its rivals, on loopback against a stub that answers at once, so that the proxy itself is
 * measured: CPU per request from the process's own CPU time, latency at 1 and 32 connections, resident memory at 1,000
 * requests a second and at full load. Rounds are interleaved, and ratios are taken within a round, because a shared machine
 * drifts. CPU is read once no copy and no sample waits any more, and each row says how many of them there were: what is put off
 * or left out would else look cheap. Each write is of a document of its own, since copies of one are sent once. `plain Node.js` is a proxy of thirty lines over the same libraries: what no proxy on node:http can go below.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '../test/support/services/child.ts';
import { type Load, type LoadResult, runLoad } from './lib/load.ts';
import { cpuSeconds, residentMb } from './lib/process-cost.ts';
import { machine, median, type Report, table } from './lib/report.ts';
import { scrape, untilDone } from './lib/scraped.ts';
import {
  type CrossfadeMode,
  needPrograms,
  startCrossfade,
  startHaproxy,
  startNginx,
  startNginxMirror,
  startPlainNode,
  startStub,
  startStubCluster,
} from './lib/servers.ts';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 3);
/** The compiler of V8 needs some ten thousand requests. */
const warmUpSeconds = 6;
const search: Load = { method: 'POST', path: '/bench/_search', body: '{"query":{"match":{"name":"lamp"}},"size":10}' };
const write: Load = {
  method: 'PUT',
  path: '/bench/_doc/',
  numbered: true,
  body: `{"name":"steel lamp","text":"${'lorem ipsum '.repeat(20)}","price":1.0}`,
};

/** The same for a reader of HTTP, and nothing that the fast path of the listener takes. */
const unusual: Load = { ...search, headers: { 'proxy-connection': 'keep-alive' } };

type Contender = { name: string; url: string; pid: number | undefined; load: Load; adminUrl?: string | undefined };
type Measure = LoadResult & { cpuMicros: number; rssMb: number };
type Results = Map<string, { one: Measure[]; many: Measure[]; steady: Measure[] }>;
type Way = keyof NonNullable<ReturnType<Results['get']>>;

const loadOf: Record<Way, { connections: number; seconds: number; pauseMs?: number }> = {
  // 50 connections that wait 50 ms each: 1,000 requests a second less what the answers take.
  steady: { connections: 50, seconds: 8, pauseMs: 50 },
  one: { connections: 1, seconds: Math.min(seconds, 2) },
  many: { connections: 32, seconds },
};

const measure = async ({ url, pid, load, adminUrl }: Contender, way: Way, dir: string): Promise<Measure> => {
  const before = pid === undefined ? 0 : cpuSeconds(pid);
  const result = await runLoad({ url, load, dir, ...loadOf[way] });
  if (adminUrl !== undefined) await untilDone(adminUrl);
  const used = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
  if (result.errors > 0) throw new Error(`${url}: ${result.errors} failed requests`);
  const rssMb = pid === undefined ? Number.NaN : residentMb(pid);
  return { ...result, cpuMicros: (1e6 * used) / result.requests, rssMb };
};

const startAll = async (dir: string): Promise<{ contenders: Contender[]; servers: Server[] }> => {
  const stub = await startStub('stub', dir);
  const other = await startStub('stub-other', dir);
  const crossfade = (name: string, mode: CrossfadeMode) =>
    startCrossfade({ name, dir, source: stub.url, target: other.url, mode });
  const numbering = await startStubCluster('stub-numbering', dir);
  const followed = await startStubCluster('stub-followed', dir);
  const started: [string, Server & { adminUrl?: string }, Load][] = [
    ['nginx', await startNginx(dir, stub.url), search],
    ['haproxy', await startHaproxy(dir, stub.url), search],
    ['nginx mirror', await startNginxMirror(dir, stub.url, other.url), search],
    ['plain Node.js', await startPlainNode(dir, stub.url), search],
    ['crossfade off', await crossfade('crossfade-off', { phase: 'off' }), search],
    ['crossfade off, past the fast path', await crossfade('crossfade-slow', { phase: 'off' }), unusual],
    ['crossfade dual, reads', await crossfade('crossfade-dual', { phase: 'dual' }), search],
    ['crossfade shadow 100 %', await crossfade('crossfade-shadow', { phase: 'dual', shadow: 100 }), search],
    [
      'crossfade dual, writes',
      await startCrossfade({
        name: 'crossfade-writes',
        dir,
        source: numbering.url,
        target: followed.url,
        mode: { phase: 'dual' },
      }),
      write,
    ],
  ];
  const contenders: Contender[] = [
    { name: 'direct', url: stub.url, pid: undefined, load: search },
    ...started.map(([name, { url, pid, adminUrl }, load]) => ({ name, url, pid, load, adminUrl })),
  ];
  return { contenders, servers: [...started.map(([, server]) => server), stub, other, numbering, followed] };
};

const measureAll = async (contenders: readonly Contender[], dir: string): Promise<Results> => {
  const results: Results = new Map(contenders.map(({ name }) => [name, { one: [], many: [], steady: [] }]));
  // Memory at a steady rate first: full load leaves a heap behind that it has grown.
  for (const contender of contenders) results.get(contender.name)?.steady.push(await measure(contender, 'steady', dir));
  for (const { url, load } of contenders) await runLoad({ url, load, connections: 32, seconds: warmUpSeconds, dir });
  for (let round = 0; round < rounds; round++)
    for (const contender of contenders)
      for (const way of ['one', 'many'] as const)
        results.get(contender.name)?.[way].push(await measure(contender, way, dir));
  return results;
};

const shown = (value: number, digits: number): string => (Number.isNaN(value) ? '' : value.toFixed(digits));

/** Over the whole run, of what it was to do besides passing requests on. */
const besidesOf = async ({ adminUrl }: Contender): Promise<string> => {
  if (adminUrl === undefined) return '';
  const sum = await scrape(adminUrl);
  const sampled = sum('crossfade_shadow_sampled_total');
  if (sampled > 0) return `${sum('crossfade_shadow_compared_total')} of ${sampled} compared`;
  const copies = sum('crossfade_copies_total');
  return copies === 0 ? '' : `${copies - sum('crossfade_copies_dropped_total')} of ${copies} copied`;
};

const figuresOf = (results: Results, name: string): Record<string, string> => {
  const figure = (way: Way, field: keyof Measure): number =>
    median((results.get(name)?.[way] ?? []).map((one) => one[field]));
  return {
    name,
    'cpu µs/req (c=32)': shown(figure('many', 'cpuMicros'), 1),
    'p50 ms (c=1)': shown(figure('one', 'p50Ms'), 3),
    'p99 ms (c=1)': shown(figure('one', 'p99Ms'), 3),
    'p50 ms (c=32)': shown(figure('many', 'p50Ms'), 2),
    'p99 ms (c=32)': shown(figure('many', 'p99Ms'), 2),
    'req/s (c=32)': shown(figure('many', 'perSecond'), 0),
    'steady req/s': shown(figure('steady', 'perSecond'), 0),
    'rss MB (steady)': shown(figure('steady', 'rssMb'), 0),
    'rss MB (c=32)': shown(figure('many', 'rssMb'), 0),
  };
};

const ratiosOf = (results: Results): Record<string, number> => {
  const cpu = (a: string, b: string): number =>
    median(
      (results.get(a)?.many ?? []).map(
        (one, round) => one.cpuMicros / (results.get(b)?.many[round]?.cpuMicros ?? Number.NaN),
      ),
    );
  return {
    'off / nginx, cpu (to be below 2.5)': cpu('crossfade off', 'nginx'),
    'plain Node.js / nginx, cpu (the floor)': cpu('plain Node.js', 'nginx'),
    'off / plain Node.js, cpu': cpu('crossfade off', 'plain Node.js'),
    'off / haproxy, cpu': cpu('crossfade off', 'haproxy'),
    'off / the same past the fast path, cpu': cpu('crossfade off', 'crossfade off, past the fast path'),
    'shadow 100 % / nginx mirror, cpu (to be below 1.5)': cpu('crossfade shadow 100 %', 'nginx mirror'),
  };
};

export const benchProxy = async (): Promise<Report> => {
  needPrograms(['wrk', 'nginx', 'haproxy']);
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
  const { contenders, servers } = await startAll(dir);
  const measured = async () => {
    const results = await measureAll(contenders, dir);
    return { results, besides: await Promise.all(contenders.map(besidesOf)) };
  };
  const stop = () => Promise.all(servers.map((server) => server.stop()));
  const { results, besides } = await measured().finally(stop);
  const rows = contenders.map(({ name }, i) => ({ ...figuresOf(results, name), besides: besides[i] ?? '' }));
  const ratios = ratiosOf(results);
  const lines = Object.entries(ratios).map(([name, value]) => `${name}: ${value.toFixed(2)} x`);
  process.stdout.write(`${table(rows)}\n${lines.join('\n')}\n${machine()}\n`);
  return { name: 'proxy', rows, ratios, raw: Object.fromEntries(results) };
};
