/**
 * Waits until the tail has brought over what the authority holds now: for members that changed documents whose ids they do
 * not know, as by a reindex, and whose client may look for them on the follower next. The goal is read from the authority
 * once, the progress from the record that the leader saves after each step. Waiting for more than was asked is harmless,
 * so a record of another reign, or one that cannot be read, just means not yet.
 */
import { keys } from '../../coordination/keys.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { Bucket, RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import type { IndexShards } from '../control-answers.ts';
import { type Direction, directionOf, indexOn } from '../direction.ts';
import { currentShards } from '../positions.ts';
import { type Runtime, sleep } from '../runtime.ts';
import { JobState, type ReignWork } from './job-state.ts';

export type TailPassedOptions = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  bucket: Bucket;
  pollMs?: number;
};

/** Resolves when it has, or when the signal fires. @throws what store and clusters throw */
export type TailPassed = (state: RouteState, signal: AbortSignal) => Promise<void>;

const defaultPollMs = 100;

export const createTailPassed =
  ({ clusters, runtime, bucket, pollMs = defaultPollMs }: TailPassedOptions): TailPassed =>
  async (state, signal) => {
    const direction = directionOf(state);
    const { authority, spec } = direction;
    const look = (ordinal: number) =>
      currentShards(indexOn(direction, ordinal, authority), { cluster: clusters[authority], runtime, signal });
    const goals = await Promise.all(spec.indices.map((_, ordinal) => look(ordinal)));
    while (!signal.aborted) {
      const entry = await bucket.get(keys.job(state.slug, 'state'));
      if (hasPassed(goals, parseRecord(JobState, entry?.value)?.work, direction)) return;
      await sleep(runtime, pollMs, signal);
    }
  };

/** Of every index, each shard's cursor stands at the last number that was given out when the goals were read. */
export const hasPassed = (
  goals: readonly (IndexShards | undefined)[],
  work: ReignWork | undefined,
  { reign }: Pick<Direction, 'reign'>,
): boolean => {
  const { tail } = work ?? {};
  if (tail === undefined || tail.reign !== reign) return false;
  return goals.every((goal, ordinal) => {
    const position = tail.indices[ordinal];
    if (goal === undefined || position?.uuid !== goal.uuid) return false;
    return goal.shards.every(({ shard, maxSeqNo }) => (position.cursors[shard] ?? -1) >= maxSeqNo);
  });
};
