/**
 * What a member owes to its clients when the follower begins to serve reads. Until then a refresh that a client asks for
 * goes to the authority only, and a write is answered before its copy is there: a search of the follower would miss both. So
 * this process's searches of the route stay with the authority until its copies have arrived and the follower was refreshed
 * after them. One that cannot be refreshed counts as any refresh that failed.
 */
import { followerServesReads } from '../coordination/effective.ts';
import type { RouteState, RouteStates } from '../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../coordination/records.ts';
import type { FailedRefreshes } from '../proxy/failed-refreshes.ts';

export type FollowerRefreshOptions = {
  onStates: (listener: (states: RouteStates) => void) => unknown;
  copies: { settled(slug: string, timeoutMs: number): Promise<boolean> };
  refresh: (side: Side, index: string) => Promise<void>;
  refreshes: FailedRefreshes;
};

/** @returns what failed, and what is still to be done */
export const refreshFollowersFirst = (options: FollowerRefreshOptions): FailedRefreshes => {
  const { onStates, refreshes } = options;
  let serving = new Map<string, boolean>();
  /** By slug; a later beginning takes the place of an earlier one. */
  const awaited = new Map<string, Promise<void>>();

  const begin = (state: RouteState): void => {
    const done: Promise<void> = refreshFollower(options, state).then((isDone) => {
      if (awaited.get(state.slug) !== done) return;
      awaited.delete(state.slug);
      // One that a client asked for meanwhile and that failed stays failed.
      if (!isDone) refreshes.begin(indicesOf(state))(false);
    });
    awaited.set(state.slug, done);
  };
  onStates((states) => {
    const before = serving;
    serving = new Map([...states].map(([slug, state]) => [slug, followerServesReads(state)]));
    for (const [slug, state] of states) if (serving.get(slug) === true && before.get(slug) === false) begin(state);
  });
  return {
    begin: (indices) => refreshes.begin(indices),
    has: (indices) =>
      (awaited.size > 0 && indices.some(({ state }) => awaited.has(state.slug))) || refreshes.has(indices),
  };
};

const indicesOf = (state: RouteState) => state.spec.indices.map((_, ordinal) => ({ state, ordinal }));

const refreshFollower = async ({ copies, refresh }: FollowerRefreshOptions, state: RouteState): Promise<boolean> => {
  const side = otherSide(authorityIn(state.phase.phase));
  await copies.settled(state.slug, state.spec.copies.ackTimeoutMs);
  const refreshed = await Promise.allSettled(state.spec.indices.map((pair) => refresh(side, pair[side])));
  return refreshed.every(({ status }) => status === 'fulfilled');
};
