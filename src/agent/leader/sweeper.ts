/** Runs one sweep in the background of the leader's loop, and can be stopped before a switch. */
import type { RouteState, Store } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import { directionOf } from '../direction.ts';
import { type Runtime, sleep } from '../runtime.ts';
import { beginSweep, type SweepState, sweepStep } from '../sweep.ts';
import type { Transforms } from '../transform.ts';

export type SweeperDeps = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  transforms: Transforms;
  store: Store;
  onProblem: (detail: string) => void;
};
export type SweepProgress = {
  running: boolean;
  scanned: number;
  removed: number;
  total: number | undefined;
  /** Why it does not go on, if so. */
  detail: string | undefined;
};
export interface Sweeper {
  /** Starts a sweep unless one runs. `done` is told how many documents were removed. */
  start(state: RouteState, done: (removed: number) => Promise<void>): void;
  progress(): SweepProgress;
  /** Resolves once nothing of it is under way. */
  stop(): Promise<void>;
}

const retryMs = 2_000;

export const createSweeper = (deps: SweeperDeps): Sweeper => {
  const { clusters, runtime, transforms } = deps;
  let running: { abort: AbortController; ended: Promise<void> } | undefined;
  let seen: SweepState | undefined;
  let problem: string | undefined;

  const note = (detail: string): void => {
    problem = detail;
    deps.onProblem(detail);
  };
  const walk = async (state: RouteState, signal: AbortSignal): Promise<number | undefined> => {
    const direction = directionOf(state);
    const { pageBytes, maxPageDocs } = state.spec.backfill;
    const mayDrop = await transforms.mayDrop(state.spec.transform, direction.follower);
    const io = { clusters, runtime, direction, signal, mayDrop, limits: { pageBytes, maxPageDocs } };
    const begun = await beginSweep(io);
    if (begun.kind !== 'ok') {
      note(begun.detail);
      return undefined;
    }
    seen = begun.state;
    while (!signal.aborted) {
      const step = await sweepStep(seen, io);
      seen = step.state;
      if (step.kind === 'done' || step.kind === 'more') problem = undefined;
      if (step.kind === 'done') return seen.removed;
      if (step.kind === 'more') continue;
      note('detail' in step ? step.detail : step.kind);
      if (step.kind !== 'unavailable') return undefined;
      await sleep(runtime, retryMs, signal);
    }
    return undefined;
  };

  return {
    start: (state, done) => {
      if (running !== undefined) return;
      const abort = new AbortController();
      const ended = walk(state, abort.signal)
        .then((removed) => (removed === undefined ? undefined : done(removed)))
        .catch((error: unknown) => note(error instanceof Error ? error.message : String(error)))
        .finally(() => {
          running = undefined;
        });
      running = { abort, ended };
    },
    progress: () => ({
      running: running !== undefined,
      scanned: seen?.scanned ?? 0,
      removed: seen?.removed ?? 0,
      total: seen?.total,
      detail: problem,
    }),
    stop: async () => {
      running?.abort.abort();
      await running?.ended;
    },
  };
};
