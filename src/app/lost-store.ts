/**
 * Tells at a start of routes that the clusters know as moved to the target and the store does not know, or knows as `off`:
 * most likely the store was lost and made anew, and their traffic would go to the old authority as if it were unrouted.
 * It is told and nothing is refused, because the aliases may as well be those of another installation.
 */
import { routesUnknownTo } from '../coordination/authority-from-aliases.ts';
import type { RouteStates } from '../coordination/ports.ts';
import type { Logger } from '../log.ts';
import type { Transports } from '../upstream/types.ts';
import { readAliases } from './read-aliases.ts';

export type LostStoreCheck = {
  transports: Transports;
  sameCluster: boolean;
  states: RouteStates;
  logger: Logger;
};

/** Never throws; a cluster that cannot be asked tells nothing. */
export const tellLostRoutes = async ({ transports, sameCluster, states, logger }: LostStoreCheck): Promise<void> => {
  const answers = await readAliases(transports, sameCluster);
  if (answers === undefined) return;
  const active = [...states].filter(([, { phase }]) => phase.phase !== 'off').map(([slug]) => slug);
  const lost = routesUnknownTo(new Set(active), answers).filter(({ authority }) => authority === 'target');
  for (const { slug, epoch } of lost)
    logger.error(
      { route: slug, epoch },
      'the target holds the authority of a route that the store does not know: restore the store, or leave it if the route is another installation’s or finished',
    );
};
