/**
 * Keeps the answer to a change whose documents nobody can name until the tail has brought them over: a client that
 * reindexes, or changes more by query than can be enumerated, and then reads must find what it did on whichever side its
 * reads are served. Only while the follower may serve reads, and never for long: then the client is answered all the same.
 */
import { followerServesReads } from '../../coordination/effective.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { refreshAlso } from '../refresh-also.ts';
import { acknowledge, stateNow } from './attempts.ts';
import { authorityOf, isCopying } from './names.ts';
import type { WriteClient, WriteDeps } from './ports.ts';
import { refreshOf } from './single-request.ts';

export type Change = {
  readonly client: WriteClient;
  readonly state: RouteState;
  /** How long the change itself took: who waited for that waits as long again. */
  readonly tookMs: number;
};

/** Never throws. */
export const awaitTail = async (deps: WriteDeps, { client, state, tookMs }: Change): Promise<void> => {
  const { tailPassed } = deps;
  if (tailPassed === undefined || !isCopying(state) || !followerServesReads(stateNow(deps, state))) return;
  const giveUp = new AbortController();
  const seen = tailPassed(state, giveUp.signal)
    .then(() => refreshFollower(deps, client, state))
    .catch((err: unknown) => deps.logger.warn({ err, route: state.slug }, 'progress of the tail cannot be seen'));
  await acknowledge(deps, state, seen, 2 * state.spec.copies.ackTimeoutMs + tookMs);
  giveUp.abort();
};

/** As the client asked, where it may look now. */
export const refreshFollower = async (deps: WriteDeps, client: WriteClient, state: RouteState): Promise<void> => {
  if (refreshOf(client.head.query) === undefined || !followerServesReads(stateNow(deps, state))) return;
  const { transports, refreshes } = deps;
  const followerTimeoutMs = state.spec.copies.ackTimeoutMs;
  const passedTo = authorityOf(state);
  await refreshAlso({ head: client.head, states: [state], passedTo, transports, followerTimeoutMs, refreshes });
};
