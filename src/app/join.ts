/**
 * Makes a process known to the others: first its heartbeat, then a look at the phases, so that whoever begins a move after
 * that look sees this member. The store connects in the background, and one that comes soon is waited for: a process that
 * serves unheard has to claim what it writes, and follows no phase meanwhile.
 */
import type { Members } from '../coordination/members.ts';
import type { RouteWatcher } from '../coordination/route-watcher.ts';
import type { Logger } from '../log.ts';
import { storeWaitMs } from './learn-routes.ts';

export type JoinDeps = {
  members: Pick<Members, 'join'>;
  watcher: Pick<RouteWatcher, 'refresh'>;
  isConnected: () => boolean;
  /** False when the store was waited for in vain already. */
  mayWait: boolean;
  pause: (ms: number) => Promise<void>;
  logger: Logger;
};

const pollMs = 50;

const hasJoined = async ({ members, watcher, logger }: JoinDeps): Promise<boolean> => {
  try {
    await members.join();
    await watcher.refresh();
    return true;
  } catch (err) {
    logger.debug({ err }, 'not joined');
    return false;
  }
};

const untilJoined = async (deps: JoinDeps, isOver: () => boolean): Promise<boolean> => {
  let joined = await hasJoined(deps);
  while (!joined && deps.mayWait && !isOver()) {
    await deps.pause(pollMs);
    joined = !isOver() && deps.isConnected() && (await hasJoined(deps));
  }
  return joined;
};

/** @returns whether it came to that look in time; heartbeats are tried on in any case */
export const join = async (deps: JoinDeps): Promise<boolean> => {
  let over = false;
  const tooLate = deps.pause(storeWaitMs).then(() => {
    over = true;
    return false;
  });
  const joined = await Promise.race([untilJoined(deps, () => over), tooLate]);
  if (!joined) deps.logger.warn('the membership cannot be joined yet, trying on');
  return joined;
};
