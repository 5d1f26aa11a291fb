/**
 * Brings the routes from the store to this process and keeps the last known good ones: in memory while the store is out
 * of reach, on disk over a restart. Changes come by subscription (fast) and by a listing every second or two (sure);
 * what they mean is decided in route-state.ts. A store that was robbed of a phase shows the route as `off` to whoever comes
 * newly, so at first the members are asked too.
 * Invariant: nothing of another incarnation of the store is ever applied, and an unreachable store changes nothing.
 */
import type { Logger } from '../log.ts';
import { nickname } from './incarnation.ts';
import { heartbeatPrefix, routeKeyPrefix } from './keys.ts';
import { settleMs } from './membership.ts';
import type { Entry, RouteStates, Store } from './ports.ts';
import { type CacheOrigin, type RouteCache, readRouteCache, routeCacheTime, writeRouteCache } from './route-cache.ts';
import {
  absences,
  alarmsOf,
  changesOf,
  emptyFold,
  errorsIn,
  foldChanges,
  highestIn,
  keptIn,
  rebase,
  type RouteFold,
  regressions,
  routesWithoutSpec,
  statesOf,
  unwritten,
} from './route-state.ts';
import { systemTimers, type Timers } from './timers.ts';
import { noneTold, type ToldPhases, withTold, wronglyOff, wronglyOffErrors } from './told-phases.ts';

export type RouteWatcherOptions = {
  store: Store;
  /** Where the last known good routes are kept; undefined = nowhere (the embedded store is its own cache). */
  cacheFile?: string | undefined;
  cacheOrigin?: CacheOrigin | undefined;
  logger: Logger;
  /** Monotonic milliseconds. */
  now?: () => number;
  /** Milliseconds since the epoch. */
  date?: () => number;
  timers?: Timers;
  pollMs?: number;
  /** Without a successful listing for so long, the member counts as stale. */
  staleAfterMs?: number;
};

/**
 * unknown: neither the store nor the cache has answered, so it is not known which side holds the authority of anything.
 * cached: from disk, the store has not answered yet. live: listed from the store at least once.
 */
export type Knowledge = 'unknown' | 'cached' | 'live';
export type WatcherStatus = {
  knowledge: Knowledge;
  /** No listing succeeded lately, or an alarm stands. */
  stale: boolean;
  /** Since the last successful listing; undefined = there was none. */
  staleMs: number | undefined;
  incarnation: string | undefined;
  /** How old the cached state was when this process began; undefined = there was none. */
  cacheAgeMs: number | undefined;
  alarm: string | undefined;
  /** Refused or deleted values, also of routes that have no state yet. */
  errors: readonly { key: string; message: string }[];
  /** Routes whose phase is not known, or that are not `off` and whose spec is not: their traffic has no known authority. */
  withoutSpec: readonly string[];
};

export interface RouteWatcher {
  current(): RouteStates;
  status(): WatcherStatus;
  /** Called with the new states whenever something changed, and when the store was listed for the first time. */
  onChange(listener: (states: RouteStates) => void): () => void;
  /** Lists the store now. @throws CrossfadeError STORE_UNAVAILABLE */
  refresh(): Promise<void>;
  /** Stops, after the cache is written. */
  close(): Promise<void>;
}

/** Resolves when the cache was read; the store may come later. A damaged or foreign cache is reported and counts as none. */
export const startRouteWatcher = async (options: RouteWatcherOptions): Promise<RouteWatcher> => {
  const { cacheFile, cacheOrigin, logger, date = Date.now } = options;
  if (cacheFile === undefined) return new Watcher(options, undefined);
  const writtenAtMs = await routeCacheTime(cacheFile);
  try {
    const cache = await readRouteCache(cacheFile, cacheOrigin);
    return new Watcher(options, cache && { ...cache, ageMs: date() - (writtenAtMs ?? 0) });
  } catch (err) {
    logger.error({ err, cacheFile }, 'cached routes cannot be read');
    return new Watcher(options, undefined);
  }
};

const saveAfterMs = 50;
/** The file's time tells until when it was known to be true, so it is written anew though nothing has changed. */
const saveAgainMs = 60_000;

const without = (states: RouteStates, slugs: readonly string[]): RouteStates =>
  slugs.length === 0 ? states : new Map([...states].filter(([slug]) => !slugs.includes(slug)));

class Watcher implements RouteWatcher {
  readonly #options: RouteWatcherOptions &
    Required<Pick<RouteWatcherOptions, 'now' | 'timers' | 'pollMs' | 'staleAfterMs'>>;
  readonly #listeners = new Set<(states: RouteStates) => void>();
  readonly #unsubscribe: () => void;
  #fold: RouteFold = emptyFold;
  /** As it was restored, and so without what came since. */
  #cached: RouteFold = emptyFold;
  #told: ToldPhases = noneTold;
  #states: RouteStates = new Map();
  #incarnation: string | undefined;
  #knowledge: Knowledge = 'unknown';
  #firstListedAtMs: number | undefined;
  #listedAtMs: number | undefined;
  #wentBack: string | undefined;
  /** The highest revision ever applied, and the losses of the store that are known. */
  #highest = 0;
  #losses = 0;
  #reachable = true;
  #cancelPoll: () => void = () => undefined;
  #cancelSave: (() => void) | undefined;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #cacheAgeMs: number | undefined;
  #saving: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: RouteWatcherOptions, cache: (RouteCache & { ageMs: number }) | undefined) {
    this.#options = {
      now: () => performance.now(),
      timers: systemTimers,
      pollMs: 1_500,
      staleAfterMs: 5_000,
      ...options,
    };
    if (cache !== undefined) this.#restore(cache);
    this.#unsubscribe = options.store.config.subscribe((change) => {
      // A key that vanished may be one that the store has lost: the listing judges that.
      if (this.#foreign() === undefined && change.expired !== true)
        this.#take(foldChanges(this.#fold, [change]), this.#told);
    });
    void this.#poll();
  }

  current(): RouteStates {
    return this.#states;
  }

  status(): WatcherStatus {
    const { now, staleAfterMs } = this.#options;
    const staleMs = this.#listedAtMs === undefined ? undefined : now() - this.#listedAtMs;
    const alarm = this.#alarm();
    const doubtful = wronglyOff(this.#fold, this.#told);
    return {
      knowledge: this.#knowledge,
      stale: staleMs === undefined || staleMs > staleAfterMs || alarm !== undefined,
      staleMs,
      incarnation: this.#incarnation,
      cacheAgeMs: this.#cacheAgeMs,
      alarm,
      errors: [...errorsIn(this.#fold), ...wronglyOffErrors(doubtful)],
      withoutSpec: [...new Set([...routesWithoutSpec(this.#fold), ...doubtful])],
    };
  }

  onChange(listener: (states: RouteStates) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async refresh(): Promise<void> {
    const { store, now } = this.#options;
    const before = this.#fold;
    // Before the listing: what members have applied by then stands in it, if it stands anywhere.
    const told = await this.#askMembers();
    const entries = await store.config.list(routeKeyPrefix);
    if (this.#foreign() !== undefined || this.#closed) return;
    this.#incarnation = store.status().incarnation;
    this.#wentBack = this.#lookBack(before, entries);
    const fold = this.#rebased(entries);
    const isFirst = this.#knowledge !== 'live';
    this.#knowledge = 'live';
    this.#listedAtMs = now();
    this.#firstListedAtMs ??= this.#listedAtMs;
    // Where revisions went backwards, a missing key proves nothing.
    const gone = this.#wentBack === undefined ? absences(before, fold, entries) : [];
    const isNews = this.#take(foldChanges(fold, [...entries, ...gone, ...unwritten(fold, entries, told)]), told);
    // What came by subscription before it was not believed until now, and it may have come whole.
    if (isFirst && !isNews) this.#tell();
    if (this.#listedAtMs - this.#savedAtMs >= saveAgainMs && this.#alarm() === undefined) this.#saveSoon();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    this.#cancelPoll();
    if (this.#cancelSave !== undefined) this.#save();
    await this.#saving;
  }

  #restore({ incarnation, changes, ageMs }: RouteCache & { ageMs: number }): void {
    this.#cacheAgeMs = ageMs;
    this.#incarnation = incarnation;
    this.#knowledge = 'cached';
    this.#cached = foldChanges(emptyFold, changes);
    this.#fold = this.#cached;
    this.#states = statesOf(this.#fold);
  }

  async #poll(): Promise<void> {
    try {
      await this.refresh();
      if (!this.#reachable) this.#options.logger.info('the coordination store answers again');
      this.#reachable = true;
    } catch (err) {
      if (this.#reachable)
        this.#options.logger.warn({ err }, 'the coordination store does not answer, routes stay as they are');
      this.#reachable = false;
    }
    if (!this.#closed) this.#cancelPoll = this.#options.timers.set(() => void this.#poll(), this.#options.pollMs);
  }

  /** Until all who live have been heard; whoever has seen a phase holds it from then on. */
  async #askMembers(): Promise<ToldPhases> {
    const { store, now } = this.#options;
    if (this.#firstListedAtMs !== undefined && now() - this.#firstListedAtMs > settleMs) return this.#told;
    return withTold(this.#told, await store.live.list(heartbeatPrefix));
  }

  /** How the store is seen to have lost acknowledged writes, until it reaches beyond all that was applied. */
  #lookBack(before: RouteFold, entries: readonly Entry[]): string | undefined {
    this.#highest = Math.max(this.#highest, highestIn(before));
    const { lastRevision = this.#highest } = this.#options.store.config.reach?.() ?? {};
    const [lower] = regressions(before, entries);
    if (lower !== undefined) return `${lower.key} ${lower.message}`;
    return lastRevision < this.#highest
      ? `the store ends at revision ${lastRevision}, below ${this.#highest} already applied`
      : undefined;
  }

  /** Once for each loss; one of before this process began shows in the cached state. */
  #rebased(entries: readonly Entry[]): RouteFold {
    const reach = this.#options.store.config.reach?.();
    if (reach === undefined) return this.#fold;
    const isNew = reach.losses > this.#losses;
    this.#losses = reach.losses;
    if (isNew) return rebase(this.#fold, reach.lost, entries);
    const end = reach.lastRevision;
    const isCached = this.#knowledge === 'cached' && end < highestIn(this.#cached);
    return isCached ? rebase(this.#fold, { end, kept: keptIn(this.#cached, entries) }, entries) : this.#fold;
  }

  /** Why the store's contents must not be applied: they belong to another incarnation than the states in force. */
  #foreign(): string | undefined {
    const { incarnation } = this.#options.store.status();
    if (this.#incarnation === undefined || incarnation === this.#incarnation) return undefined;
    const other = incarnation === undefined ? 'not known' : nickname(incarnation);
    return `the store is another one (incarnation ${other}, not ${nickname(this.#incarnation)})`;
  }

  #alarm(): string | undefined {
    const [record] = alarmsOf(this.#fold);
    const { alarm, incarnation } = this.#options.store.status();
    const foreign = incarnation === undefined ? undefined : this.#foreign();
    return alarm ?? foreign ?? this.#wentBack ?? (record && `${record.key} ${record.message}`);
  }

  /** @returns whether something changed, which everybody was told then */
  #take(fold: RouteFold, told: ToldPhases): boolean {
    if ((fold === this.#fold && told === this.#told) || this.#closed) return false;
    this.#fold = fold;
    this.#told = told;
    this.#states = without(statesOf(fold), wronglyOff(fold, told));
    this.#saveSoon();
    this.#tell();
    return true;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener(this.#states);
  }

  #saveSoon(): void {
    if (this.#options.cacheFile === undefined || this.#cancelSave !== undefined) return;
    this.#cancelSave = this.#options.timers.set(() => this.#save(), saveAfterMs);
  }

  #save(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    const { cacheFile, cacheOrigin, logger } = this.#options;
    const incarnation = this.#incarnation ?? this.#options.store.status().incarnation;
    if (cacheFile === undefined || incarnation === undefined) return;
    this.#savedAtMs = this.#options.now();
    // A start without the store would take it for `off`, and rather asks the clusters.
    if (wronglyOff(this.#fold, this.#told).length > 0) return;
    this.#saving = this.#saving
      .then(() => writeRouteCache(cacheFile, { incarnation, changes: changesOf(this.#fold) }, cacheOrigin))
      .catch((err: unknown) => logger.error({ err, cacheFile }, 'routes cannot be cached'));
  }
}
