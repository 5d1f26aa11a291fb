/**
 * Pure: the plan of a backfill as chunks of sequence ranges. Chunks of one shard touch without overlap, so together they
 * cover (-1, checkpoint] exactly; the order interleaves shards, so that workers spread over the nodes that hold them.
 */
import type { Chunk } from '../coordination/ports.ts';

/** `index` is the ordinal of the pair; numbers up to and including `checkpoint` are copied. */
export type ShardExtent = { index: number; shard: number; checkpoint: number };

/** Keeps the queue and its bookkeeping small however large the index is. */
const maxChunks = 100_000;

const chunkCount = (extents: readonly ShardExtent[], chunkDocs: number): number =>
  extents.reduce((sum, { checkpoint }) => sum + Math.ceil((checkpoint + 1) / chunkDocs), 0);

const chunksOf = ({ index, shard, checkpoint }: ShardExtent, chunkDocs: number): Chunk[] => {
  const chunks: Chunk[] = [];
  for (let fromSeq = -1; fromSeq < checkpoint; fromSeq += chunkDocs)
    chunks.push({ index, shard, fromSeq, toSeq: Math.min(checkpoint, fromSeq + chunkDocs) });
  return chunks;
};

/** A chunk covers `fromSeq < seq <= toSeq`. */
export const planChunks = (extents: readonly ShardExtent[], chunkDocs: number): Chunk[] => {
  let size = chunkDocs;
  while (chunkCount(extents, size) > maxChunks) size *= 2;
  const perShard = extents.map((extent) => chunksOf(extent, size));
  const rounds = Math.max(0, ...perShard.map((chunks) => chunks.length));
  return Array.from({ length: rounds }, (_, round) =>
    perShard.flatMap((chunks) => chunks.slice(round, round + 1)),
  ).flat();
};
