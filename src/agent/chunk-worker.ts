/**
 * Works off the chunks of a backfill; runs in every agent and in `crossfade worker`. A chunk is acknowledged only after
 * all its documents are on the follower or in a saved quarantine, and may be worked on twice or by two processes at
 * once: the stamps make that harmless. So a process may be killed at any point and costs at most the chunks it held.
 */
import { keys } from '../coordination/keys.ts';
import type { Chunk, ChunkDelivery, RouteState, Store, WorkQueue } from '../coordination/ports.ts';
import type { Side } from '../coordination/records.ts';
import { BackfillSettings } from '../coordination/route-spec.ts';
import { BackfillRecord, backfillName } from './backfill.ts';
import type { ClusterControl } from './cluster.ts';
import type { CopyIo, PageReport } from './copy-page.ts';
import { copyRange } from './copy-range.ts';
import { type Direction, directionOf, indexOn } from './direction.ts';
import { type Gait, gaitAt } from './gait.ts';
import { runLanes } from './lanes.ts';
import type { KnownPages } from './page-size.ts';
import { createPacer, type Pacer, type LiveTraffic } from './pacer.ts';
import { watchPause } from './pause-watch.ts';
import { checkPosition, currentShards } from './positions.ts';
import { createQuarantine } from './quarantine.ts';
import { chunkOwner, saveQuarantine } from './quarantine-store.ts';
import { retrying } from './retry.ts';
import { every, type Runtime, sleep } from './runtime.ts';
import type { Transforms } from './transform.ts';
import { createSlots, type InSlot } from './slots.ts';
import { type ChunkInHand, createProgress, type Progress } from './worker-progress.ts';

export type WorkerOptions = {
  store: Store;
  clusters: Record<Side, ClusterControl>;
  slug: string;
  /** Name of this process in the progress of the route. */
  worker: string;
  /** The newest state of the route known here. */
  state: () => RouteState | undefined;
  transforms: Transforms;
  runtime: Runtime;
  signal: AbortSignal;
  /** Bounds the work where clients would suffer from it; a process without clients has none. */
  live?: LiveTraffic;
  onProblem?: (chunk: Chunk, detail: string) => void;
};

type Worker = WorkerOptions & {
  pacer: Pacer;
  /** As it is now. */
  gait: () => Gait;
  inSlot: InSlot;
  progress: Progress;
  refreshedAt: Map<string, number>;
  known: KnownPages;
};
type Working = Worker & { inHand: ChunkInHand };
/** retry: give the chunk back for so long. */
type ChunkEnd = { kind: 'done' } | { kind: 'retry'; delayMs: number; detail: string };

const later = (detail: string, delayMs = 2_000): ChunkEnd => ({ kind: 'retry', delayMs, detail });
const keepAliveMs = 5_000;
const idleWaitMs = 1_000;
/** A refresh after the checkpoint was taken is enough; repeating it now and then covers a primary that moved. */
const refreshEveryMs = 30_000;

const readRecord = async ({ store, slug }: Worker): Promise<BackfillRecord | undefined> => {
  const entry = await store.config.get(keys.job(slug, backfillName));
  return entry && BackfillRecord.parse(JSON.parse(entry.value));
};

const refreshOnce = async (worker: Worker, { authority }: Direction, index: string): Promise<void> => {
  const { clusters, runtime, signal, refreshedAt } = worker;
  const last = refreshedAt.get(index);
  if (last !== undefined && runtime.now() - last < refreshEveryMs) return;
  await retrying(() => clusters[authority].refresh(index, { signal }), { runtime, signal });
  refreshedAt.set(index, runtime.now());
};

const copyIo = async (worker: Working, state: RouteState, direction: Direction): Promise<CopyIo> => {
  const { clusters, runtime, transforms, signal, pacer, gait, inSlot, inHand, known } = worker;
  const { maxPageDocs } = state.spec.backfill;
  return {
    clusters,
    runtime,
    direction,
    signal,
    transform: await transforms.towards(state.spec.transform, direction.follower),
    limits: {
      get pageBytes() {
        return gait().pageBytes;
      },
      get maxPageDocs() {
        return pacer.pageDocs(maxPageDocs);
      },
    },
    known,
    inSlot,
    quarantine: createQuarantine(),
    onPage: async (page: PageReport) => {
      inHand.add(page);
      await pacer.wait(page);
    },
  };
};

const copyChunk = async (chunk: Chunk, state: RouteState, worker: Working): Promise<ChunkEnd> => {
  const { clusters, runtime, signal, slug, store } = worker;
  const direction = directionOf(state);
  const record = await readRecord(worker);
  if (record?.reign !== direction.reign || record.authority !== direction.authority)
    return later('no backfill is running in this reign');
  const index = indexOn(direction, chunk.index, direction.authority);
  const authority = { cluster: clusters[direction.authority], runtime, signal };
  const position = { ...(record.indices[chunk.index] as BackfillRecord['indices'][number]) };
  const checked = checkPosition(index, position, await currentShards(index, authority));
  if (checked.kind !== 'ok') return later(checked.detail, checked.kind === 'unavailable' ? 2_000 : 30_000);
  await refreshOnce(worker, direction, index);
  const io = await copyIo(worker, state, direction);
  const node = checked.shards[chunk.shard]?.primaryNode as string;
  const range = { ordinal: chunk.index, shard: chunk.shard, node, from: chunk.fromSeq, to: chunk.toSeq };
  const { end } = await copyRange(range, io);
  if (end === 'stopped') return later('stopping', 0);
  if (end !== 'done') return later(`${end} in epoch ${direction.epoch}`);
  await saveQuarantine(store.config, { slug, owner: chunkOwner(chunk) }, io.quarantine.record());
  return { kind: 'done' };
};

const tryChunk = async (chunk: Chunk, worker: Working): Promise<ChunkEnd> => {
  const state = worker.state();
  if (state === undefined) return later('the route is not known');
  // A hold names the epoch of the switch, whose aliases belong to the other direction; nothing may be sent under it.
  if (state.phase.hold !== undefined) return later('a switch of authority is under way', 500);
  try {
    return await copyChunk(chunk, state, worker);
  } catch (error) {
    return later(error instanceof Error ? error.message : String(error));
  }
};

const workOn = async (delivery: ChunkDelivery, worker: Worker): Promise<void> => {
  const stopKeepAlive = every(worker.runtime, keepAliveMs, () => delivery.working());
  const inHand = worker.progress.take(delivery.chunk);
  const end = await tryChunk(delivery.chunk, { ...worker, inHand });
  inHand.end();
  stopKeepAlive();
  if (end.kind === 'done') return delivery.ack();
  worker.onProblem?.(delivery.chunk, end.detail);
  return delivery.retry(end.delayMs);
};

const takeChunk = async (queue: WorkQueue, worker: Worker): Promise<void> => {
  const { signal, runtime, pacer } = worker;
  await pacer.whilePaused();
  try {
    const delivery = await queue.next(idleWaitMs);
    if (delivery !== undefined) await workOn(delivery, worker);
  } catch {
    // The store is out of reach: the chunk comes again to whoever asks next.
    await sleep(runtime, idleWaitMs, signal);
  }
};

const defaultBackfill = BackfillSettings.parse({});

/** How the work goes among the clients of this process. */
const createPace = (options: WorkerOptions, rate: () => number | 'pause' | undefined) => {
  const { runtime, signal, live, state } = options;
  const gait = () => gaitAt(live?.share() ?? 1, state()?.spec.backfill ?? defaultBackfill);
  const duty = live && { worked: live.worked, share: () => gait().duty };
  const pacer = createPacer({ runtime, rate, live: duty, signal });
  return { gait, pacer, inSlot: createSlots(() => gait().steps) };
};

/** Runs until `signal` fires; chunks under way are then given back. */
export const runWorker = async (options: WorkerOptions): Promise<void> => {
  const { runtime, state, store, slug, signal, worker: name } = options;
  const progress = createProgress({ bucket: store.live, slug, worker: name, runtime });
  const pause = watchPause({ bucket: store.config, slug, runtime });
  const rate = () => {
    const asked = pause.paused() ? 'pause' : state()?.rate;
    return typeof asked === 'number' ? asked / progress.workers() : asked;
  };
  const wanted = () => (state()?.spec.backfill ?? defaultBackfill).concurrency;
  const pace = createPace(options, rate);
  const worker: Worker = { ...options, ...pace, progress, refreshedAt: new Map(), known: new Map() };
  const stopProgress = progress.publish(() => (pause.isKnown() ? pace.pacer.state() : 'running'));
  const queue = store.workQueue(slug);
  await runLanes({ wanted, turn: () => takeChunk(queue, worker), runtime, signal });
  stopProgress();
  pause.stop();
};
