/**
 * One worker of backfill chunks per route that this process knows: started when a route appears, stopped when it is gone.
 * Workers of all agents and of `crossfade worker` share one queue, so this needs no leader.
 */
import { runWorker } from '../agent/chunk-worker.ts';
import type { LiveTraffic } from '../agent/pacer.ts';
import { systemRuntime } from '../agent/runtime.ts';
import type { RouteState, RouteStates } from '../coordination/ports.ts';
import { hasFollower } from '../coordination/records.ts';
import type { Core } from './core.ts';

export type RouteSource = {
  states(): RouteStates;
  state(slug: string): RouteState | undefined;
  onChange(listener: (states: RouteStates) => void): () => void;
};
type Work = { abort: AbortController; running: Promise<void> };

/** Only these phases have anything to copy; elsewhere a worker would poll an empty queue. */
const copies = (state: RouteState | undefined): boolean => state !== undefined && hasFollower(state.phase.phase);

type Begin = { core: Core; source: RouteSource; live: LiveTraffic | undefined };

const begin = (slug: string, { core, source, live }: Begin): Work => {
  const { store, controls, transforms, member, logger } = core;
  const abort = new AbortController();
  const running = runWorker({
    store,
    clusters: controls,
    slug,
    worker: member,
    state: () => source.state(slug),
    transforms,
    runtime: systemRuntime,
    signal: abort.signal,
    ...(live && { live }),
    onProblem: (chunk, detail) => logger.warn({ route: slug, chunk, detail }, 'backfill chunk will be tried again'),
  }).catch((err: unknown) => logger.error({ err, route: slug }, 'backfill worker ended'));
  return { abort, running };
};

/** `live` in a process that serves clients. @returns stop: chunks under way are given back. */
export const startBackfillWorkers = (
  core: Core,
  source: RouteSource,
  live?: LiveTraffic,
): { stop(): Promise<void> } => {
  const workers = new Map<string, Work>();
  const ending = new Set<Promise<void>>();
  const end = (slug: string, { abort, running }: Work): void => {
    workers.delete(slug);
    abort.abort();
    ending.add(running);
    void running.finally(() => ending.delete(running));
  };
  const follow = (states: RouteStates): void => {
    for (const [slug, state] of states)
      if (copies(state) && !workers.has(slug)) workers.set(slug, begin(slug, { core, source, live }));
    for (const [slug, work] of workers) if (!copies(states.get(slug))) end(slug, work);
  };
  const unfollow = source.onChange(follow);
  follow(source.states());
  return {
    stop: async () => {
      unfollow();
      for (const [slug, work] of workers) end(slug, work);
      await Promise.all(ending);
    },
  };
};
