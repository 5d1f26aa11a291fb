/**
 * The first filling of the follower: the range (-1, G] of every shard, cut in chunks that any number of processes work
 * off (chunk-worker.ts). Begun once every member is in `dual` and drained, so that all later writes are copied directly
 * or found by the tail, which starts at the same G. Invariants: the record is written only after all chunks are in the
 * queue; a leader that dies before that leaves a queue which its successor purges and fills again. An empty queue means
 * the end only if it is the one that was filled.
 */
import * as z from 'zod';
import type { WorkQueue } from '../coordination/ports.ts';
import { sides } from '../coordination/records.ts';
import { planChunks, type ShardExtent } from './chunks.ts';
import type { ClusterControl } from './cluster.ts';
import { type Direction, indexOn } from './direction.ts';
import { IndexPosition, type PositionProblem, takePosition } from './positions.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';
import type { TailState } from './tail.ts';

/** Under `keys.job(slug, backfillName)`. */
export const backfillName = 'backfill';
export const BackfillRecord = z.strictObject({
  schema: z.literal(1),
  state: z.enum(['running', 'done']),
  authority: z.enum(sides),
  reign: z.int().min(1),
  /** By ordinal; the cursors are the checkpoints up to which chunks were planned. */
  indices: z.array(IndexPosition),
  chunks: z.int().min(0),
  /** Of the queue, once all chunks were in it. */
  mark: z.int().min(0).optional(),
  docs: z.int().min(0).describe('documents on the authority when planned, for progress'),
  startedAt: z.string(),
  finishedAt: z.string().optional(),
});
export type BackfillRecord = z.infer<typeof BackfillRecord>;

export type BackfillIo = {
  clusters: Record<'source' | 'target', ClusterControl>;
  runtime: Runtime;
  direction: Direction;
  queue: WorkQueue;
  chunkDocs: number;
  /** ISO time for the record. */
  at: string;
  /** Keeps the tail's start before anything of another plan is touched; fails for a leader that has been succeeded. */
  ours?: (tail: TailState) => Promise<void>;
  signal?: AbortSignal | undefined;
};
export type BackfillPlan = { kind: 'ok'; record: BackfillRecord; tail: TailState } | PositionProblem;

/**
 * Plans and queues the chunks; the caller then writes `record`. Invariant: a leader that planned for so long that it was
 * succeeded takes nothing out of the queue that its successor put in.
 */
export const beginBackfill = async (io: BackfillIo): Promise<BackfillPlan> => {
  const { clusters, runtime, direction, queue, chunkDocs, at, ours, signal } = io;
  const { authority, reign, spec } = direction;
  const cluster = clusters[authority];
  const indices: IndexPosition[] = [];
  let docs = 0;
  for (const ordinal of spec.indices.keys()) {
    const index = indexOn(direction, ordinal, authority);
    const taken = await takePosition(index, 'checkpoint', { cluster, runtime, signal });
    if (taken.kind !== 'ok') return taken;
    indices.push(taken.position);
    await retrying(() => cluster.refresh(index, { signal }), { runtime, signal });
    docs += await retrying(() => cluster.count(index, { signal }), { runtime, signal });
  }
  const extents = indices.flatMap(({ cursors }, index) =>
    cursors.map((checkpoint, shard): ShardExtent => ({ index, shard, checkpoint })),
  );
  const chunks = planChunks(extents, chunkDocs);
  const common = { schema: 1 as const, authority, reign, indices };
  const mark = await queue.mark();
  await ours?.(common);
  await queue.purge(mark);
  await queue.add(chunks);
  const filled = { chunks: chunks.length, mark: await queue.mark() };
  return { kind: 'ok', record: { ...common, ...filled, state: 'running', docs, startedAt: at }, tail: common };
};

export type BackfillProgress = { docs: number; total: number; percent: number; rate: number; etaSeconds?: number };

/** `remaining` chunks of the record's, with fractions for those under way; `rate` = documents per second over all workers. */
export const backfillProgress = (
  { chunks, docs: total }: Pick<BackfillRecord, 'chunks' | 'docs'>,
  { remaining, rate }: { remaining: number; rate: number },
): BackfillProgress => {
  const share = chunks === 0 ? 1 : Math.max(0, 1 - remaining / chunks);
  const docs = Math.round(total * share);
  const eta = rate > 0 ? { etaSeconds: Math.round((total - docs) / rate) } : {};
  return { docs, total, percent: Math.round(share * 1000) / 10, rate, ...eta };
};
