/**
 * Backfill beside `_reindex` from remote, in turns on the same two clusters: the same documents, the same settings, a
 * fresh target index each time. Prints documents per second, the ratio of the medians, and the memory of this process; with
 * live writes to the source also their 99th percentile, without and beside either. `_reindex` runs with each page size
 * given, and the ratio is against the best of them.
 * `node bench/backfill.ts SOURCE_URL TARGET_URL [--documents 300000] [--bytes 400] [--shards 1] [--runs 3]
 *  [--liveWrites 0] [--reindexSize 1000,5000,10000] [--concurrency 2] [--pageBytes 4194304]`
 * The target must list the source in `reindex.remote.allowlist`.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { backfillName, beginBackfill } from '../src/agent/backfill.ts';
import { runWorker } from '../src/agent/chunk-worker.ts';
import { LiveWatch } from '../src/agent/live-watch.ts';
import { liveTraffic } from '../src/agent/pacer.ts';
import { directionOf } from '../src/agent/direction.ts';
import { systemRuntime } from '../src/agent/runtime.ts';
import { createTransforms } from '../src/agent/transform.ts';
import { openFileStore } from '../src/coordination/file-store.ts';
import { keys } from '../src/coordination/keys.ts';
import { keepReport, machine, median, percentile, table } from './lib/report.ts';
import type { Told } from './lib/writer.ts';
import { benchRoute, connectSides, dropIndex, fillIndex, freshIndex, names } from './lib/route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    documents: { type: 'string', default: '300000' },
    bytes: { type: 'string', default: '400' },
    shards: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    liveWrites: { type: 'string', default: '0' },
    reindexSize: { type: 'string', default: '1000,5000,10000' },
    concurrency: { type: 'string', default: '2' },
    pageBytes: { type: 'string', default: String(4 * 1024 * 1024) },
  },
});
const [sourceUrl] = positionals;
const documents = Number(values.documents);
const shards = Number(values.shards);
const liveWrites = Number(values.liveWrites);
const clusters = connectSides(positionals);
const state = benchRoute({ concurrency: Number(values.concurrency), pageBytes: Number(values.pageBytes) });

const settleMs = 5_000;
/** Clients that write to the source meanwhile. */
const watch = new LiveWatch();
let tookMs: number[] = [];
/** What another load does to clients is no measure of how they are without the backfill. */
let heard = true;
const startClients = (): { stop(): void } => {
  if (liveWrites === 0) return { stop: () => undefined };
  const writer = fork(join(import.meta.dirname, 'lib', 'writer.ts'), [
    String(sourceUrl),
    names.source,
    String(liveWrites),
  ]);
  writer.on('message', (message) => {
    for (const one of (message as Told).acknowledged) {
      tookMs.push(one.tookMs);
      if (heard) watch.answered(one.tookMs, performance.now());
    }
  });
  return { stop: () => void writer.kill() };
};
const live = liveTraffic(watch, systemRuntime.now);

/** 99th percentile of the clients' writes while `work` runs. */
const beside = async <T>(work: () => Promise<T>): Promise<{ result: T; p99Ms: number }> => {
  tookMs = [];
  const result = await work();
  return { result, p99Ms: percentile(tookMs, 0.99) };
};

const checked = async (run: () => Promise<void>): Promise<number> => {
  await freshIndex(clusters, 'target', shards);
  const began = performance.now();
  await run();
  const seconds = (performance.now() - began) / 1000;
  await clusters.target.refresh(names.target);
  const copied = await clusters.target.count(names.target);
  if (copied < documents || (copied > documents && liveWrites === 0))
    throw new Error(`${copied} of ${documents} documents arrived`);
  return documents / seconds;
};

const reindex = (size: number) =>
  checked(async () => {
    const source = { remote: { host: sourceUrl }, index: names.source, size };
    const body = { source, dest: { index: names.target } };
    const answer = await clusters.target.json('POST', '/_reindex?refresh=false', body, { timeoutMs: 3_600_000 });
    if (answer.status !== 200) throw new Error(`_reindex: ${JSON.stringify(answer.body)}`);
  });

const backfill = () =>
  checked(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
    const store = await openFileStore({ file: join(dir, 'state.json') });
    const stop = new AbortController();
    const queue = store.workQueue('bench');
    const io = { clusters, runtime: systemRuntime, direction: directionOf(state) };
    const plan = await beginBackfill({ ...io, queue, chunkDocs: state.spec.backfill.chunkDocs, at: '' });
    if (plan.kind !== 'ok') throw new Error(plan.detail);
    await store.config.put(keys.job('bench', backfillName), JSON.stringify(plan.record));
    const worker = { slug: 'bench', worker: 'bench', transforms: createTransforms(), live, state: () => state };
    const working = runWorker({ ...worker, ...io, store, signal: stop.signal });
    while (((await queue.remaining()) ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    void working.then(() => store.close()).then(() => rmSync(dir, { recursive: true, force: true }));
  });

await freshIndex(clusters, 'source', shards);
await fillIndex(clusters, 'source', { documents, bytes: Number(values.bytes) });
const clients = startClients();
const aloneP99Ms = liveWrites === 0 ? Number.NaN : (await beside(() => delay(20_000))).p99Ms;
const sizes = values.reindexSize.split(',').map(Number);
const rivals = sizes.map((size) => `_reindex ${size}`);
const rates = new Map<string, number[]>();
const p99s = new Map<string, number[]>();
const note = (kept: Map<string, number[]>, name: string, value: number) =>
  kept.set(name, [...(kept.get(name) ?? []), value]);
const run = async (name: string, work: () => Promise<number>): Promise<string> => {
  heard = name === 'backfill';
  const { result, p99Ms } = await beside(work);
  // Clients are served as before only after what was begun beside them has ended, merges too.
  if (liveWrites > 0) await delay(settleMs);
  note(rates, name, result);
  note(p99s, name, p99Ms);
  return `${name} ${result.toFixed(0)}/s${liveWrites === 0 ? '' : ` (clients' p99 ${p99Ms.toFixed(1)} ms)`}`;
};
const cpu: number[] = [];
const rssMb: number[] = [];
for (let n = 1; n <= Number(values.runs); n++) {
  const told: string[] = [];
  for (const [at, size] of sizes.entries()) told.push(await run(rivals[at] as string, () => reindex(size)));
  const before = process.cpuUsage();
  told.push(await run('backfill', backfill));
  process.stdout.write(`run ${n}: ${told.join(', ')}\n`);
  const { user, system } = process.cpuUsage(before);
  cpu.push((user + system) / documents);
  rssMb.push(process.memoryUsage.rss() / 2 ** 20);
}
clients.stop();
for (const side of ['source', 'target'] as const) await dropIndex(clusters, side);
const shownMs = (ms: number): string => (Number.isNaN(ms) ? '' : ms.toFixed(1));
const rateOf = (name: string): number => median(rates.get(name) ?? []);
const rows = ['backfill', ...rivals].map((name) => ({
  name,
  'docs/s (median)': rateOf(name).toFixed(0),
  'docs/s (each)': (rates.get(name) ?? []).map((rate) => rate.toFixed(0)).join(' '),
  'CPU µs/doc': name === 'backfill' ? median(cpu).toFixed(1) : '',
  'rss MB (each)': name === 'backfill' ? rssMb.map((mb) => mb.toFixed(0)).join(' ') : '',
  "clients' p99 ms": shownMs(median(p99s.get(name) ?? [])),
  'without ms': shownMs(aloneP99Ms),
}));
const ratios = { 'backfill / _reindex': rateOf('backfill') / Math.max(...rivals.map(rateOf)) };
const kept = { rates: Object.fromEntries(rates), p99s: Object.fromEntries(p99s), cpu, rssMb, aloneP99Ms };
process.stdout.write(`${table(rows)}\nratio ${ratios['backfill / _reindex'].toFixed(2)}\n`);
process.stdout.write(
  `${machine()}\nkept in ${keepReport({ name: 'backfill', rows, ratios, raw: { values, ...kept } })}\n`,
);
process.exit(0);
