/**
 * The tail in steady state, one poll a second as the leader makes it: first with nothing to do, then with everything to
 * do, because no member copies. Prints the CPU share of this process, requests per poll, and the lag from the client's
 * acknowledgement until the poll that has brought the write to the follower has ended.
 * `node bench/tail.ts SOURCE_URL TARGET_URL [--writesPerSecond 1000] [--seconds 30]`
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { directionOf } from '../src/agent/direction.ts';
import { createQuarantine } from '../src/agent/quarantine.ts';
import { systemRuntime } from '../src/agent/runtime.ts';
import { beginTail, type TailState, tailStep } from '../src/agent/tail.ts';
import type { Acknowledged, Told } from './lib/writer.ts';
import { keepReport, percentile, table } from './lib/report.ts';
import { benchRoute, connectSides, dropIndex, freshIndex, names } from './lib/route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { writesPerSecond: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '30' } },
});
const pollMs = 1000;
const polls = Number(values.seconds);
let requests = 0;
const clusters = connectSides(positionals, (_side, transport) => ({
  request: (asked) => {
    requests++;
    return transport.request(asked);
  },
}));
const state = benchRoute();
const { pageBytes, maxPageDocs } = state.spec.backfill;
const io = {
  clusters,
  runtime: systemRuntime,
  direction: directionOf(state),
  transform: undefined,
  limits: { pageBytes, maxPageDocs },
  quarantine: createQuarantine(),
};
// One shard, so that a sequence number tells a write.
for (const side of ['source', 'target'] as const) await freshIndex(clusters, side, 1);
const begun = await beginTail('start', io);
if (begun.kind !== 'ok') throw new Error(begun.detail);
let tail: TailState = begun.state;

type Measured = { cpuShare: number; requestsPerPoll: number; docs: number };

/** `onPoll` is told how far the follower is after each poll. */
const measure = async (onPoll: (cursor: number) => void): Promise<Measured> => {
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  requests = 0;
  let docs = 0;
  for (let poll = 1; poll <= polls; poll++) {
    const result = await tailStep(tail, io);
    if (result.kind !== 'ok') throw new Error(result.detail);
    tail = result.state;
    docs += result.docs;
    onPoll(tail.indices[0]?.cursors[0] ?? -1);
    await delay(Math.max(0, began + poll * pollMs - performance.now()));
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    cpuShare: (user + system) / 1000 / (performance.now() - began),
    requestsPerPoll: requests / polls,
    docs,
  };
};

const idle = await measure(() => undefined);
const writer = fork(join(import.meta.dirname, 'lib', 'writer.ts'), [
  positionals[0] as string,
  names.source,
  values.writesPerSecond,
]);
let waiting: Acknowledged[] = [];
let failed = 0;
const lags: number[] = [];
writer.on('message', (message) => {
  const told = message as Told;
  waiting.push(...told.acknowledged);
  failed = told.failed;
});
const reached: { cursor: number; atMs: number }[] = [];
const busy = await measure((cursor) => reached.push({ cursor, atMs: performance.timeOrigin + performance.now() }));
writer.kill();
// Acknowledgements come in batches, so they are matched with the polls afterwards.
for (const { seq, atMs } of waiting) {
  const poll = reached.find(({ cursor }) => cursor >= seq);
  if (poll !== undefined) lags.push(Math.max(0, poll.atMs - atMs));
}
waiting = [];
for (const side of ['source', 'target'] as const) await dropIndex(clusters, side);

const rowOf = (load: string, { cpuShare, requestsPerPoll, docs }: Measured) => ({
  load,
  'CPU %': (100 * cpuShare).toFixed(2),
  'requests/poll': requestsPerPoll.toFixed(1),
  'docs/s': (docs / polls).toFixed(0),
});
const rows = [
  { ...rowOf('idle', idle), 'lag p50 ms': '', 'lag p99 ms': '', failed: '' },
  {
    ...rowOf(`${values.writesPerSecond} writes/s`, busy),
    'lag p50 ms': percentile(lags, 0.5).toFixed(0),
    'lag p99 ms': percentile(lags, 0.99).toFixed(0),
    failed: String(failed),
  },
];
process.stdout.write(`${table(rows)}\nkept in ${keepReport({ name: 'tail', rows, ratios: {} })}\n`);
process.exit(0);
