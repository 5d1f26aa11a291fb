/** Replicated buckets on three servers, of which any may die. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NatsConfig } from '../../../src/config.ts';
import { casAndConfirm } from '../../../src/coordination/cas.ts';
import { campaign } from '../../../src/coordination/lease.ts';
import { type NatsStore, openNatsStore } from '../../../src/coordination/nats-store.ts';
import type { Change } from '../../../src/coordination/ports.ts';
import { pause, systemTimers } from '../../../src/coordination/timers.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/services/child.ts';
import { describeOnNats } from '../../support/own-nats.ts';
import { startNats } from '../../support/services.ts';
import { withNats } from './nats-admin.ts';

type Nats = Awaited<ReturnType<typeof startNats>>;
type Node = { name: string; start: () => Promise<Nats>; server: Nats };

let dir: string;
let nodes: Node[];
let urls: string[];
let stores: NatsStore[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'crossfade-cluster-'));
  const plans = await Promise.all(
    ['n1', 'n2', 'n3'].map(async (name) => ({ name, port: await freePort(), cluster: await freePort() })),
  );
  urls = plans.map(({ port }) => `nats://127.0.0.1:${port}`);
  const routes = plans.map(({ cluster }) => `nats://127.0.0.1:${cluster}`).join(',');
  nodes = await Promise.all(
    plans.map(async ({ name, port, cluster }) => {
      mkdirSync(join(dir, name));
      const clustered = ['--cluster_name', 'c', '--cluster', `nats://127.0.0.1:${cluster}`, '--routes', routes];
      const start = () => startNats({ dir: join(dir, name), port, extraArgs: ['--server_name', name, ...clustered] });
      return { name, start, server: await start() };
    }),
  );
  stores = urls.map((_, i) => {
    const config = NatsConfig.parse({ servers: [...urls.slice(i), ...urls.slice(0, i)], replicas: 3 });
    return openNatsStore({ config, member: `m${i}`, logger: silentLogger(), pollMs: 500 });
  });
  for (const store of stores) await store.ready(60_000);
});
afterAll(async () => {
  for (const store of stores ?? []) await store.close();
  for (const { server } of nodes ?? []) await server.stop();
  rmSync(dir, { recursive: true });
});

const leaderOf = async (stream: string): Promise<Node> => {
  for (const url of urls) {
    const info = await withNats(url, async (nc) => (await jetstreamManager(nc)).streams.info(stream)).catch(
      () => undefined,
    );
    const node = nodes.find(({ name }) => name === info?.cluster?.leader);
    if (node !== undefined) return node;
  }
  throw new Error(`${stream} has no leader`);
};
const store = (i: number): NatsStore => stores[i % stores.length] as NatsStore;

describeOnNats('a cluster of three servers', () => {
  it('gives one winner to each compare-and-set', async () => {
    let revision = 0;
    for (let round = 0; round < 30; round++) {
      const rivals = [...Array(9).keys()].map((i) => store(i).config.update('k', `${round}.${i}`, revision));
      const winners = (await Promise.all(rivals)).filter((result) => result.ok);
      expect(winners).toHaveLength(1);
      revision = winners[0]?.ok ? winners[0].revision : 0;
    }
  });

  it('keeps every confirmed write, the news and the lease when the leader of the buckets is killed', async () => {
    const heard: Change[][] = stores.map(() => []);
    for (const [i, { config }] of stores.entries()) config.subscribe((change) => heard[i]?.push(change));
    const options = { slug: 'products', logger: silentLogger() };
    const leases = stores.map(({ live }, i) => campaign({ ...options, live, member: `m${i}`, boot: `b${i}` }));
    const holders = () => leases.filter((lease) => lease.isHeld());
    const [holder] = await eventually(() => (holders().length === 1 ? holders() : undefined));

    const raise = async (i: number): Promise<void> => {
      for (let done = 0; done < 20;) {
        const entry = await eventually(() => store(i).config.get('counter'), { timeoutMs: 30_000 });
        const write = {
          key: 'counter',
          value: JSON.stringify([JSON.parse(entry.value)[0] + 1, i, done]),
          expected: entry.revision,
        };
        const deadlineMs = performance.now() + 60_000;
        const result = await casAndConfirm(store(i).config, write, { now: () => performance.now(), deadlineMs });
        if (result.ok) done++;
        expect(holders().length).toBeLessThanOrEqual(1);
      }
    };
    await store(0).config.put('counter', '[0]');
    const raising = Promise.all([0, 1, 2].map(raise));
    await eventually(() => heard[0]?.some((change) => change.key === 'counter' && change.value?.startsWith('[5,')));
    const victim = await leaderOf('KV_crossfade');
    process.kill(victim.server.pid, 'SIGKILL');
    await raising;
    expect(JSON.parse((await eventually(() => store(0).config.get('counter'))).value)[0]).toBe(60);
    await eventually(() => heard.every((changes) => changes.some((change) => change.value?.startsWith('[60,'))));
    await eventually(() => holders().length === 1);
    expect(holders()).toEqual([holder]);

    await victim.server.stop();
    victim.server = await victim.start();
    for (const lease of leases) await lease.release();
  });

  it('goes on handing out work when the leader of the queue is killed', async () => {
    const queues = stores.map((each) => each.workQueue('products'));
    const chunks = [...Array(20).keys()].map((i) => ({ index: 0, shard: 0, fromSeq: i, toSeq: i }));
    await eventually(() => queues[0]?.add(chunks).then(() => true), { timeoutMs: 30_000 });
    const done = new Set<number>();
    const work = async (i: number): Promise<void> => {
      while (done.size < chunks.length) {
        const delivery = await queues[i]?.next(1_000).catch(() => pause(systemTimers, 100));
        if (delivery === undefined) continue;
        await delivery.ack().catch(() => undefined);
        done.add(delivery.chunk.fromSeq);
        if (done.size === 5) process.kill((await leaderOf('crossfade_work_products')).server.pid, 'SIGKILL');
      }
    };
    await Promise.all([0, 1, 2].map(work));
    expect([...done].sort((a, b) => a - b)).toEqual(chunks.map((chunk) => chunk.fromSeq));
  }, 120_000);
});
