/**
 * One leader candidate per route that this process knows: started when a route appears, stopped when it is gone, woken
 * when somebody asks. Which of the candidates of all members leads is the lease's matter.
 */
import { keys } from '../../coordination/keys.ts';
import { campaign, type LeaseOptions } from '../../coordination/lease.ts';
import type { RouteStates } from '../../coordination/ports.ts';
import { type RouteLeader, startRouteLeader } from './route-leader.ts';
import type { RouteLeaderDeps } from './leading.ts';

export type LeaderDeps = Omit<RouteLeaderDeps, 'slug' | 'lease' | 'state'> & {
  /** Random per process start. */
  boot: string;
  states: () => RouteStates;
  onStates: (listener: (states: RouteStates) => void) => () => void;
  /** Other clocks and timers than the system's. */
  leaseTime?: Pick<LeaseOptions, 'clock' | 'timers'>;
};

/** @returns stop: gives the leases up, so that others can lead at once. */
export const startLeaders = (deps: LeaderDeps): { stop(): Promise<void> } => {
  const { store, member, boot, logger } = deps;
  const leaders = new Map<string, RouteLeader>();
  // The bucket of leases is there also while that of the routes is gone, or refused as another one.
  const mayLead = (): boolean => store.status().connected;
  const begin = (slug: string): RouteLeader =>
    startRouteLeader({
      ...deps,
      slug,
      lease: campaign({ live: store.live, slug, member, boot, logger, mayLead, ...deps.leaseTime }),
      state: () => deps.states().get(slug),
    });
  const follow = (states: RouteStates): void => {
    for (const slug of states.keys()) if (!leaders.has(slug)) leaders.set(slug, begin(slug));
    for (const [slug, leader] of leaders) {
      if (states.has(slug)) continue;
      leaders.delete(slug);
      void leader.stop();
    }
  };
  const unfollow = deps.onStates(follow);
  const unsubscribe = store.config.subscribe(({ key }) => {
    for (const [slug, leader] of leaders) if (key === keys.ask(slug) || key === keys.stop(slug)) leader.wake();
  });
  follow(deps.states());
  return {
    stop: async () => {
      unfollow();
      unsubscribe();
      await Promise.all([...leaders.values()].map((leader) => leader.stop()));
    },
  };
};
