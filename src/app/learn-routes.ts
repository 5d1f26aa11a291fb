/**
 * The first look at the routes: store or cache, or, when neither answers in time, the aliases on the clusters. A start
 * never waits longer than that for a store that does not answer, because the application waits for the start.
 */
import { shownStatus } from '../coordination/incarnation.ts';
import type { Store } from '../coordination/ports.ts';
import type { RouteWatcher } from '../coordination/route-watcher.ts';
import type { Logger } from '../log.ts';
import type { Transports } from '../upstream/types.ts';
import { readAliases } from './read-aliases.ts';
import type { RouteView } from './route-view.ts';

export type LearnDeps = {
  store: Pick<Store, 'status'>;
  watcher: Pick<RouteWatcher, 'status' | 'refresh'>;
  view: Pick<RouteView, 'learnFromAliases'>;
  transports: Transports;
  sameCluster: boolean;
  pause: (ms: number) => Promise<void>;
  logger: Logger;
};

/** How long a start waits for the store before it serves from what else there is. */
export const storeWaitMs = 3000;
/** One that answers and is looked at before it is used: whoever begins a store looks twice, some seconds apart. */
const lookedAtWaitMs = 10_000;
const pollMs = 50;
const aliasRetryMs = 2000;

const isKnown = ({ watcher }: LearnDeps): boolean => watcher.status().knowledge !== 'unknown';

const awaitStore = async (deps: LearnDeps): Promise<void> => {
  const { store, watcher, pause } = deps;
  const waitMs = (): number => (store.status().beingLookedAt === true ? lookedAtWaitMs : storeWaitMs);
  for (let waitedMs = 0; waitedMs < waitMs() && !isKnown(deps); waitedMs += pollMs) {
    // Sooner than the watcher's next look.
    if (store.status().connected) await watcher.refresh().catch(() => undefined);
    if (!isKnown(deps)) await pause(pollMs);
  }
};

const askClusters = async ({ transports, sameCluster, view }: LearnDeps): Promise<void> => {
  const answers = await readAliases(transports, sameCluster);
  if (answers !== undefined) view.learnFromAliases(answers);
};

/** Until the store has answered, a switch elsewhere shows in the aliases only. */
const keepAsking = async (deps: LearnDeps): Promise<void> => {
  while (!isKnown(deps)) {
    await deps.pause(aliasRetryMs);
    await askClusters(deps);
  }
};

/** Returns when something is known, or the wait is over; asking goes on in the background. */
export const learnRoutes = async (deps: LearnDeps): Promise<void> => {
  await awaitStore(deps);
  if (isKnown(deps)) return;
  deps.logger.warn(
    { store: shownStatus(deps.store.status()) },
    'neither the store nor cached routes can be read, asking the clusters',
  );
  await askClusters(deps);
  void keepAsking(deps);
};
