/**
 * Where a walk by sequence numbers stands on each shard of each index, as plain data for the job record, and whether the
 * index is still the one it began on. Invariant: a cursor is meaningful only together with the index's UUID and the
 * shard's history; when either changed, the numbers tell another story and the walk must begin again.
 */
import * as z from 'zod';
import type { ClusterControl } from './cluster.ts';
import type { IndexShards, ShardSeq } from './control-answers.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';

export const IndexPosition = z.strictObject({
  uuid: z.string(),
  /** Per shard: the last sequence number handled; -1 = none. */
  cursors: z.array(z.int().min(-1)),
  /** Per shard; empty text where the cluster does not tell. */
  histories: z.array(z.string()),
});
export type IndexPosition = z.infer<typeof IndexPosition>;

/** The index is gone, or is another one than before. */
export type Recreated = { kind: 'index_recreated'; detail: string };
/** Part of the index is out of reach for now. */
export type Unavailable = { kind: 'unavailable'; detail: string };
export type PositionProblem = Recreated | Unavailable;

/** Shards in order, each with its primary; or why they cannot be walked. */
export const checkPosition = (
  index: string,
  position: IndexPosition,
  stats: IndexShards | undefined,
): { kind: 'ok'; shards: ShardSeq[] } | PositionProblem => {
  const recreated = (detail: string): Recreated => ({ kind: 'index_recreated', detail: `${index}: ${detail}` });
  if (stats === undefined) return recreated('the index does not exist');
  if (stats.uuid !== position.uuid) return recreated(`UUID was ${position.uuid}, is ${stats.uuid}`);
  const unavailable = (detail: string): Unavailable => ({ kind: 'unavailable', detail: `${index}: ${detail}` });
  for (const { shard, history } of stats.shards) {
    const known = position.histories[shard];
    if (known === undefined) return recreated(`shard ${shard} is new`);
    if (known !== '' && history !== undefined && history !== known) return recreated(`shard ${shard} was restored`);
  }
  const missing = position.cursors.length - stats.shards.length;
  if (missing > 0) return unavailable(`${missing} shards have no started primary`);
  // A replica that was just promoted knows an older checkpoint than its predecessor told, until it has caught up.
  const behind = stats.shards.find(({ shard, globalCheckpoint }) => globalCheckpoint < (position.cursors[shard] ?? -1));
  if (behind !== undefined) return unavailable(`shard ${behind.shard} does not yet know its own checkpoint`);
  return { kind: 'ok', shards: stats.shards };
};

export type PositionIo = { cluster: ClusterControl; runtime: Runtime; signal?: AbortSignal | undefined };

/** The shards of an index as they are now. @throws CrossfadeError when the cluster cannot be asked. */
export const currentShards = (
  index: string,
  { cluster, runtime, signal }: PositionIo,
): Promise<IndexShards | undefined> =>
  retrying(() => cluster.shardStats(index, { signal }), { runtime, signal, attempts: 3 });

/** A position on an index as it is now: before everything, or at its global checkpoints. */
export const takePosition = async (
  index: string,
  at: 'start' | 'checkpoint',
  io: PositionIo,
): Promise<{ kind: 'ok'; position: IndexPosition; shards: ShardSeq[] } | PositionProblem> => {
  const { cluster, runtime, signal } = io;
  const info = await retrying(() => cluster.getIndex(index, { signal }), { runtime, signal, attempts: 3 });
  if (info === undefined || info.name !== index) return { kind: 'index_recreated', detail: `${index}: no such index` };
  const stats = await currentShards(index, io);
  const told = new Map(stats?.shards.map(({ shard, history }) => [shard, history]));
  const histories = Array.from({ length: info.shards }, (_, n) => told.get(n) ?? '');
  const position = { uuid: info.uuid, cursors: histories.map(() => -1), histories };
  const checked = checkPosition(index, position, stats);
  if (checked.kind !== 'ok') return checked;
  const cursors = at === 'start' ? position.cursors : checked.shards.map(({ globalCheckpoint }) => globalCheckpoint);
  return { ...checked, position: { ...position, cursors } };
};
