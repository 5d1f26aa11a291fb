/**
 * How long a percentage takes from the key-value bucket to the traffic: `pct.read` is put by a raw NATS client, as
 * `nats kv put` would, and three sidecars are asked every millisecond or two until each answers from the new side.
 * `node bench/flip.ts [--flips 40]`; NATS as in the tests.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { Client } from 'undici';
import { emptyJob, newWork } from '../src/agent/leader/job-state.ts';
import { NatsConfig } from '../src/config.ts';
import { keys } from '../src/coordination/keys.ts';
import { openNatsStore } from '../src/coordination/nats-store.ts';
import type { Side } from '../src/coordination/records.ts';
import { silentLogger } from '../src/log.ts';
import { startNats } from '../test/support/services/nats.ts';
import { keepReport, machine, median, table } from './lib/report.ts';
import { seedRoute, startCrossfade, startStubCluster } from './lib/servers.ts';

const { values } = parseArgs({ options: { flips: { type: 'string', default: '40' } } });
const flips = Number(values.flips);
const giveUpMs = 10_000;
const given = process.env['CROSSFADE_TEST_NATS_URL'];
const nats = given === undefined ? await startNats() : { url: given, stop: async () => undefined };
const bucket = `flip-${process.pid}`;
const dir = mkdtempSync(join(tmpdir(), 'crossfade-bench-'));

const store = openNatsStore({
  config: NatsConfig.parse({ servers: [nats.url], bucket }),
  member: 'bench',
  logger: silentLogger(),
});
await store.ready(10_000);
await seedRoute(store, 'bench', { phase: 'dual' });
// No cluster stands behind the stubs that a backfill could read, and no read goes to a target before it is complete.
const begun = newWork({ reign: 1, authority: 'source', epoch: 1 });
const work = { ...begun, backfill: 'done' as const, sweep: { ...begun.sweep, coveredEvents: 0 } };
await store.config.put(keys.job('bench', 'state'), JSON.stringify({ ...emptyJob, work }));
await store.config.put(keys.percent('bench', 'read'), '0');
await store.close();

const source = await startStubCluster('source', dir);
const target = await startStubCluster('target', dir);
const names = ['sidecar-0', 'sidecar-1', 'sidecar-2'];
const sidecars = await Promise.all(
  names.map((name) =>
    startCrossfade({
      name,
      dir,
      source: source.url,
      target: target.url,
      mode: { phase: 'off' },
      env: { CROSSFADE_NATS_SERVERS: nats.url, CROSSFADE_NATS_BUCKET: bucket, CROSSFADE_STATE_DIR: join(dir, name) },
    }),
  ),
);
const clients = sidecars.map(({ url }) => new Client(url));

const sideOf = async (client: Client): Promise<string> => {
  const headers = { 'content-type': 'application/json' };
  const request = { method: 'POST', path: '/bench/_search', headers, body: '{"query":{"match_all":{}}}' } as const;
  const answer = await client.request(request);
  await answer.body.dump();
  return String(answer.headers['x-crossfade-side']);
};
/** Milliseconds until a request that was begun after the put is answered by `side`. */
const waitFor = async (client: Client, side: Side, since: number): Promise<number> => {
  for (;;) {
    const answered = await sideOf(client);
    const passed = performance.now() - since;
    if (answered === side) return passed;
    // Asking without pause would take the cores from those who are asked.
    await delay(1);
    if (passed > giveUpMs) throw new Error(`still ${answered} after ${giveUpMs} ms, not ${side}`);
  }
};

const connection = await connect({ servers: nats.url });
const kv = await new Kvm(connection).open(bucket);
const put = async (percent: '0' | '100'): Promise<number[]> => {
  const side: Side = percent === '100' ? 'target' : 'source';
  const since = performance.now();
  await kv.put(keys.percent('bench', 'read'), percent);
  return Promise.all(clients.map((client) => waitFor(client, side, since)));
};

const slowest: number[] = [];
const each: number[] = [];
try {
  await put('100');
  await put('0');
  for (let i = 0; i < flips; i++) {
    const times = await put(i % 2 === 0 ? '100' : '0');
    slowest.push(Math.max(...times));
    each.push(...times);
    await delay(100);
  }
} finally {
  await Promise.all(clients.map((client) => client.close()));
  await Promise.all([...sidecars, source, target].map((server) => server.stop()));
  for (const name of [bucket, `${bucket}_live`])
    await new Kvm(connection).open(name).then((opened) => opened.destroy());
  await connection.close();
  await nats.stop();
}
const row = {
  flips: String(flips),
  'one sidecar, median ms': median(each).toFixed(1),
  'all three, median ms': median(slowest).toFixed(1),
  'worst ms (to be below 100)': Math.max(...slowest).toFixed(1),
};
process.stdout.write(`${table([row])}\n${machine()}\n`);
process.stdout.write(`kept in ${keepReport({ name: 'flip', rows: [row], ratios: {}, raw: slowest })}\n`);
process.exit(Math.max(...slowest) < 100 ? 0 : 1);
