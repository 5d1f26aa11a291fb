/**
 * Which step leads nowhere from a phase, whatever else holds: the leader refuses it, and a command says so before it asks.
 * What depends on more than the phase is the gate's matter. Pure.
 */
import { pathBetween } from './phase-machine.ts';
import { type Ask, authorityIn, hasFollower, type Phase } from './records.ts';

/** For people; undefined where there is a way, perhaps. */
export const noWay = (action: Ask['action'], from: Phase): string | undefined => {
  switch (action) {
    case 'advance':
      if (from === 'final') return 'the migration is complete';
      // The end of a migration cannot be taken back, so it has a word of its own.
      return from === 'target' ? 'the target has the authority; finalize ends the migration' : undefined;
    case 'rehearse':
      return !hasFollower(from) ? `no switch of authority starts from ${from}` : undefined;
    case 'rollback':
      return from === 'final' ? 'the migration is final: the source takes no writes any more' : undefined;
    case 'phase':
    case 'finalize':
    case 'abort':
    case 'pause':
    case 'resume':
    case 'verify':
    case 'repair':
      return undefined;
    default:
      return action satisfies never;
  }
};

/** The switch of authority without which no moves lead from one phase to another; undefined when moves do. */
export const switchBetween = (from: Phase, to: Phase): 'cutover' | 'rollback' | undefined => {
  if (pathBetween(from, to) !== undefined) return undefined;
  return authorityIn(to) === 'target' ? 'cutover' : 'rollback';
};
