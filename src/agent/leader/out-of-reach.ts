/**
 * Which members have lost the store and are not known to be stopped: they may go on writing through an epoch alias that
 * no fence has closed, unheard. A member that left by itself is none of them. Pure.
 */
import type { Membership } from '../../coordination/membership.ts';
import type { Ledger } from '../ledger.ts';
import { type Events, lostKey } from './events.ts';

export type ReachEvidence = {
  /** Opened anew behind each fence, with the members of then. */
  ledger: Ledger | undefined;
  /** Tells a leader that began later who was lost before its time. */
  events: Events;
  /** Monotonic time of the last fence: whoever was lost before it can write no more. */
  since: number;
  /** Listed, and not heard by this leader. */
  unheard: readonly string[];
};

export const lostSince = (view: Membership, since: number): string[] =>
  [...view.lost].filter(([, { lostAtMs }]) => lostAtMs >= since).map(([member]) => member);

export const outOfReach = (view: Membership, { ledger, events, since, unheard }: ReachEvidence): string[] => {
  const present = new Set([...view.members.values()].map(({ heartbeat }) => heartbeat?.boot));
  const before = Object.entries(ledger?.lines ?? {})
    .filter(([boot, { member }]) => !present.has(boot) && events[lostKey(member, boot)] !== undefined)
    .map(([, { member }]) => member);
  return [...new Set([...lostSince(view, since), ...before, ...unheard])].sort();
};
