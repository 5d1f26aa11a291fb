/**
 * What a scrape of /metrics costs: CPU time and size of the text for the traffic that is usual, and for every combination
 * of labels that the table of metrics allows; then, against a running sidecar under load, how long a scraper waits.
 * `node bench/scrape.ts [--check]`: with --check, exit 1 when a scrape of a usual process takes more than 10 ms of CPU.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Counter, type Gauge, Registry } from 'prom-client';
import { TalliedHistogram } from '../src/metric-tally.ts';
import {
  collectProcessMetrics,
  createMetrics,
  type Declaration,
  metricTable,
  perRoute,
  unrouted,
} from '../src/metrics.ts';
import { median, type Report, table } from './lib/report.ts';
import { needPrograms, startCrossfade, startStub } from './lib/servers.ts';

const budgetMs = 10;
const declared = Object.entries(metricTable as Record<string, Declaration>);

/** Of each closed set only the first `most` values. */
const combinations = ({ labels }: Declaration, routes: readonly string[], most: number): Record<string, string>[] =>
  Object.entries(labels).reduce<Record<string, string>[]>(
    (rows, [label, values]) => {
      const set = values === perRoute ? routes : values.length === 0 ? ['one'] : values.slice(0, most);
      return rows.flatMap((row) => set.map((value) => ({ ...row, [label]: value })));
    },
    [{}],
  );

const filled = (routes: readonly string[], most: number): Registry => {
  const registry = new Registry();
  collectProcessMetrics(registry);
  const metrics = createMetrics(registry) as Record<string, Counter | Gauge | TalliedHistogram>;
  for (const [key, declaration] of declared)
    for (const labels of combinations(declaration, routes, most)) {
      const metric = metrics[key];
      if (metric instanceof TalliedHistogram) metric.observe(labels, 0.004);
      else if (metric instanceof Counter) metric.inc(labels, 12_345);
      else metric?.set(labels, 12_345);
    }
  return registry;
};

const routes = (count: number): string[] => [unrouted, ...Array.from({ length: count }, (_, i) => `route-${i}`)];
const cases = [
  { name: '1 route, usual traffic', routes: 1, most: 4 },
  { name: '20 routes, usual traffic', routes: 20, most: 4 },
  { name: '1 route, every label value', routes: 1, most: Number.POSITIVE_INFINITY },
] as const;

const cpuMs = async (work: () => Promise<unknown>, rounds: number): Promise<number> => {
  const times: number[] = [];
  for (let i = 0; i < rounds + 3; i++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    if (i >= 3) times.push((user + system) / 1000);
  }
  return median(times);
};

const measure = async (one: (typeof cases)[number]): Promise<Record<string, string>> => {
  const registry = filled(routes(one.routes), one.most);
  const text = await registry.metrics();
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  const ms = await cpuMs(() => registry.metrics(), 30);
  return { metrics: one.name, series: String(series), bytes: String(text.length), 'CPU ms': ms.toFixed(2) };
};

/** Requests of the application run all the time, 16 at once, while every 100 ms somebody scrapes. */
const underLoad = async (seconds: number): Promise<Record<string, string>> => {
  const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
  const stub = await startStub('stub', dir);
  const mode = { phase: 'dual' } as const;
  const sidecar = await startCrossfade({ name: 'sidecar', dir, source: stub.url, target: stub.url, mode });
  let running = true;
  let requests = 0;
  const client = async (): Promise<void> => {
    while (running) {
      await (await fetch(`${sidecar.url}/bench/_search`)).arrayBuffer();
      requests += 1;
    }
  };
  const clients = Array.from({ length: 16 }, () => client());
  const times: number[] = [];
  for (let i = 0; i < seconds * 10; i++) {
    await delay(100);
    const began = performance.now();
    await (await fetch(`${sidecar.adminUrl}/metrics`)).arrayBuffer();
    times.push(performance.now() - began);
  }
  running = false;
  await Promise.all(clients);
  await Promise.all([sidecar.stop(), stub.stop()]);
  rmSync(dir, { recursive: true, force: true });
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => `${(sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(1)} ms`;
  return { 'requests/s': String(Math.round(requests / seconds)), 'scrape p50': at(0.5), p95: at(0.95), max: at(1) };
};

/** Ratios are CPU time over the budget: below 1 is within it. */
export const benchScrape = async (): Promise<Report> => {
  const rows: Record<string, string>[] = [];
  for (const one of cases) rows.push(await measure(one));
  process.stdout.write(`${table(rows)}\n\n`);
  needPrograms(['nginx']);
  const load = await underLoad(10);
  process.stdout.write(`${table([load])}\n`);
  const ratios = Object.fromEntries(rows.map((row) => [row['metrics'] ?? '', Number(row['CPU ms']) / budgetMs]));
  return { name: 'scrape', rows: [...rows, load], ratios };
};

if (import.meta.main) {
  const { ratios } = await benchScrape();
  if (process.argv.includes('--check') && (ratios[cases[0].name] ?? 0) > 1) process.exitCode = 1;
}
