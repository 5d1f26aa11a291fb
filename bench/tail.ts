/**
 * The tail in steady state, one poll a second as the leader makes it: with nothing to do; under writes that members copy
 * directly, which it only looks after; and with everything to do, because no member copies. Prints the CPU share of this
 * process, which does nothing but the tail: writers, and the copies of members, are processes of their own. Also requests
 * per poll, and the lag from the client's acknowledgement until the poll that has passed the write on has ended.
 * `node bench/tail.ts SOURCE_URL TARGET_URL [--writesPerSecond 1000] [--seconds 30]`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createLooks } from '../src/agent/already-there.ts';
import { directionOf } from '../src/agent/direction.ts';
import { createQuarantine } from '../src/agent/quarantine.ts';
import { systemRuntime } from '../src/agent/runtime.ts';
import { beginTail, type TailState, tailStep } from '../src/agent/tail.ts';
import type { Told } from './lib/writer.ts';
import { keepReport, machine, percentile, table } from './lib/report.ts';
import { benchRoute, connectSides, dropIndex, freshIndex, names } from './lib/route.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { writesPerSecond: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '30' } },
});
const pollMs = 1000;
const polls = Number(values.seconds);
const warmUpPolls = 10;
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
  known: new Map(),
  looks: createLooks(),
};
let tail: TailState;
/** One shard, so that a sequence number tells a write. */
const begin = async (): Promise<void> => {
  for (const side of ['source', 'target'] as const) await freshIndex(clusters, side, 1);
  const begun = await beginTail('start', io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  tail = begun.state;
};

type Measured = { cpuShare: number; requestsPerPoll: number; docs: number; applied: number };

/** `onPoll` is told how far the follower is after each poll. */
const measure = async (polls: number, onPoll: (cursor: number) => void): Promise<Measured> => {
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  requests = 0;
  let docs = 0;
  let applied = 0;
  for (let poll = 1; poll <= polls; poll++) {
    const result = await tailStep(tail, io);
    if (result.kind !== 'ok') throw new Error(result.detail);
    tail = result.state;
    docs += result.docs;
    applied += result.applied;
    onPoll(tail.indices[0]?.cursors[0] ?? -1);
    await delay(Math.max(0, began + poll * pollMs - performance.now()));
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    cpuShare: (user + system) / 1000 / (performance.now() - began),
    requestsPerPoll: requests / polls,
    docs,
    applied,
  };
};

type Busy = Measured & { lags: number[]; failed: number };

/** Acknowledgements are told after the measurement, and matched with the polls then: to hear of them costs CPU. */
const under = async (options: readonly string[]): Promise<Busy> => {
  await begin();
  const [source] = positionals as [string];
  const args = [source, names.source, values.writesPerSecond, '--tellEveryMs', '3600000', ...options];
  const writer = fork(join(import.meta.dirname, 'lib', 'writer.ts'), args);
  // What runs for the first time costs more than what has run for hours.
  await measure(warmUpPolls, () => undefined);
  const reached: { cursor: number; atMs: number }[] = [];
  const measured = await measure(polls, (cursor) =>
    reached.push({ cursor, atMs: performance.timeOrigin + performance.now() }),
  );
  writer.send('tell');
  const [{ acknowledged, failed }] = (await once(writer, 'message')) as [Told];
  writer.kill();
  const endedMs = reached.at(-1)?.atMs ?? 0;
  const lags = acknowledged.flatMap(({ seq, atMs }) => {
    const poll = reached.find(({ cursor }) => cursor >= seq);
    // What no poll has reached has waited at least until the end.
    if (poll === undefined) return atMs < endedMs ? [endedMs - atMs] : [];
    return poll === reached[0] ? [] : [Math.max(0, poll.atMs - atMs)];
  });
  return { ...measured, lags, failed };
};

await begin();
await measure(warmUpPolls, () => undefined);
const idle = await measure(polls, () => undefined);
const copied = await under(['--copyTo', String(positionals[1])]);
const alone = await under([]);
for (const side of ['source', 'target'] as const) await dropIndex(clusters, side);

const rowOf = (load: string, { cpuShare, requestsPerPoll, docs, applied }: Measured) => ({
  load,
  'CPU %': (100 * cpuShare).toFixed(2),
  'requests/poll': requestsPerPoll.toFixed(1),
  'docs/s': (docs / polls).toFixed(0),
  'copied by the tail/s': (applied / polls).toFixed(0),
});
const busyRow = (load: string, { lags, failed, ...measured }: Busy) => ({
  ...rowOf(load, measured),
  'lag p50 ms': percentile(lags, 0.5).toFixed(0),
  'lag p99 ms': percentile(lags, 0.99).toFixed(0),
  failed: String(failed),
});
const rows = [
  { ...rowOf('idle', idle), 'lag p50 ms': '', 'lag p99 ms': '', failed: '' },
  busyRow(`${values.writesPerSecond} writes/s, copied directly`, copied),
  busyRow(`${values.writesPerSecond} writes/s, copied by the tail`, alone),
];
process.stdout.write(`${table(rows)}\n${machine()}\nkept in ${keepReport({ name: 'tail', rows, ratios: {} })}\n`);
process.exit(0);
