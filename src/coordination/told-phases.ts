/**
 * What the heartbeats tell of phases, for whoever cannot ask the store alone: where somebody has deleted a phase, or taken
 * it away without a trace, only members that had seen it know that the route is not `off`. Pure. Invariant: a process does
 * not hold a route for `off`, or for unrouted, that a member has told to be beyond; members that end take nothing back.
 */
import { heartbeatPrefix, keys } from './keys.ts';
import { parseRecord } from './parse-record.ts';
import type { Entry } from './ports.ts';
import { Heartbeat, type MemberRoute } from './records.ts';
import type { RouteFold } from './route-state.ts';

/** By slug: the revision of the newest phase record that a member has applied and that is not `off`. */
export type ToldPhases = ReadonlyMap<string, number>;
export const noneTold: ToldPhases = new Map();

/** Of the member that has applied the newest phase record; undefined before any was written. */
export const newestLine = (beats: readonly Heartbeat[], slug: string): MemberRoute | undefined =>
  beats
    .flatMap(({ routes }) => routes[slug] ?? [])
    .filter(({ phaseRevision }) => phaseRevision > 0)
    .toSorted((a, b) => b.phaseRevision - a.phaseRevision)
    .at(0);

export const slugsTold = (beats: readonly Heartbeat[]): Set<string> =>
  new Set(beats.flatMap(({ routes }) => Object.keys(routes)));

/** What was told before and what these entries of the live bucket tell; the same object when they tell nothing new. */
export const withTold = (told: ToldPhases, live: readonly Entry[]): ToldPhases => {
  const beats = live
    .filter(({ key }) => key.startsWith(heartbeatPrefix))
    .flatMap(({ value }) => parseRecord(Heartbeat, value) ?? []);
  const news = [...slugsTold(beats)].flatMap((slug) => {
    const line = newestLine(beats, slug);
    const isNew = line !== undefined && line.phase !== 'off' && line.phaseRevision > (told.get(slug) ?? 0);
    return isNew ? [[slug, line.phaseRevision] as const] : [];
  });
  return news.length === 0 ? told : new Map([...told, ...news]);
};

/** Routes that are `off` or unknown by what this process has read, and are not as members tell. */
export const wronglyOff = (fold: RouteFold, told: ToldPhases): string[] =>
  [...told].flatMap(([slug, revision]) => {
    const good = fold.get(slug)?.cells.phase.good;
    return good === undefined || (good.value.phase === 'off' && good.revision < revision) ? [slug] : [];
  });

export const wronglyOffErrors = (slugs: readonly string[]): { key: string; message: string }[] =>
  slugs.map((slug) => ({ key: keys.phase(slug), message: 'is missing, and members have left off by it: put it back' }));
