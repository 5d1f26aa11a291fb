/**
 * Counts the events after which only a sweep proves that no deleted document survives on the follower: what members
 * report (lost answers, dropped or unseen deletes), and each member that vanished without leaving, because what it saw
 * last was never told. Counts are kept per process start, so the total only grows. Pure.
 */
import type { Membership } from '../../coordination/membership.ts';

export type Events = Readonly<Record<string, number>>;

const bootKey = (member: string, boot: string): string => `${member}/${boot}`;
/** Under which a process that vanished without leaving is counted. */
export const lostKey = (member: string, boot: string): string => `lost:${bootKey(member, boot)}`;

export const foldEvents = (known: Events, view: Membership, slug: string): Record<string, number> => {
  const events: Record<string, number> = { ...known };
  const raise = (key: string, count: number): void => {
    events[key] = Math.max(events[key] ?? 0, count);
  };
  const living = [...view.members.values()].map(({ heartbeat }) => heartbeat);
  for (const heartbeat of [...living, ...view.departed.values()]) {
    const line = heartbeat?.routes[slug];
    if (heartbeat !== undefined && line !== undefined)
      raise(bootKey(heartbeat.member, heartbeat.boot), line.sweepNeeded + line.unknownOutcomes + line.dropped);
  }
  for (const [member, { boot }] of view.lost) raise(lostKey(member, boot ?? ''), 1);
  return events;
};

export const totalEvents = (events: Events): number => Object.values(events).reduce((sum, count) => sum + count, 0);
