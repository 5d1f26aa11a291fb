/** The routes as store and members tell them now, for commands that look before they write. */

import { closest } from '../config/closest.ts';
import { heartbeatPrefix, routeKeyPrefix } from '../coordination/keys.ts';
import type { RouteState, RouteStates, Store } from '../coordination/ports.ts';
import { CrossfadeError } from '../errors.ts';
import { openAsk } from '../fleet/ask-leader.ts';
import { heartbeatsIn } from '../fleet/fleet-status.ts';
import { knownRoutes } from '../fleet/known-routes.ts';

export const readStates = async (store: Store): Promise<RouteStates> => {
  // In this order: what members have applied by then stands in the settings, if it stands anywhere.
  const live = await store.live.list(heartbeatPrefix);
  return knownRoutes(await store.config.list(routeKeyPrefix), heartbeatsIn(live));
};

const unknownRoute = (slug: string, known: readonly string[]): CrossfadeError => {
  const meant = closest(slug, known);
  const hint =
    meant !== undefined
      ? `; did you mean ${meant}?`
      : known.length > 0
        ? `; there are: ${known.join(', ')}`
        : '; there is none yet';
  return new CrossfadeError('ROUTE_UNKNOWN', `No route is called ${slug}${hint}`);
};

/** @throws CrossfadeError ROUTE_UNKNOWN with the name that was probably meant */
export const pickRoute = <T>(routes: ReadonlyMap<string, T>, slug: string): T => {
  const route = routes.get(slug);
  if (route === undefined) throw unknownRoute(slug, [...routes.keys()]);
  return route;
};

export const anyMember = async ({ live }: Store): Promise<boolean> =>
  heartbeatsIn(await live.list(heartbeatPrefix)).length > 0;

/**
 * What the leader has yet to answer, in words: until then it may rest on the route as it is. Without an agent it stays a
 * request, and nobody is left to whom it matters.
 */
export const openRequest = async (store: Store, slug: string): Promise<string | undefined> => {
  const open = await openAsk(store, slug);
  if (open === undefined || !(await anyMember(store))) return undefined;
  return `${open.action} asked by ${open.by} at ${open.at} has no answer yet.`;
};

export const allRoutes = async (store: Store): Promise<RouteState[]> => [...(await readStates(store)).values()];

export const requireRoute = async (store: Store, slug: string): Promise<RouteState> =>
  pickRoute(await readStates(store), slug);
