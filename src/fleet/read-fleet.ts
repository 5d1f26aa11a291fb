/** Reads from the store what fleet-status.ts needs: small keys only, never the cursors of a migration. */
import { jobStatusName } from '../coordination/job-status.ts';
import { heartbeatPrefix, keys, parseRouteKey, routeKeyPrefix } from '../coordination/keys.ts';
import type { Entry, Store } from '../coordination/ports.ts';
import { type FleetStatus, fleetStatus } from './fleet-status.ts';

const slugsIn = (entries: readonly Entry[]): string[] => [
  ...new Set(entries.flatMap(({ key }) => parseRouteKey(key)?.slug ?? [])),
];

const found = (entries: readonly (Entry | undefined)[]): Entry[] => entries.filter((entry) => entry !== undefined);

/** @throws CrossfadeError STORE_UNAVAILABLE */
export const readFleet = async (store: Store): Promise<FleetStatus> => {
  const [settings, beats] = await Promise.all([store.config.list(routeKeyPrefix), store.live.list(heartbeatPrefix)]);
  const slugs = slugsIn(settings);
  const [reports, leases] = await Promise.all([
    Promise.all(slugs.map((slug) => store.config.get(keys.job(slug, jobStatusName)))),
    Promise.all(slugs.map((slug) => store.live.get(keys.lease(slug)))),
  ]);
  return fleetStatus({
    store: store.status(),
    config: [...settings, ...found(reports)],
    live: [...beats, ...found(leases)],
  });
};
