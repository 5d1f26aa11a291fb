/**
 * What the percentages of a route mean in its present phase: people set them at any time, but only phases with two live
 * sides use them, and `stop` brings all reads home at once without touching what was written.
 * `read` is the share of reads that the follower serves: the target in `dual`, the source in `target`. No process sends a read
 * there before it knows that the follower is filled, and they learn that at different times: so what writes owe to reads of
 * the follower does not wait for it.
 */
import type { RouteState } from './ports.ts';
import type { Percents } from './records.ts';

const nothing: Percents = { read: 0, shadow: 0, write: 0 };

export const effectivePercents = ({ phase, percent, stop }: RouteState): Percents => {
  switch (phase.phase) {
    case 'off':
    case 'observe':
    case 'final':
      return nothing;
    case 'dual':
    case 'target':
      return { ...percent, read: stop ? 0 : percent.read };
    default:
      return phase.phase satisfies never;
  }
};

/** What a member says that keeps its reads at home because its own comparisons show a burst of failures. */
export const brakeText = 'reads stay on the authority: comparisons show a burst of failures of the follower';

/** What a process does by itself. `mayServe`: it knows that the follower has everything. */
export const servedPercents = (state: RouteState, mayServe: boolean): Percents => {
  const percents = effectivePercents(state);
  return mayServe ? percents : { ...percents, read: 0 };
};

/** Reads may be answered by the follower, so a client has to find there what it wrote. */
export const followerServesReads = (state: RouteState): boolean => effectivePercents(state).read > 0;

/** Writes are answered once their copies are there, or `copies.ackTimeoutMs` has passed. */
export const clientsAwaitCopies = (state: RouteState): boolean =>
  state.spec.ackPolicy === 'both' || followerServesReads(state);
