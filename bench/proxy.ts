/**
 * What the sidecar costs beside its rivals, on loopback against a stub that answers at once, so that the proxy itself is
 * measured: CPU per request from the process's own CPU time, latency at 1 and 32 connections, resident memory.
 * Rounds are interleaved, and ratios are taken within a round, because a shared machine drifts.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Server } from '../test/support/services/child.ts';
import { type Load, type LoadResult, runLoad } from './lib/load.ts';
import { cpuSeconds, residentMb } from './lib/process-cost.ts';
import { median, type Report, table } from './lib/report.ts';
import { needPrograms, startCrossfade, startHaproxy, startNginx, startNginxMirror, startStub } from './lib/servers.ts';

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3);
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4);
const search: Load = { method: 'POST', path: '/bench/_search', body: '{"query":{"match":{"name":"lamp"}},"size":10}' };
const write: Load = {
  method: 'PUT',
  path: '/bench/_doc/1',
  body: `{"name":"steel lamp","text":"${'lorem ipsum '.repeat(20)}","price":1.0}`,
};

type Contender = { name: string; url: string; pid?: number; load: Load };
type Measure = LoadResult & { cpuMicros: number; rssMb: number };

const measure = async ({ url, pid, load }: Contender, connections: number, dir: string): Promise<Measure> => {
  const before = pid === undefined ? 0 : cpuSeconds(pid);
  const result = await runLoad({ url, load, connections, seconds, dir });
  const used = pid === undefined ? Number.NaN : cpuSeconds(pid) - before;
  if (result.errors > 0) throw new Error(`${url}: ${result.errors} failed requests`);
  return {
    ...result,
    cpuMicros: (1e6 * used) / result.requests,
    rssMb: pid === undefined ? Number.NaN : residentMb(pid),
  };
};

export const benchProxy = async (): Promise<Report> => {
  needPrograms(['wrk', 'nginx', 'haproxy']);
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
  const stub = await startStub('stub', dir);
  const other = await startStub('stub-other', dir);
  const crossfade = (name: string, mode: Parameters<typeof startCrossfade>[0]['mode']) =>
    startCrossfade({ name, dir, source: stub.url, target: other.url, mode });
  const started: [string, Server, Load][] = [
    ['nginx', await startNginx(dir, stub.url), search],
    ['haproxy', await startHaproxy(dir, stub.url), search],
    ['nginx mirror', await startNginxMirror(dir, stub.url, other.url), search],
    ['crossfade off', await crossfade('crossfade-off', { phase: 'off' }), search],
    ['crossfade dual, reads', await crossfade('crossfade-dual', { phase: 'dual' }), search],
    ['crossfade shadow 100 %', await crossfade('crossfade-shadow', { phase: 'dual', shadow: 100 }), search],
    ['crossfade dual, writes', await crossfade('crossfade-writes', { phase: 'dual' }), write],
  ];
  const contenders: Contender[] = [
    { name: 'direct', url: stub.url, load: search },
    ...started.map(([name, { url, pid }, load]) => ({ name, url, pid, load })),
  ];
  const results = new Map<string, { one: Measure[]; many: Measure[] }>(
    contenders.map(({ name }) => [name, { one: [], many: [] }]),
  );
  try {
    for (const contender of contenders)
      await runLoad({ url: contender.url, load: contender.load, connections: 32, seconds: 2, dir });
    for (let round = 0; round < rounds; round++)
      for (const contender of contenders) {
        results.get(contender.name)?.one.push(await measure(contender, 1, dir));
        results.get(contender.name)?.many.push(await measure(contender, 32, dir));
      }
  } finally {
    await Promise.all([stub, other, ...started.map(([, server]) => server)].map((server) => server.stop()));
  }
  const figure = (name: string, of: 'one' | 'many', field: keyof Measure): number =>
    median((results.get(name)?.[of] ?? []).map((one) => one[field]));
  const ratio = (a: string, b: string): number =>
    median(
      (results.get(a)?.many ?? []).map(
        (one, round) => one.cpuMicros / (results.get(b)?.many[round]?.cpuMicros ?? Number.NaN),
      ),
    );
  const rows = contenders.map(({ name }) => ({
    name,
    'cpu µs/req (c=32)': figure(name, 'many', 'cpuMicros').toFixed(1),
    'p50 ms (c=1)': figure(name, 'one', 'p50Ms').toFixed(3),
    'p99 ms (c=1)': figure(name, 'one', 'p99Ms').toFixed(3),
    'p50 ms (c=32)': figure(name, 'many', 'p50Ms').toFixed(2),
    'p99 ms (c=32)': figure(name, 'many', 'p99Ms').toFixed(2),
    'req/s (c=32)': figure(name, 'many', 'perSecond').toFixed(0),
    'rss MB': figure(name, 'many', 'rssMb').toFixed(0),
  }));
  const ratios = {
    'off / nginx, cpu': ratio('crossfade off', 'nginx'),
    'off / haproxy, cpu': ratio('crossfade off', 'haproxy'),
    'shadow 100 % / nginx mirror, cpu': ratio('crossfade shadow 100 %', 'nginx mirror'),
  };
  process.stdout.write(
    `${table(rows)}\n${Object.entries(ratios)
      .map(([name, value]) => `${name}: ${value.toFixed(2)} x`)
      .join('\n')}\n`,
  );
  return { name: 'proxy', rows, ratios, raw: Object.fromEntries(results) };
};
