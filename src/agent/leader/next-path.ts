/**
 * Which path would the next switch take, as far as is known now: fast, when the ledger vouches for every write since the
 * moment it was opened at, or fenced, and why? Pure. The switch looks again inside the hold (`mayGoFast` in switch.ts), so
 * this is for people alone, who may choose another time or rehearse first; each reason here is one of its reasons there.
 */
import type { NextSwitch } from '../../coordination/job-status.ts';
import type { Membership } from '../../coordination/membership.ts';
import { type Ledger, leftIn, unclearIn } from '../ledger.ts';
import { type Events, totalEvents } from './events.ts';
import type { ReignWork } from './job-state.ts';

export type PathFacts = {
  work: Pick<ReignWork, 'ledger' | 'ledgerEvents'>;
  events: Events;
  /** Beyond what was left to the tail; undefined before a first proof, or before this leader has heard everybody. */
  unaccounted: number | undefined;
  /** Of the ledger, lost or unheard members. */
  missing: readonly string[];
};

/** Processes that the ledger knows and that are not among those who report now, by the names of their members. */
export const goneFrom = (ledger: Ledger | undefined, boots: ReadonlySet<string | undefined>): string[] =>
  Object.entries(ledger?.lines ?? {}).flatMap(([boot, { member }]) => (boots.has(boot) ? [] : [member]));

export const missingFrom = (ledger: Ledger | undefined, { members }: Membership, outOfReach: readonly string[]) => {
  const boots = new Set([...members.values()].map(({ heartbeat }) => heartbeat?.boot));
  return [...new Set([...goneFrom(ledger, boots), ...outOfReach])].sort();
};

const reasonsOf = (ledger: Ledger, { work, events, unaccounted, missing }: PathFacts): string[] => {
  const unproven = totalEvents(events) - work.ledgerEvents;
  const unclear = unclearIn(ledger);
  const left = leftIn(ledger);
  return [
    ...(missing.length === 0 ? [] : [`${missing.join(', ')} left or lost the store`]),
    ...(unproven <= 0 ? [] : [`${unproven} by-query changes, or answers, copies or members that were lost`]),
    ...(unclear <= 0 ? [] : [`${unclear} requests with copies had no answer and may still arrive`]),
    ...(left <= 0 ? [] : [`${left} writes were left to the tail`]),
    ...(unaccounted === 0 ? [] : [`${unaccounted ?? 'not yet known how many'} writes are accounted for by nobody`]),
    ...ledger.unsure,
  ];
};

export const nextSwitch = (facts: PathFacts): NextSwitch => {
  const { ledger } = facts.work;
  const reasons =
    ledger === undefined ? ['no switch or rehearsal has opened the ledger yet'] : reasonsOf(ledger, facts);
  return { path: reasons.length === 0 ? 'fast' : 'fenced', reasons };
};
