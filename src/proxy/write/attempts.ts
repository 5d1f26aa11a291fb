/**
 * The life of a write around its request to the authority: admitted under a ticket, sent once, repeated under a newer
 * phase only when the fence refused it (then it surely was not applied), and acknowledged to the client at once or after
 * its copies. A client that leaves does not undo a write that was sent: it is finished, copies and all.
 */

import { clientsAwaitCopies } from '../../coordination/effective.ts';
import { fenceIndex } from '../../coordination/keys.ts';
import type { RouteState, Ticket } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import { pause, systemTimers } from '../../coordination/timers.ts';
import { CrossfadeError, isCrossfadeError } from '../../errors.ts';
import type { UpstreamAnswer, UpstreamRequest } from '../../upstream/types.ts';
import type { ByQueryCounts } from './by-query-request.ts';
import type { Fencing } from './fence.ts';
import { authorityOf, isCopying } from './names.ts';
import type { WriteClient, WriteDeps } from './ports.ts';

/** What a fenced write may wait for a newer phase, all attempts together. */
export const replayBudgetMs = ({ spec }: RouteState): number => spec.cutover.budgetMs + spec.cutover.graceMs;

/** @throws CrossfadeError of admission, and CLIENT_CLOSED when nobody waits for the write any more */
export const admit = async (
  deps: WriteDeps,
  client: WriteClient,
  { slug, kind }: { slug: string; kind: 'write' | 'by_query' },
): Promise<Ticket> => {
  const ticket = await deps.admission.admit(slug, kind, client.aborted);
  if (!client.gone) return ticket;
  ticket.done();
  throw new CrossfadeError('CLIENT_CLOSED');
};

export const recordUnknown = (deps: WriteDeps, state: RouteState, mayDelete: boolean): void => {
  if (!isCopying(state)) return;
  deps.onEvent?.({ kind: 'unknown_outcome', slug: state.slug, mayDelete });
  deps.copies.unknownOutcome(state.slug, mayDelete);
};

/**
 * What a by-query or reindex did there: the authority's numbers that it took are this member's, so that nobody takes them
 * for a foreign writer's, and only the tail knows which documents they went to. `ordinal` stands for all its indices,
 * since the counts are those of all of them.
 */
export const recordByQuery = (
  deps: WriteDeps,
  state: RouteState,
  { ordinal, counts }: { ordinal: number; counts: ByQueryCounts | undefined },
): void => {
  if (!isCopying(state)) return;
  const { slug, phase } = state;
  if (counts === undefined) recordUnknown(deps, state, false);
  else if (counts.changed > 0) deps.copies.leftToTail(slug, { reign: phase.reign, ordinal, writes: counts.changed });
};

/** False only when the request surely did not reach the cluster. */
export const mayHaveBeenApplied = (error: unknown): boolean => !isCrossfadeError(error) || !error.notSent;

/** Sends to one side, with the time it took on the trace. The client's leaving does not cancel it. */
export const sendTo = async (
  deps: WriteDeps,
  client: WriteClient,
  { side, request }: { side: Side; request: UpstreamRequest },
): Promise<UpstreamAnswer> => {
  const startedMs = deps.now();
  try {
    return await deps.transports[side].request({ maxBodyBytes: deps.limits.maxBodyBytes, ...request });
  } finally {
    client.trace.side = side;
    client.trace.upstreamMs += deps.now() - startedMs;
  }
};

/**
 * After a fenced attempt whose ticket was given back: waits for a newer phase.
 * @param deadlineMs by the monotonic clock
 * @throws CrossfadeError FENCED when none came in time
 */
export const awaitReplay = async (
  deps: WriteDeps,
  { slug, phase, phaseRevision }: RouteState,
  deadlineMs: number,
): Promise<void> => {
  deps.onEvent?.({ kind: 'fenced', slug, epoch: phase.epoch });
  const newer = await deps.admission.awaitNewer(slug, phaseRevision, Math.max(0, deadlineMs - deps.now()));
  deps.onEvent?.({ kind: newer ? 'fence_passed' : 'fence_timeout', slug });
  if (!newer) throw new CrossfadeError('FENCED');
};

/** A newer phase is known already, so that a missing alias means an old epoch and not a missing index. */
export const knowsNewer = (deps: WriteDeps, { slug, phaseRevision }: RouteState): Promise<boolean> =>
  deps.admission.awaitNewer(slug, phaseRevision, 0);

/**
 * Whether an epoch alias points at the fence, asked of the cluster: needed where a fenced request succeeds and merely
 * finds nothing, or is refused for want of rights.
 */
export const aliasIsFenced = async (
  deps: WriteDeps,
  { side, alias, headers }: { side: Side; alias: string; headers: UpstreamAnswer['headers'] },
): Promise<boolean> => {
  const path = `/${fenceIndex}/_alias/${encodeURIComponent(alias)}`;
  try {
    const { status } = await deps.transports[side].request({ method: 'HEAD', path, headers, ownAccount: true });
    return status === 200;
  } catch {
    return false;
  }
};

type Refused = { verdict: Fencing; state: RouteState; alias: string; headers: UpstreamAnswer['headers'] };

/** Whether a refused write met the fence, and so was not applied and may be sent again; `headers` as in aliasIsFenced. */
export const metFence = async (deps: WriteDeps, { verdict, state, alias, headers }: Refused): Promise<boolean> => {
  if (verdict === 'missing_alias') return knowsNewer(deps, state);
  if (verdict === 'denied') return aliasIsFenced(deps, { side: authorityOf(state), alias, headers });
  return verdict === 'fenced';
};

/** The route as it is now: a share of reads may have begun while the write was under way, and its client reads after that. */
export const stateNow = (deps: WriteDeps, state: RouteState): RouteState =>
  deps.table().states.find(({ slug }) => slug === state.slug) ?? state;

/** Resolves when the client may be answered: at once, or when the copies have settled, or after the route's deadline. */
export const acknowledge = async (
  deps: WriteDeps,
  state: RouteState,
  settled: Promise<unknown>,
  timeoutMs = state.spec.copies.ackTimeoutMs,
): Promise<void> => {
  if (!isCopying(state) || !clientsAwaitCopies(stateNow(deps, state))) return;
  const giveUp = new AbortController();
  const timeout = pause(deps.timers ?? systemTimers, timeoutMs, giveUp.signal).then(() => 'timeout');
  const first = await Promise.race([settled.then(() => 'settled'), timeout]);
  giveUp.abort();
  if (first === 'timeout') deps.onEvent?.({ kind: 'ack_timeout', slug: state.slug });
};
