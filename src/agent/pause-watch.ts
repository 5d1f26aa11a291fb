/**
 * Whether the leader holds back the work of a route, as `crossfade pause` asked: read from the leader's own record by
 * every process that works off chunks, also by those that are no members. Invariant: until it is known, nothing is begun.
 */
import type { Bucket } from '../coordination/ports.ts';
import { readLeaderRecord } from './leader-record.ts';
import { every, type Runtime } from './runtime.ts';

const lookEveryMs = 1_000;

export interface PauseWatch {
  paused(): boolean;
  /** What waits for the first answer is not paused by anybody, and nobody is to be told so. */
  isKnown(): boolean;
  stop(): void;
}
export type PauseWatchOptions = { bucket: Bucket; slug: string; runtime: Runtime };

export const watchPause = ({ bucket, slug, runtime }: PauseWatchOptions): PauseWatch => {
  let paused: boolean | undefined;
  // Without the store what was known last holds; no chunk can be had then.
  const look = async (): Promise<void> => {
    ({ paused } = await readLeaderRecord(bucket, slug));
  };
  const lookAgain = (): void => void look().catch(() => undefined);
  lookAgain();
  return {
    paused: () => paused ?? true,
    isKnown: () => paused !== undefined,
    stop: every(runtime, lookEveryMs, lookAgain),
  };
};
