/**
 * Backfill beside `_reindex` from remote, in turns on the same two clusters: the same documents, the same settings, a
 * fresh target index each time. Prints documents per second and the ratio of the medians.
 * `node bench/backfill.ts SOURCE_URL TARGET_URL [--documents 300000] [--bytes 400] [--shards 1] [--runs 3]
 *  [--reindexSize 5000] [--concurrency 2] [--pageBytes 4194304]`
 * The target must list the source in `reindex.remote.allowlist`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { backfillName, beginBackfill } from '../src/agent/backfill.ts';
import { runWorker } from '../src/agent/chunk-worker.ts';
import { directionOf } from '../src/agent/direction.ts';
import { systemRuntime } from '../src/agent/runtime.ts';
import { createTransforms } from '../src/agent/transform.ts';
import { openFileStore } from '../src/coordination/file-store.ts';
import { keys } from '../src/coordination/keys.ts';
import { keepReport, median, table } from './lib/report.ts';
import { benchRoute, connectSides, dropIndex, fillIndex, freshIndex, names } from './lib/route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    documents: { type: 'string', default: '300000' },
    bytes: { type: 'string', default: '400' },
    shards: { type: 'string', default: '1' },
    runs: { type: 'string', default: '3' },
    reindexSize: { type: 'string', default: '5000' },
    concurrency: { type: 'string', default: '2' },
    pageBytes: { type: 'string', default: String(4 * 1024 * 1024) },
  },
});
const [sourceUrl] = positionals;
const documents = Number(values.documents);
const shards = Number(values.shards);
const clusters = connectSides(positionals);
const state = benchRoute({ concurrency: Number(values.concurrency), pageBytes: Number(values.pageBytes) });

const checked = async (run: () => Promise<void>): Promise<number> => {
  await freshIndex(clusters, 'target', shards);
  const began = performance.now();
  await run();
  const seconds = (performance.now() - began) / 1000;
  await clusters.target.refresh(names.target);
  const copied = await clusters.target.count(names.target);
  if (copied !== documents) throw new Error(`${copied} of ${documents} documents arrived`);
  return documents / seconds;
};

const reindex = () =>
  checked(async () => {
    const source = { remote: { host: sourceUrl }, index: names.source, size: Number(values.reindexSize) };
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
    const worker = { slug: 'bench', worker: 'bench', transforms: createTransforms(), state: () => state };
    const working = runWorker({ ...worker, ...io, store, signal: stop.signal });
    while ((await queue.remaining()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    void working.then(() => store.close()).then(() => rmSync(dir, { recursive: true, force: true }));
  });

await freshIndex(clusters, 'source', shards);
await fillIndex(clusters, 'source', { documents, bytes: Number(values.bytes) });
const rates: Record<'backfill' | 'reindex', number[]> = { backfill: [], reindex: [] };
const cpu: number[] = [];
for (let run = 0; run < Number(values.runs); run++) {
  rates.reindex.push(await reindex());
  const before = process.cpuUsage();
  rates.backfill.push(await backfill());
  const { user, system } = process.cpuUsage(before);
  cpu.push((user + system) / documents);
  process.stdout.write(
    `run ${run + 1}: backfill ${rates.backfill.at(-1)?.toFixed(0)}/s, _reindex ${rates.reindex.at(-1)?.toFixed(0)}/s\n`,
  );
}
for (const side of ['source', 'target'] as const) await dropIndex(clusters, side);
const rows = Object.entries(rates).map(([name, runs]) => ({
  name,
  'docs/s (median)': median(runs).toFixed(0),
  'docs/s (each)': runs.map((rate) => rate.toFixed(0)).join(' '),
  'CPU µs/doc': name === 'backfill' ? median(cpu).toFixed(1) : '',
}));
const ratios = { 'backfill / _reindex': median(rates.backfill) / median(rates.reindex) };
process.stdout.write(`${table(rows)}\nratio ${ratios['backfill / _reindex'].toFixed(2)}\n`);
process.stdout.write(`kept in ${keepReport({ name: 'backfill', rows, ratios, raw: { values, rates, cpu } })}\n`);
process.exit(0);
