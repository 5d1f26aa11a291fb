/** Chooses the store that the configuration asks for, and puts the routes of the configuration file into the embedded one. */
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';
import { openFileStore } from './file-store.ts';
import { keys } from './keys.ts';
import { openNatsStore } from './nats-store.ts';
import type { Store } from './ports.ts';
import type { RouteSpec } from './route-spec.ts';
import { type CacheOrigin, readRouteCache } from './route-cache.ts';

/** Where the last known good routes are kept; undefined with the embedded store, which is its own cache. */
export const routeCacheFile = (config: Config): string | undefined =>
  config.nats === undefined ? undefined : join(config.stateDir ?? dirname(config.store.file), 'crossfade-routes.json');

/** What the cached routes are of. */
export const routeCacheOrigin = ({ nats }: Config): CacheOrigin | undefined =>
  nats && { bucket: nats.bucket, servers: nats.servers.map(serverName) };

/** Without scheme and credentials. */
const serverName = (server: string): string =>
  server
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/^.*@/, '')
    .toLowerCase();

/**
 * NATS when it is configured, connecting in the background; else the file.
 * @throws CrossfadeError STORE_UNAVAILABLE when the file cannot be used
 */
export const openStore = async (
  config: Config,
  { member, logger }: { member: string; logger: Logger },
): Promise<Store> => {
  if (config.nats === undefined) {
    const store = await openFileStore({ file: config.store.file });
    await seedRoutes(store, config.routes, logger);
    return store;
  }
  const cacheFile = routeCacheFile(config);
  // A damaged or foreign cache is reported by the route watcher, which reads it too.
  const cache =
    cacheFile === undefined
      ? undefined
      : await readRouteCache(cacheFile, routeCacheOrigin(config)).catch(() => undefined);
  return openNatsStore({ config: config.nats, member, logger, expectedIncarnation: cache?.incarnation });
};

/** Creates the routes that the store does not have; one that it has was perhaps changed since and is left alone. */
const seedRoutes = async (store: Store, routes: readonly unknown[], logger: Logger): Promise<void> => {
  for (const route of routes as readonly RouteSpec[]) {
    const value = JSON.stringify(route);
    const created = await store.config.update(keys.config(route.route), value, 0);
    const standing = created.ok ? value : (await store.config.get(keys.config(route.route)))?.value;
    if (standing !== value)
      logger.warn({ route: route.route }, 'the store holds another spec of this route, the configured one is not used');
  }
};
