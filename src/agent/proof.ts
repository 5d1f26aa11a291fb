/**
 * The count proof. With the tail at the authority's checkpoint and nothing in quarantine, every document of the
 * authority is on the follower with its last content; if then both sides count the same number of documents after a
 * refresh, the sets are equal. Valid only while nothing is written, so under load it is an estimate and says so by the
 * checkpoints that the caller compares before and after. Documents that the route's transform drops are not counted.
 */
import type { Side } from '../coordination/records.ts';
import type { ClusterControl } from './cluster.ts';
import { type Direction, indexOn } from './direction.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';
import type { Dropped } from './transform.ts';

export type ProofIo = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  direction: Direction;
  /** What the transform has no counterpart for. */
  dropped: Dropped;
  /** Attempts per request; a cutover cannot wait for many. */
  attempts?: number;
  signal?: AbortSignal | undefined;
};
export type PairCount = { ordinal: number; authority: number; follower: number };
export type CountProof = { equal: boolean; counts: PairCount[] };

const countOn = async (side: Side, ordinal: number, io: ProofIo): Promise<number> => {
  const { clusters, runtime, direction, dropped, signal, attempts = 3 } = io;
  const index = indexOn(direction, ordinal, side);
  const again = { runtime, signal, attempts };
  await retrying(() => clusters[side].refresh(index, { signal }), again);
  const counting = { signal, without: dropped[side] };
  return retrying(() => clusters[side].count(index, counting), again);
};

/** Refreshes and counts both sides. @throws CrossfadeError when a cluster cannot answer in full. */
export const countProof = async (io: ProofIo): Promise<CountProof> => {
  const { authority, follower, spec } = io.direction;
  const counts = await Promise.all(
    spec.indices.map(async (_, ordinal): Promise<PairCount> => {
      const [own, other] = await Promise.all([countOn(authority, ordinal, io), countOn(follower, ordinal, io)]);
      return { ordinal, authority: own, follower: other };
    }),
  );
  return { equal: counts.every((pair) => pair.authority === pair.follower), counts };
};
