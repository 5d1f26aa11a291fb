/**
 * Applies throttle.ts over time: one pacer per process and route, shared by all chunks under way. `wait` is called after
 * each page and returns when the next one may be worked on.
 */
import type { PageWork } from './copy-page.ts';
import type { LiveWatch } from './live-watch.ts';
import { type Runtime, sleep } from './runtime.ts';
import { type Bucket, freeGovernor, fullBucket, govern, restMs, take } from './throttle.ts';

export type PacerOptions = {
  runtime: Runtime;
  /** Documents per second for this process; `pause` stops, undefined is as fast as the clusters allow. */
  rate: () => number | 'pause' | undefined;
  live?: LiveTraffic | undefined;
  signal?: AbortSignal | undefined;
};
/** Of this process: told of the work, and asked which share of the time it may take. */
export type LiveTraffic = { worked(ms: number): void; share(): number };

export const liveTraffic = (watch: LiveWatch, now: () => number): LiveTraffic => ({
  worked: (ms) => watch.worked(ms, now()),
  share: () => watch.share(now()),
});

export interface Pacer {
  wait(page: PageWork): Promise<void>;
  /** Waits while the rate is `pause`. */
  whilePaused(): Promise<void>;
  /** How many documents a page may have of `most`: no more than a second's worth of the rate, which a page exceeds at once. */
  pageDocs(most: number): number;
  /** For status: what holds the work back now. */
  state(): 'running' | 'paused' | 'throttled';
}

const pausePollMs = 250;
/** A wait is cut in pieces, so that a new rate or a pause takes effect soon. */
const maxNapMs = 1_000;

export const createPacer = ({ runtime, rate, live, signal }: PacerOptions): Pacer => {
  let governor = freeGovernor;
  let bucket: Bucket | undefined;
  let knownRate: number | undefined;

  const takeTokens = (docs: number): number => {
    const now = rate();
    if (now === undefined || now === 'pause' || now <= 0) return 0;
    const nowMs = runtime.now();
    if (bucket === undefined || now !== knownRate) bucket = fullBucket(now, nowMs);
    knownRate = now;
    const taken = take(bucket, { docs, rate: now, nowMs });
    bucket = taken.bucket;
    return taken.waitMs;
  };
  const duty = (): number => Math.min(governor.duty, live?.share() ?? 1);
  const whilePaused = async (): Promise<void> => {
    while (rate() === 'pause' && !signal?.aborted) await sleep(runtime, pausePollMs, signal);
  };
  return {
    whilePaused,
    wait: async ({ docs, sendMs, retried }) => {
      live?.worked(sendMs);
      governor = govern(governor, { docs, sendMs, pushedBack: retried });
      const until = runtime.now() + Math.max(restMs(duty(), sendMs), takeTokens(docs));
      const asked = rate();
      for (let left = until - runtime.now(); left > 0 && !signal?.aborted; left = until - runtime.now()) {
        await sleep(runtime, Math.min(left, maxNapMs), signal);
        if (rate() !== asked) break;
      }
      await whilePaused();
    },
    pageDocs: (most) => {
      const now = rate();
      return typeof now === 'number' ? Math.max(1, Math.min(most, Math.ceil(now))) : most;
    },
    state: () => (rate() === 'pause' ? 'paused' : duty() < 1 ? 'throttled' : 'running'),
  };
};
