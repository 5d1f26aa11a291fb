/**
 * `crossfade worker`: helps with backfills and serves nobody. It is no member, so no phase move waits for it; it takes
 * chunks from the shared queue, and gives them back when it ends. Only a shared store can hold such a queue.
 */
import type { Lifecycle } from '../admin/health.ts';
import { noDiscrepancies } from '../admin/discrepancies-api.ts';
import { CrossfadeError } from '../errors.ts';
import { createProcessAdmin } from './agent-admin.ts';
import { type RouteSource, startBackfillWorkers } from './backfill-workers.ts';
import type { Core } from './core.ts';
import { workerScrapeOf } from './observe.ts';
import { type ProcessInput, runProcess } from './run-process.ts';
import { firstSignal } from './signals.ts';

const sourceOf = ({ watcher }: Core): RouteSource => ({
  states: () => watcher.current(),
  state: (slug) => watcher.current().get(slug),
  onChange: (listener) => watcher.onChange(listener),
});

const work = async (core: Core): Promise<number> => {
  const { config, logger, registry, metrics, store } = core;
  if (config.nats === undefined)
    throw new CrossfadeError('CONFIG_INVALID', 'A worker needs NATS: the embedded store has no queue to share.');
  const signalled = firstSignal(logger);
  let lifecycle: Lifecycle = 'starting';
  const admin = createProcessAdmin(core, {
    registry: workerScrapeOf(registry, metrics, () => store.status()),
    lifecycle: () => lifecycle,
    unknownAuthority: () => [],
    discrepancies: noDiscrepancies,
    self: () => ({}),
  });
  const adminAt = await admin.listen();
  const workers = startBackfillWorkers(core, sourceOf(core));
  lifecycle = 'serving';
  logger.info({ admin: adminAt }, 'working');
  await signalled;
  lifecycle = 'draining';
  logger.info('draining');
  await workers.stop();
  await admin.close();
  await core.close();
  logger.info('stopped');
  return 0;
};

/** @returns the exit code */
export const runWorker = (input: ProcessInput): Promise<number> => runProcess(input, work);
