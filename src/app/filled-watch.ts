/**
 * Whether the follower of a route is filled, for what is compared and what is read from the follower meanwhile: read from
 * the leader's own record, by every process, while a route is in `dual`. The leader drops what an earlier stay had reached
 * before it writes the phase record of a new one, so an answer that was asked for under a phase record is about that stay.
 * Invariant: until it is known, it is not complete.
 */
import { readLeaderRecord } from '../agent/leader-record.ts';
import { every, type Runtime } from '../agent/runtime.ts';
import type { Bucket, RouteState, RouteStates } from '../coordination/ports.ts';

const lookEveryMs = 2_000;

export interface FilledWatch {
  /** As last seen, whichever stay that was: evidence of comparisons must not begin anew with each phase record. */
  isFilled(slug: string): boolean;
  /** The follower has everything, as far as is known of this very phase record: it may answer clients. */
  mayServe(state: RouteState): boolean;
  stop(): void;
}
export type FilledWatchOptions = {
  bucket: Pick<Bucket, 'get'>;
  states: () => RouteStates;
  onStates: (listener: (states: RouteStates) => void) => () => void;
  runtime: Runtime;
};

type Seen = { filled: boolean; phaseRevision: number };

/** In `target` the follower is the source, and a switch begins from a complete backfill only. */
const isFilledByPhase = ({ phase }: RouteState): boolean => phase.phase !== 'dual' || phase.hold !== undefined;

export const watchFilled = ({ bucket, states, onStates, runtime }: FilledWatchOptions): FilledWatch => {
  const seen = new Map<string, Seen>();

  const isKnown = ({ slug, phaseRevision }: RouteState): boolean => {
    const last = seen.get(slug);
    return last?.filled === true && last.phaseRevision === phaseRevision;
  };
  const look = async ({ slug, phaseRevision }: RouteState): Promise<void> => {
    const { filled } = await readLeaderRecord(bucket, slug);
    if ((seen.get(slug)?.phaseRevision ?? 0) <= phaseRevision) seen.set(slug, { filled, phaseRevision });
  };
  // Without the store what was known last holds.
  const lookAt = (wanted: (state: RouteState) => boolean): void => {
    for (const state of states().values())
      if (state.phase.phase === 'dual' && wanted(state)) void look(state).catch(() => undefined);
  };
  lookAt(() => true);
  const unsubscribe = onStates(() => lookAt((state) => !isKnown(state)));
  const cancel = every(runtime, lookEveryMs, () => lookAt(() => true));
  return {
    isFilled: (slug) => seen.get(slug)?.filled ?? false,
    mayServe: (state) => isFilledByPhase(state) || isKnown(state),
    stop: () => {
      unsubscribe();
      cancel();
    },
  };
};
