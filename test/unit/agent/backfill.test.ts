import { describe, expect, it } from 'vitest';
import { type BackfillRecord, backfillName, backfillProgress, beginBackfill } from '../../../src/agent/backfill.ts';
import { runWorker, type WorkerOptions } from '../../../src/agent/chunk-worker.ts';
import { loadQuarantines } from '../../../src/agent/quarantine-store.ts';
import { emptyJob } from '../../../src/agent/leader/job-state.ts';
import type { Runtime } from '../../../src/agent/runtime.ts';
import { createProgress, readProgress } from '../../../src/agent/worker-progress.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { MemoryWorkQueue } from '../../../src/coordination/memory-work-queue.ts';
import type { Bucket, RouteState, Store, WorkQueue } from '../../../src/coordination/ports.ts';
import { systemTimers } from '../../../src/coordination/timers.ts';
import { eventually } from '../../support/eventually.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { ManualTime } from '../coordination/manual-time.ts';
import { MemoryBucket } from '../coordination/memory-bucket.ts';
import { type Engine, engine } from './engine.ts';
import { noTransforms } from './route.ts';

/** Waits of the queue pass a hundred times faster. */
const fastTimers = { set: (callback: () => void, delayMs: number) => systemTimers.set(callback, delayMs / 100) };

type Backfill = Engine & { store: Store; queue: WorkQueue; now: { state: RouteState } };

const setUp = (docs = 200, backfill: Record<string, number> = {}): Backfill => {
  const made = engine({}, { backfill });
  for (let i = 0; i < docs; i++) made.put(`d${i}`, { i });
  const time = new ManualTime();
  const queue = new MemoryWorkQueue({ timers: fastTimers, ackWaitMs: 60_000 });
  const store: Store = {
    config: new MemoryBucket(time),
    live: new MemoryBucket(time),
    workQueue: () => queue,
    status: () => ({ connected: true, kind: 'file', detail: '', incarnation: 'i', alarm: undefined }),
    onStatus: () => () => undefined,
    close: async () => undefined,
  };
  return { ...made, store, queue, now: { state: made.state } };
};

const plan = async ({ io, queue, store, direction }: Backfill, chunkDocs = 20): Promise<BackfillRecord> => {
  const planned = await beginBackfill({ ...io, direction, queue, chunkDocs, at: '2026-01-01T00:00:00Z' });
  if (planned.kind !== 'ok') throw new Error(planned.detail);
  await store.config.put(keys.job('products', backfillName), JSON.stringify(planned.record));
  return planned.record;
};

const work = (made: Backfill, worker: string, over: Partial<WorkerOptions> = {}) => {
  const stop = new AbortController();
  const { io, store, now } = made;
  const ended = runWorker({
    store,
    clusters: io.clusters,
    slug: 'products',
    worker,
    state: () => now.state,
    transforms: noTransforms,
    runtime: io.runtime,
    signal: stop.signal,
    ...over,
  });
  return {
    stop: async () => {
      stop.abort();
      await ended;
    },
  };
};

/** The clusters, with the bulks to the target counted that are under way at once; each waits for `before` first. */
const countingBulks = (made: Backfill, before: () => Promise<unknown>) => {
  const { source, target } = made.io.clusters;
  let under = 0;
  let most = 0;
  const bulk: typeof target.bulk = async (call) => {
    most = Math.max(most, ++under);
    await before();
    return target.bulk(call).finally(() => under--);
  };
  return { clusters: { source, target: { ...target, bulk } }, most: () => most };
};

const finished = ({ queue }: Backfill) =>
  eventually(async () => (await queue.remaining()) === 0, { what: 'an empty queue' });

describe('a backfill', () => {
  it('is worked off by any number of processes, and ends with all documents on the follower', async () => {
    const made = setUp();
    const record = await plan(made);
    expect(record).toMatchObject({ state: 'running', docs: 200, reign: 1, authority: 'source' });
    const workers = ['a', 'b', 'c'].map((name) => work(made, name));
    await finished(made);
    for (const worker of workers) await worker.stop();
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('gives the tail the position up to which it copies, so that nothing falls between them', async () => {
    const made = setUp(50);
    const planned = await beginBackfill({ ...made.io, queue: made.queue, chunkDocs: 7, at: '' });
    if (planned.kind !== 'ok') throw new Error(planned.detail);
    const shards = made.pair.source.storage.indices.get('p1')?.shards ?? [];
    expect(planned.tail.indices[0]?.cursors).toEqual(shards.map(({ nextSeq }) => nextSeq - 1));
    expect(planned.record.indices).toEqual(planned.tail.indices);
  });

  it('takes nothing out of the queue for a leader that was succeeded while it planned', async () => {
    const made = setUp(50);
    await plan(made);
    const queued = await made.queue.remaining();
    const ours = async (): Promise<never> => {
      throw new Error('succeeded');
    };
    const late = beginBackfill({ ...made.io, queue: made.queue, chunkDocs: 50, at: '', ours });
    await expect(late).rejects.toThrow('succeeded');
    expect(await made.queue.remaining()).toBe(queued);
  });

  it('goes on with other workers when one dies in the middle of a chunk', async () => {
    const made = setUp(200, { maxPageDocs: 40 });
    await plan(made, 1000);
    const dying = new AbortController();
    let bulks = 0;
    const { bulk, ...rest } = made.io.clusters.target;
    const target = {
      ...rest,
      bulk: (call: Parameters<typeof bulk>[0]) => {
        if (++bulks === 3) dying.abort();
        return bulk(call);
      },
    };
    await runWorker({
      store: made.store,
      clusters: { ...made.io.clusters, target },
      slug: 'products',
      worker: 'dying',
      state: () => made.now.state,
      transforms: noTransforms,
      runtime: made.io.runtime,
      signal: dying.signal,
    });
    expect(await made.queue.remaining()).toBeGreaterThan(0);
    const heir = work(made, 'heir');
    await finished(made);
    await heir.stop();
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it.each([
    ['one page at a time while it may use half of itself', 0.5, 1],
    ['a page of each lane while nothing holds it back', 1, 2],
  ])('sends %s, and ends', async (_, share, expected) => {
    const made = setUp(200, { maxPageDocs: 20, concurrency: 2 });
    await plan(made, 50);
    const { clusters, most } = countingBulks(made, () => new Promise(setImmediate));
    const live = { worked: () => undefined, share: () => share };
    const worker = work(made, 'w', { clusters, live });
    await finished(made);
    await worker.stop();
    expect(most()).toBe(expected);
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('goes by the concurrency of now, also when it is changed while a chunk is worked on', async () => {
    const made = setUp(200, { concurrency: 1 });
    await plan(made, 20);
    const { clusters, most } = countingBulks(made, async () => {
      const { spec } = made.state;
      made.now.state = { ...made.state, spec: { ...spec, backfill: { ...spec.backfill, concurrency: 3 } } };
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    });
    const worker = work(made, 'w', { clusters });
    await finished(made);
    await worker.stop();
    expect(most()).toBe(3);
  });

  it('planned again forgets the chunks of the plan before', async () => {
    const made = setUp(50);
    await plan(made, 1);
    const record = await plan(made, 1000);
    expect(await made.queue.remaining()).toBe(record.chunks);
  });

  it('saves what the follower refuses under the chunk, before the chunk is done', async () => {
    const made = setUp(30);
    const { storage } = made.pair.target;
    const { write } = storage;
    storage.write = (op) =>
      op.id === 'd7'
        ? { status: 400, index: 'p2', error: { type: 'mapper_parsing_exception', reason: 'no' } }
        : write.call(storage, op);
    await plan(made);
    const worker = work(made, 'a');
    await finished(made);
    await worker.stop();
    const saved = [...(await loadQuarantines(made.store.config, 'products')).values()];
    expect(saved.flatMap(({ record }) => record.docs)).toMatchObject([{ id: 'd7' }]);
    expect(Object.keys(made.contents('target'))).toHaveLength(29);
  });

  it('pauses and resumes', async () => {
    const made = setUp(30);
    await plan(made);
    made.now.state = { ...made.state, rate: 'pause' };
    const worker = work(made, 'a');
    await eventually(async () => (await readProgress(made.store.live, 'products'))[0]?.state === 'paused');
    expect(made.contents('target')).toEqual({});
    made.now.state = made.state;
    await finished(made);
    await worker.stop();
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('stands still while the leader has paused the route, also for a worker that joins then', async () => {
    const made = setUp(30);
    await plan(made);
    const tell = (paused: boolean) =>
      made.store.config.put(keys.job('products', 'state'), JSON.stringify({ ...emptyJob, paused }));
    await tell(true);
    const worker = work(made, 'a');
    await eventually(async () => (await readProgress(made.store.live, 'products'))[0]?.state === 'paused');
    expect(made.contents('target')).toEqual({});
    await tell(false);
    await finished(made);
    await worker.stop();
    expect(made.contents('target')).toEqual(made.contents('source'));
  });

  it('asks for no more documents in one page than its rate allows in a second', async () => {
    const made = setUp(60);
    made.now.state = { ...made.state, rate: 3 };
    await plan(made, 1000);
    const sizes: number[] = [];
    const { bulk, ...rest } = made.io.clusters.target;
    const target = {
      ...rest,
      bulk: (call: Parameters<typeof bulk>[0]) => {
        sizes.push(Buffer.from(call.body).toString().split('"version"').length - 1);
        return bulk(call);
      },
    };
    const worker = work(made, 'a', { clusters: { ...made.io.clusters, target } });
    await finished(made);
    await worker.stop();
    expect(Math.max(...sizes)).toBe(3);
  });

  it.each([
    [
      'another reign has begun',
      (made: Backfill) => {
        made.now.state = { ...made.state, phase: { ...made.state.phase, reign: 2 } };
      },
    ],
    [
      'the epoch is fenced',
      (made: Backfill) => {
        made.pair.target.storage.createIndex('crossfade-fence', { blocked: true });
        made.pair.target.storage.updateAliases([
          { kind: 'remove', index: 'p2', alias: 'crossfade-products-c1' },
          { kind: 'add', index: 'crossfade-fence', alias: 'crossfade-products-c1' },
        ]);
      },
    ],
    [
      'the index was recreated',
      (made: Backfill) => {
        made.pair.source.storage.deleteIndex('p1');
        made.pair.source.storage.createIndex('p1');
      },
    ],
  ])('gives its chunks back when %s', async (_why, change) => {
    const made = setUp(30);
    const record = await plan(made);
    change(made);
    const problems: string[] = [];
    const worker = work(made, 'a', { onProblem: (_chunk, detail) => problems.push(detail) });
    await eventually(() => problems.length > 0);
    await worker.stop();
    expect(await made.queue.remaining()).toBe(record.chunks);
    expect(made.contents('target')).toEqual({});
  });

  it('outlives a follower that pushes back', async () => {
    const made = setUp(60);
    const { transport } = made.pair.target;
    const { request } = transport;
    let refusals = 5;
    transport.request = async (asked) =>
      asked.path.includes('_bulk') && refusals-- > 0
        ? { status: 429, headers: {}, body: Buffer.from('{"error":{"type":"rejected_execution_exception"}}') }
        : request(asked);
    await plan(made);
    const worker = work(made, 'a');
    await finished(made);
    await worker.stop();
    expect(made.contents('target')).toEqual(made.contents('source'));
  });
});

describe('the progress of the workers of a backfill', () => {
  const publisher = (worker: string, bucket: Bucket, runtime: Runtime) => {
    const progress = createProgress({ bucket, slug: 'products', worker, runtime });
    return { progress, stop: progress.publish(() => 'running') };
  };

  it('shares a rate among those that have chunks in hand, and not with those that stand by', async () => {
    const bucket = new MemoryBucket(new ManualTime());
    const runtime = manualRuntime();
    const [busy, idle] = ['busy', 'idle'].map((name) => publisher(name, bucket, runtime));
    const chunk = busy?.progress.take({ fromSeq: -1, toSeq: 99 });
    await runtime.advance(10_000);
    expect(busy?.progress.workers()).toBe(1);
    expect(idle?.progress.workers()).toBe(2);
    chunk?.end();
    busy?.stop();
    idle?.stop();
  });

  it('is called paused by a worker that knows of a pause, and not by one that has just begun', async () => {
    const made = setUp();
    const told: string[] = [];
    const { put } = made.store.live;
    made.store.live.put = (key, value) => {
      told.push((JSON.parse(value) as { state: string }).state);
      return put.call(made.store.live, key, value);
    };
    await made.store.config.put(keys.job('products', 'state'), JSON.stringify({ paused: true }));
    const worker = work(made, 'a');
    await eventually(() => told.includes('paused'), { what: 'the pause in the progress' });
    await worker.stop();
    expect(told[0]).toBe('running');
  });

  it('says how much of a chunk in hand is done, and a rate over several pages', async () => {
    const bucket = new MemoryBucket(new ManualTime());
    const runtime = manualRuntime();
    const { progress, stop } = publisher('a', bucket, runtime);
    const chunk = progress.take({ fromSeq: -1, toSeq: 99 });
    chunk.add({ docs: 25, through: 24 });
    await runtime.advance(5_000);
    const [told] = await readProgress(bucket, 'products');
    expect(told).toMatchObject({ docs: 25, chunks: 1, chunksDone: 0.25 });
    expect(told?.rate).toBeGreaterThan(1);
    chunk.end();
    await runtime.advance(5_000);
    expect((await readProgress(bucket, 'products'))[0]).toMatchObject({ docs: 25, chunks: 0, chunksDone: 0 });
    stop();
  });
});

describe('the progress of a backfill', () => {
  it.each([
    [
      { remaining: 10, rate: 100 },
      { docs: 0, percent: 0, etaSeconds: 10 },
    ],
    [
      { remaining: 4, rate: 100 },
      { docs: 600, percent: 60, etaSeconds: 4 },
    ],
    [
      { remaining: 0, rate: 0 },
      { docs: 1000, percent: 100 },
    ],
  ])('with %j is %j', (at, expected) => {
    const progress = backfillProgress({ chunks: 10, docs: 1000 }, at);
    expect(progress).toEqual({ total: 1000, rate: at.rate, ...expected });
  });

  it('of an empty index is complete', () => {
    expect(backfillProgress({ chunks: 0, docs: 0 }, { remaining: 0, rate: 0 }).percent).toBe(100);
  });
});
