/**
 * Memory over time while the follower takes connections and never answers: half reads, half writes of new documents, all
 * writes owed to the follower. Prints resident memory at intervals, its slope over the second half, and what clients saw.
 * Copies may fill `copies.maxPendingBytes` first (64 MB by default, 16 here unless told), so the slope of the first half
 * says nothing. `node bench/soak.ts [--minutes 10] [--perSecond 1000] [--pendingMb 16]`; exit code 1 when memory grows.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { run } from '../test/support/services/prerequisites.ts';
import { parseLoad } from './lib/load.ts';
import { cpuSeconds, residentMb } from './lib/process-cost.ts';
import { keepReport, machine, slopePerMinute, table } from './lib/report.ts';
import { needPrograms, startCrossfade, startHungServer, startStubCluster } from './lib/servers.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    perSecond: { type: 'string', default: '1000' },
    pendingMb: { type: 'string', default: '16' },
  },
});
const seconds = Number(values.minutes) * 60;
/** More would not be flat: an hour of it is 120 MB. */
const allowedMbPerMinute = 2;
const pauseMs = 50;

const script = `local n = 0
wrk.headers["content-type"] = "application/json"
function request()
  n = n + 1
  if n % 2 == 0 then return wrk.format("POST", "/bench/_search", nil, '{"query":{"match_all":{}}}') end
  return wrk.format("PUT", "/bench/_doc/" .. n, nil, '{"name":"steel lamp","text":"${'lorem ipsum '.repeat(20)}","n":' .. n .. '}')
end
function delay() return ${pauseMs} end
`;

const metric = (text: string, name: string): number =>
  Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);

needPrograms(['wrk']);
const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));
const source = await startStubCluster('source', dir);
const hung = await startHungServer();
const mode = { phase: 'dual', copies: { maxPendingBytes: Number(values.pendingMb) << 20 } } as const;
const crossfade = await startCrossfade({ name: 'soak', dir, source: source.url, target: hung.url, mode });
const file = join(dir, 'soak.lua');
writeFileSync(file, script);
const connections = Math.max(1, Math.round((Number(values.perSecond) * pauseMs) / 1000));
const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '--latency', '-s', file, crossfade.url];
const cpuBefore = cpuSeconds(crossfade.pid);
let ended = false;
const load = run('wrk', args, { maxBuffer: 1 << 20 }).finally(() => {
  ended = true;
});

type Sample = { second: number; rssMb: number; pending: number; pendingMb: number; dropped: number };
const samples: Sample[] = [];
const began = performance.now();
const everySeconds = Math.max(2, Math.min(15, seconds / 20));
while (!ended) {
  await delay(everySeconds * 1000);
  const text = await fetch(`${crossfade.adminUrl}/metrics`).then((answer) => answer.text());
  const sample: Sample = {
    second: Math.round((performance.now() - began) / 1000),
    rssMb: residentMb(crossfade.pid),
    pending: metric(text, 'crossfade_copies_pending'),
    pendingMb: metric(text, 'crossfade_copies_pending_bytes') / (1 << 20),
    dropped: metric(text, 'crossfade_copies_dropped_total'),
  };
  samples.push(sample);
  process.stdout.write(
    `${String(sample.second).padStart(5)} s  rss ${sample.rssMb.toFixed(0)} MB, copies pending ${sample.pending} (${sample.pendingMb.toFixed(1)} MB), left to the tail ${sample.dropped}\n`,
  );
}
const result = parseLoad((await load).stdout);
const cpuMicros = (1e6 * (cpuSeconds(crossfade.pid) - cpuBefore)) / result.requests;
await Promise.all([crossfade.stop(), source.stop()]);
hung.stop();
const half = samples.filter(({ second }) => second >= seconds / 2);
const slope = slopePerMinute(half.map(({ second, rssMb }) => ({ second, value: rssMb })));
const row = {
  minutes: values.minutes,
  'req/s': result.perSecond.toFixed(0),
  'failed requests': String(result.errors),
  'p50 ms': result.p50Ms.toFixed(2),
  'p99 ms': result.p99Ms.toFixed(2),
  'cpu µs/req': cpuMicros.toFixed(0),
  'rss MB at half time': (half[0]?.rssMb ?? Number.NaN).toFixed(0),
  'at the end': (half.at(-1)?.rssMb ?? Number.NaN).toFixed(0),
  most: Math.max(...samples.map(({ rssMb }) => rssMb)).toFixed(0),
  'MB/min, second half': slope.toFixed(2),
};
process.stdout.write(`${table([row])}\n${machine()}\n`);
process.stdout.write(`kept in ${keepReport({ name: 'soak', rows: [row], ratios: {}, raw: samples })}\n`);
process.exit(result.errors === 0 && slope <= allowedMbPerMinute ? 0 : 1);
