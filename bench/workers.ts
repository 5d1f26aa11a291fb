/**
 * Do more workers copy more, or is the work queue the limit? A target that takes its time and no CPU answers every bulk, so
 * that one worker waits most of the time: on a queue that is not the limit, two workers copy twice as much. The source, its
 * chunks and the queue (JetStream) are real. Prints documents per second by number of workers, and the ratio to one.
 * `node bench/workers.ts SOURCE_URL NATS_URL [--documents 200000] [--targetMs 250]`
 */
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { beginBackfill, backfillName } from '../src/agent/backfill.ts';
import { runWorker } from '../src/agent/chunk-worker.ts';
import { directionOf } from '../src/agent/direction.ts';
import { systemRuntime } from '../src/agent/runtime.ts';
import { createTransforms } from '../src/agent/transform.ts';
import { NatsConfig } from '../src/config.ts';
import { keys } from '../src/coordination/keys.ts';
import { openNatsStore } from '../src/coordination/nats-store.ts';
import { silentLogger } from '../src/log.ts';
import type { Transport, UpstreamRequest } from '../src/upstream/types.ts';
import { dropStreams } from '../test/integration/coordination/nats-admin.ts';
import { keepReport, machine, table } from './lib/report.ts';
import { benchRoute, connectSides, dropIndex, fillIndex, freshIndex } from './lib/route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { documents: { type: 'string', default: '200000' }, targetMs: { type: 'string', default: '250' } },
});
const [sourceUrl, natsUrl] = positionals;
if (sourceUrl === undefined || natsUrl === undefined) throw new Error('give SOURCE_URL and NATS_URL');
const documents = Number(values.documents);
const bucket = `bench-workers-${process.pid}`;
const workerCounts = [1, 2, 4];
const newline = 0x0a;
let arrived = 0;

/** Every document of the bulk as created, after a while. */
const takeAll = async ({ body }: UpstreamRequest) => {
  await delay(Number(values.targetMs));
  const lines = (body as Buffer).reduce((count, byte) => count + (byte === newline ? 1 : 0), 0);
  arrived += lines / 2;
  const items = Array.from({ length: lines / 2 }, () => '{"index":{"status":201}}').join(',');
  return { status: 200, headers: {}, body: Buffer.from(`{"errors":false,"items":[${items}]}`) };
};
const slowTarget = (real: Transport): Transport => ({
  request: (request) => (request.path.includes('/_bulk') ? takeAll(request) : real.request(request)),
});

const clusters = connectSides([sourceUrl, sourceUrl], (side, transport) =>
  side === 'target' ? slowTarget(transport) : transport,
);
const state = benchRoute({ concurrency: 1, maxPageDocs: 1000, chunkDocs: 5000 });
const io = { clusters, runtime: systemRuntime, direction: directionOf(state) };
const store = openNatsStore({
  config: NatsConfig.parse({ servers: [natsUrl], bucket }),
  member: 'bench',
  logger: silentLogger(),
});

/** Documents per second of so many workers. */
const measure = async (workers: number): Promise<number> => {
  const queue = store.workQueue('bench');
  const plan = await beginBackfill({ ...io, queue, chunkDocs: state.spec.backfill.chunkDocs, at: '' });
  if (plan.kind !== 'ok') throw new Error(plan.detail);
  await store.config.put(keys.job('bench', backfillName), JSON.stringify(plan.record));
  arrived = 0;
  const stop = new AbortController();
  const began = performance.now();
  const working = Array.from({ length: workers }, (_, n) =>
    runWorker({
      ...io,
      store,
      slug: 'bench',
      worker: `worker-${n}`,
      transforms: createTransforms(),
      state: () => state,
      signal: stop.signal,
    }),
  );
  while (arrived < documents) await delay(5);
  const seconds = (performance.now() - began) / 1000;
  while (((await queue.remaining()) ?? 0) > 0) await delay(20);
  stop.abort();
  await Promise.all(working);
  return documents / seconds;
};

await store.ready(10_000);
await freshIndex(clusters, 'source', 4);
await fillIndex(clusters, 'source', { documents, bytes: 100 });
const rates: number[] = [];
for (const workers of workerCounts) rates.push(await measure(workers));
await dropIndex(clusters, 'source');
await store.close();
await dropStreams(natsUrl, bucket);
const one = rates[0] ?? Number.NaN;
const rows = workerCounts.map((workers, i) => ({
  workers: String(workers),
  'docs/s': (rates[i] ?? Number.NaN).toFixed(0),
  'beside one': ((rates[i] ?? Number.NaN) / one).toFixed(2),
}));
const ratios = Object.fromEntries(workerCounts.map((workers, i) => [`${workers} / 1`, (rates[i] ?? 0) / one]));
process.stdout.write(`${table(rows)}\n${machine()}\nkept in ${keepReport({ name: 'workers', rows, ratios })}\n`);
process.exit(0);
