/**
 * The second half of a refresh that covers more than one route: the request itself passes to one side, and the routes named
 * in its plan are refreshed on the other side first, so that a client that refreshes everything and then reads finds its
 * writes there too. A follower that fails or is slow does not matter to the client; an authority that fails does. Whether a
 * refresh was carried out is judged here for all who ask a follower for one.
 */
import type { RouteState } from '../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../coordination/records.ts';
import type { Transports, UpstreamAnswer } from '../upstream/types.ts';
import type { FailedRefreshes } from './failed-refreshes.ts';
import type { RequestHead } from './types.ts';
import { credentialsOf } from './write/credentials.ts';

export type RefreshAlso = {
  readonly head: Pick<RequestHead, 'headers'>;
  readonly states: readonly RouteState[];
  /** The side that the client's own request goes to. */
  readonly passedTo: Side;
  readonly transports: Transports;
  /** A follower that has not answered by then is left alone. */
  readonly followerTimeoutMs: number;
  readonly refreshes?: Pick<FailedRefreshes, 'begin'> | undefined;
};

/**
 * @returns the answer of an authority that refused, which is the client's to see
 * @throws CrossfadeError of the transport when an authority cannot be refreshed
 */
export const refreshAlso = async (refresh: RefreshAlso): Promise<UpstreamAnswer | undefined> => {
  const answers = await Promise.all(refresh.states.map((state) => refreshRoute(refresh, state)));
  return answers.find((answer) => answer !== undefined && answer.status >= 400);
};

/** @returns what an authority answered */
const refreshRoute = async (refresh: RefreshAlso, state: RouteState): Promise<UpstreamAnswer | undefined> => {
  const side = otherSide(refresh.passedTo);
  const names = [...new Set(state.spec.indices.map((pair) => encodeURIComponent(pair[side])))];
  const isAuthority = authorityIn(state.phase.phase) === side;
  const settle = isAuthority ? undefined : refresh.refreshes?.begin(indicesOf(state));
  const answer = refresh.transports[side].request({
    method: 'POST',
    path: `/${names.join(',')}/_refresh?ignore_unavailable=true`,
    headers: credentialsOf(refresh.head.headers),
    ...(isAuthority ? {} : { timeoutMs: refresh.followerTimeoutMs }),
  });
  if (isAuthority) return answer;
  const isDone = await answer.then(isRefreshed, () => false);
  settle?.(isDone);
  return undefined;
};

const indicesOf = (state: RouteState) => state.spec.indices.map((_, ordinal) => ({ state, ordinal }));

/** An answer in another format, or without a body, tells by its status only. */
export const isRefreshed = ({ status, body }: Pick<UpstreamAnswer, 'status' | 'body'>): boolean => {
  if (status !== 200) return false;
  try {
    const answer = JSON.parse(body.toString('utf8')) as { _shards?: { failed?: number } } | null;
    return (answer?._shards?.failed ?? 0) === 0;
  } catch {
    return true;
  }
};
