import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { backfillName, beginBackfill } from '../../../src/agent/backfill.ts';
import { countProof } from '../../../src/agent/proof.ts';
import { NatsConfig } from '../../../src/config.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { type NatsStore, openNatsStore } from '../../../src/coordination/nats-store.ts';
import { silentLogger } from '../../../src/log.ts';
import { eventually } from '../../support/eventually.ts';
import { services, uniqueName } from '../../support/services.ts';
import { dropStreams } from '../coordination/nats-admin.ts';
import { type RealRoute, realRoute } from './setup.ts';
import type { WorkerInput } from './worker-process.ts';

const bucket = uniqueName('backfill');
const ackWaitMs = 3_000;
const children: ChildProcess[] = [];
let opened: NatsStore | undefined;

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await opened?.close();
  await dropStreams((await services()).natsUrl, bucket);
});

const openStore = async (): Promise<NatsStore> => {
  const { natsUrl } = await services();
  const config = NatsConfig.parse({ servers: [natsUrl], bucket });
  opened ??= openNatsStore({ config, member: 'test', logger: silentLogger(), ackWaitMs });
  await opened.ready(30_000);
  return opened;
};

/** A worker process; `bulks()` tells how many bulks it has had answered. */
const startWorker = async ({ state, urls }: RealRoute, worker: string) => {
  const { natsUrl } = await services();
  const input: WorkerInput = {
    state,
    worker,
    bucket,
    natsUrl,
    ackWaitMs,
    sourceUrl: urls.source,
    targetUrl: urls.target,
  };
  const script = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(input)], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let bulks = 0;
  child.stdout?.on('data', (data: Buffer) => {
    bulks += data.toString().split('bulk').length - 1;
  });
  return { child, bulks: () => bulks };
};

const filled = async (docs: number): Promise<RealRoute> => {
  const route = await realRoute({
    source: { settings: { number_of_shards: 2 } },
    target: { settings: { number_of_shards: 3 } },
    spec: { backfill: { pageBytes: 2048, maxPageDocs: 20, chunkDocs: 100 } },
  });
  for (let at = 0; at < docs; at += 1000) {
    const lines = Array.from(
      { length: Math.min(1000, docs - at) },
      (_, i) => `{"index":{"_id":"d${at + i}"}}\n{"n":${at + i}.0}\n`,
    );
    await route.call('source', 'POST', `/${route.names.source}/_bulk`, lines.join(''));
  }
  return route;
};

const plan = async (route: RealRoute, store: NatsStore) => {
  const { slug, spec } = route.state;
  const planned = await beginBackfill({
    ...route.io,
    queue: store.workQueue(slug),
    chunkDocs: spec.backfill.chunkDocs,
    at: '',
  });
  if (planned.kind !== 'ok') throw new Error(planned.detail);
  await store.config.put(keys.job(slug, backfillName), JSON.stringify(planned.record));
  return planned.record;
};

describe('a backfill by several processes', () => {
  it('ends with every document on the follower although workers are killed in the middle of chunks', async () => {
    const docs = 3_000;
    const route = await filled(docs);
    const store = await openStore();
    const queue = store.workQueue(route.state.slug);
    const record = await plan(route, store);
    expect(record.docs).toBe(docs);
    expect(record.chunks).toBeGreaterThanOrEqual(docs / 100);
    const victims = [await startWorker(route, 'w1'), await startWorker(route, 'w2')];
    await eventually(() => victims.some(({ bulks }) => bulks() >= 5), { timeoutMs: 60_000, what: 'some bulks' });
    for (const { child } of victims) child.kill('SIGKILL');
    expect(await queue.remaining()).toBeGreaterThan(0);
    const heir = await startWorker(route, 'w3');
    await eventually(async () => (await queue.remaining()) === 0, {
      timeoutMs: 120_000,
      everyMs: 250,
      what: 'an empty queue',
    });
    heir.child.kill('SIGKILL');
    expect(await countProof({ ...route.io, dropped: {} })).toEqual({
      equal: true,
      counts: [{ ordinal: 0, authority: docs, follower: docs }],
    });
    expect(await route.contents('target')).toEqual(await route.contents('source'));
  }, 240_000);
});
