/** Reads from the store what fleet-status.ts needs: small keys only, never the cursors of a migration. */
import { jobStatusName } from '../coordination/job-status.ts';
import { heartbeatPrefix, keys, parseRouteKey, routeKeyPrefix } from '../coordination/keys.ts';
import type { Entry, Store } from '../coordination/ports.ts';
import { slugsTold } from '../coordination/told-phases.ts';
import { type FleetStatus, fleetStatus, heartbeatsIn } from './fleet-status.ts';

/** A route of which the store has lost everything is known by the members alone. */
const slugsIn = (settings: readonly Entry[], beats: readonly Entry[]): string[] => [
  ...new Set([...settings.flatMap(({ key }) => parseRouteKey(key)?.slug ?? []), ...slugsTold(heartbeatsIn(beats))]),
];

const found = (entries: readonly (Entry | undefined)[]): Entry[] => entries.filter((entry) => entry !== undefined);

/** @throws CrossfadeError STORE_UNAVAILABLE */
export const readFleet = async (store: Store): Promise<FleetStatus> => {
  // In this order: what members have applied by then stands in the settings, if it stands anywhere.
  const beats = await store.live.list(heartbeatPrefix);
  const settings = await store.config.list(routeKeyPrefix);
  const slugs = slugsIn(settings, beats);
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
