/**
 * `crossfade worker`: helps with backfills and serves nobody. It is no member, so no phase move waits for it; it takes
 * chunks from the shared queue, and gives them back when it ends. Only a shared store can hold such a queue.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lifecycle } from '../admin/health.ts';
import { createAdminServer } from '../admin/server.ts';
import { CrossfadeError } from '../errors.ts';
import { secretFrom } from '../upstream/secret.ts';
import { type RouteSource, startBackfillWorkers } from './backfill-workers.ts';
import type { Core } from './core.ts';
import { readFleet } from './read-fleet.ts';
import { type ProcessInput, runProcess } from './run-process.ts';
import { firstSignal } from './signals.ts';

const sourceOf = ({ watcher }: Core): RouteSource => ({
  states: () => watcher.current(),
  state: (slug) => watcher.current().get(slug),
  onChange: (listener) => watcher.onChange(listener),
});

const createAdmin = (core: Core, lifecycle: () => Lifecycle) => {
  const { config, logger, registry, store, member, version } = core;
  const { token, tokenFile } = config.admin;
  return createAdminServer({
    config: config.admin,
    token: secretFrom(token, tokenFile, { logger }),
    registry,
    health: () => ({ lifecycle: lifecycle(), unknownAuthority: [] }),
    logger,
    api: {
      store,
      fleet: () => readFleet(store),
      discrepancies: { list: () => [] },
      self: () => ({ member, version, store: store.status() }),
      changed: (change) => logger.info(change, 'changed by the admin API'),
      now: Date.now,
      sleep: (ms) => delay(ms),
      newId: randomUUID,
    },
  });
};

const work = async (core: Core): Promise<number> => {
  const { config, logger } = core;
  if (config.nats === undefined)
    throw new CrossfadeError('CONFIG_INVALID', 'A worker needs NATS: the embedded store has no queue to share.');
  const signalled = firstSignal(logger);
  let lifecycle: Lifecycle = 'starting';
  const admin = createAdmin(core, () => lifecycle);
  const adminAt = await admin.listen();
  const workers = startBackfillWorkers(core, sourceOf(core));
  lifecycle = 'serving';
  logger.info({ admin: adminAt }, 'working');
  const signal = await signalled;
  lifecycle = 'draining';
  logger.info({ signal }, 'draining');
  await workers.stop();
  await admin.close();
  await core.close();
  logger.info('stopped');
  return 0;
};

/** @returns the exit code */
export const runWorker = (input: ProcessInput): Promise<number> => runProcess(input, work);
