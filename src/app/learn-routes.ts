/**
 * The first look at the routes: store or cache, or, when neither answers in time, the aliases on the clusters. A start
 * never waits longer than that for a store that does not answer, because the application waits for the start.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { shownStatus } from '../coordination/incarnation.ts';
import type { Core } from './core.ts';
import { transportsOf } from './open-clusters.ts';
import { readAliases } from './read-aliases.ts';
import type { RouteView } from './route-view.ts';

/** How long a start waits for the store before it serves from what else there is. */
export const storeWaitMs = 3000;
/** One that answers and is looked at before it is used: whoever begins a store looks twice, some seconds apart. */
const lookedAtWaitMs = 10_000;
const pollMs = 50;
const aliasRetryMs = 2000;

const isKnown = ({ watcher }: Core): boolean => watcher.status().knowledge !== 'unknown';

const awaitStore = async (core: Core): Promise<void> => {
  const waitMs = (): number => (core.store.status().beingLookedAt === true ? lookedAtWaitMs : storeWaitMs);
  for (let waitedMs = 0; waitedMs < waitMs() && !isKnown(core); waitedMs += pollMs) {
    // Sooner than the watcher's next look.
    if (core.store.status().connected) await core.watcher.refresh().catch(() => undefined);
    if (!isKnown(core)) await delay(pollMs);
  }
};

const askClusters = async ({ clusters }: Core, view: RouteView): Promise<void> => {
  const answers = await readAliases(transportsOf(clusters.background), clusters.sameCluster);
  if (answers !== undefined) view.learnFromAliases(answers);
};

/** Until the store has answered, a switch elsewhere shows in the aliases only. */
const keepAsking = async (core: Core, view: RouteView): Promise<void> => {
  while (!isKnown(core)) {
    await delay(aliasRetryMs, undefined, { ref: false });
    await askClusters(core, view);
  }
};

/** Returns when something is known, or the wait is over; asking goes on in the background. */
export const learnRoutes = async (core: Core, view: RouteView): Promise<void> => {
  await awaitStore(core);
  if (isKnown(core)) return;
  core.logger.warn(
    { store: shownStatus(core.store.status()) },
    'neither the store nor cached routes can be read, asking the clusters',
  );
  await askClusters(core, view);
  void keepAsking(core, view);
};
