/**
 * A sweep over a follower that holds a few documents too many: how long it takes, and whether it removes just those.
 * `node bench/sweep.ts SOURCE_URL TARGET_URL [--documents 1000000] [--extra 1000] [--bytes 400] [--shards 1]`
 */
import { parseArgs } from 'node:util';
import { directionOf } from '../src/agent/direction.ts';
import { systemRuntime } from '../src/agent/runtime.ts';
import { beginSweep, sweepStep } from '../src/agent/sweep.ts';
import { keepReport, table } from './lib/report.ts';
import { benchRoute, connectSides, dropIndex, fillIndex, freshIndex, names } from './lib/route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    documents: { type: 'string', default: '1000000' },
    extra: { type: 'string', default: '1000' },
    bytes: { type: 'string', default: '400' },
    shards: { type: 'string', default: '1' },
  },
});
const [documents, extra, bytes, shards] = [values.documents, values.extra, values.bytes, values.shards].map(Number) as [
  number,
  number,
  number,
  number,
];
const clusters = connectSides(positionals);
const state = benchRoute();
const { pageBytes, maxPageDocs } = state.spec.backfill;
const io = { clusters, runtime: systemRuntime, direction: directionOf(state), limits: { pageBytes, maxPageDocs } };

process.stdout.write(`filling both sides with ${documents} documents\n`);
for (const side of ['source', 'target'] as const) await freshIndex(clusters, side, shards);
await fillIndex(clusters, 'source', { documents, bytes });
await fillIndex(clusters, 'target', { documents: documents + extra, bytes });

const cpuBefore = process.cpuUsage();
const began = performance.now();
const begun = await beginSweep(io);
if (begun.kind !== 'ok') throw new Error(begun.detail);
let step = await sweepStep(begun.state, io);
while (step.kind === 'more') step = await sweepStep(step.state, io);
if (step.kind !== 'done') throw new Error(`the sweep ended: ${step.kind}`);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);

await clusters.target.refresh(names.target);
const left = await clusters.target.count(names.target);
if (left !== documents || step.state.removed !== extra)
  throw new Error(`${step.state.removed} of ${extra} removed, ${left} of ${documents} are left`);
for (const side of ['source', 'target'] as const) await dropIndex(clusters, side);
const row = {
  documents: String(documents),
  removed: String(step.state.removed),
  seconds: seconds.toFixed(1),
  'docs/s': (step.state.scanned / seconds).toFixed(0),
  'CPU µs/doc': ((user + system) / step.state.scanned).toFixed(1),
  'rss MB': (process.memoryUsage().rss / 1024 / 1024).toFixed(0),
};
process.stdout.write(`${table([row])}\nkept in ${keepReport({ name: 'sweep', rows: [row], ratios: {} })}\n`);
process.exit(0);
