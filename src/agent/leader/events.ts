/**
 * Counts the events after which only a sweep proves that no deleted document survives on the follower: what members
 * report (lost answers, dropped or unseen deletes), by-query changes that they left running when they ended, and each
 * member that vanished without leaving, because what it saw last was never told: each time, for one that is heard again may
 * vanish once more. Counts are kept per process start, so the total only grows; those of processes that nobody hears any more become one sum in time. Should one of these come back, it
 * counts again, which costs a sweep. Pure.
 */
import type { Membership } from '../../coordination/membership.ts';
import type { Heartbeat } from '../../coordination/records.ts';

export type Events = Readonly<Record<string, number>>;

/** Under which the events of a process are counted. */
export const bootKey = (member: string, boot: string): string => `${member}/${boot}`;
/** Under which a process that vanished without leaving is counted. */
export const lostKey = (member: string, boot: string): string => `lost:${bootKey(member, boot)}`;
/** That a process which had vanished is heard again: counts nothing itself, and the next time it vanishes counts. */
const backKey = (member: string, boot: string): string => `back:${bootKey(member, boot)}`;
/** What a process had left running has come to its end: a sweep that was made before it covers too little. */
export const leftKey = (boot: string): string => `left:${boot}`;

/** The sum of what is not kept by process any more. */
const goneKey = 'gone';
/** Keeps the record far below the store's message size, whatever number of processes a long migration sees. */
const mostGone = 100;

const foldGone = (events: Events, reported: ReadonlySet<string>): Record<string, number> => {
  const gone = Object.entries(events).filter(([key]) => key !== goneKey && !reported.has(key));
  const over = gone.slice(0, -mostGone);
  if (over.length === 0) return { ...events };
  const folded = new Map(over);
  const kept = Object.entries(events).filter(([key]) => !folded.has(key));
  const sum = totalEvents(Object.fromEntries(over)) + (events[goneKey] ?? 0);
  return { ...Object.fromEntries(kept), [goneKey]: sum };
};

type Line = Pick<Heartbeat['routes'][string], 'sweepNeeded' | 'unknownOutcomes' | 'dropped'>;
export const eventsIn = ({ sweepNeeded, unknownOutcomes, dropped }: Line): number =>
  sweepNeeded + unknownOutcomes + dropped;

export const foldEvents = (known: Events, view: Membership, slug: string): Record<string, number> => {
  const events: Record<string, number> = { ...known };
  const reported = new Set<string>();
  const raise = (key: string, count: number): void => {
    reported.add(key);
    events[key] = Math.max(events[key] ?? 0, count);
  };
  const report = ({ member, boot, routes }: Heartbeat, more: number): void => {
    const line = routes[slug];
    if (line === undefined) return;
    raise(bootKey(member, boot), eventsIn(line) + more);
  };
  const noteBack = ({ member, boot }: Heartbeat): void => {
    const [lost, back] = [lostKey(member, boot), backKey(member, boot)];
    if (events[lost] === undefined) return;
    events[back] = 0;
    reported.add(lost).add(back);
  };
  for (const { heartbeat } of view.members.values()) {
    if (heartbeat === undefined) continue;
    report(heartbeat, 0);
    noteBack(heartbeat);
  }
  // What it left behind may delete, and nobody follows it any more.
  for (const heartbeat of view.departed.values()) report(heartbeat, heartbeat.routes[slug]?.byQuery ?? 0);
  const lost = [...view.lost].map(([member, { boot }]) => ({ member, boot: boot ?? '' }));
  for (const { member, boot } of lost) reported.add(lostKey(member, boot));
  return foldGone(withLost(events, lost), reported);
};

/** The same events where all of these were counted when they vanished, and none has been heard since. */
export const withLost = (events: Events, lost: readonly { member: string; boot: string }[]): Events => {
  const news = lost.filter(
    ({ member, boot }) => events[lostKey(member, boot)] === undefined || events[backKey(member, boot)] !== undefined,
  );
  if (news.length === 0) return events;
  const counted = new Map(Object.entries(events));
  for (const { member, boot } of news) {
    counted.set(lostKey(member, boot), (events[lostKey(member, boot)] ?? 0) + 1);
    counted.delete(backKey(member, boot));
  }
  return Object.fromEntries(counted);
};

export const totalEvents = (events: Events): number => Object.values(events).reduce((sum, count) => sum + count, 0);
