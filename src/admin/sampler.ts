/**
 * One look at the fleet every two seconds for all dashboards of this process, however many clients it has: the same
 * status that /api/status answers, and a point of each chart. Runs while somebody listens and a while longer, so that a
 * page that comes back finds what happened meanwhile. The last quarter of an hour is kept, less of very many routes.
 */
import { foundPrefix, keys, trafficPrefix } from '../coordination/keys.ts';
import type { Store } from '../coordination/ports.ts';
import { repeat, systemTimers, type Timers } from '../coordination/timers.ts';
import { type ChartPoint, chartPoint } from '../fleet/chart-point.ts';
import type { FleetStatus } from '../fleet/fleet-status.ts';
import { growthOf, nextSeen, type Seen, trafficIn } from '../fleet/traffic.ts';
import { type Sample as Finding, samplesIn, type WatchRecord } from '../fleet/watching.ts';

export type Points = Record<string, ChartPoint>;
/** A moment of all routes; `seq` counts up by one. */
export type Moment = { seq: number; atMs: number; points: Points };
export type Look = Moment & { fleet: FleetStatus };
/** `problem`: the store did not answer; what was shown last is old. */
export type SamplerEvent = { kind: 'look'; look: Look } | { kind: 'problem'; message: string };

export type SamplerOptions = {
  store: Pick<Store, 'live'>;
  fleet: () => Promise<FleetStatus>;
  member: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  timers?: Timers;
};

export interface Sampler {
  /** Looks at once, and then every two seconds as long as there are listeners. Returns detach. */
  attach(listener: (event: SamplerEvent) => void): () => void;
  /** Moments after `seq`, oldest first. */
  since(seq: number): Moment[];
  /** The last look; undefined = none yet, or the store did not answer at the last try. */
  latest(): Look | undefined;
  /** Samples of mismatches that members tell of, gravest first; they need some seconds to hear that they are wanted. */
  findings(slug: string): Promise<Finding[]>;
  close(): void;
}

export const tickMs = 2000;
const keptMoments = 450;
/** Of all routes together: a page gets all of them when it opens. */
const keptPoints = 20_000;
const fewestMoments = 30;
const watchEveryMs = 4000;
/** Ticks without a listener before the looking ends. */
const lingerTicks = 150;
const wantedForMs = 30_000;

export const createSampler = (options: SamplerOptions): Sampler => new SharedSampler(options);

class SharedSampler implements Sampler {
  readonly #options: SamplerOptions;
  readonly #listeners = new Set<(event: SamplerEvent) => void>();
  /** By route: until when its samples are wanted. */
  readonly #wanted = new Map<string, number>();
  #moments: Moment[] = [];
  #latest: Look | undefined;
  #seen: Seen = new Map();
  #seq = 0;
  #idleTicks = 0;
  #watchedAtMs = Number.NEGATIVE_INFINITY;
  #end: (() => void) | undefined;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  attach(listener: (event: SamplerEvent) => void): () => void {
    this.#listeners.add(listener);
    this.#idleTicks = 0;
    if (this.#end === undefined) {
      this.#end = repeat(this.#options.timers ?? systemTimers, tickMs, () => this.#tick());
      void this.#look();
    }
    return () => this.#listeners.delete(listener);
  }

  since(seq: number): Moment[] {
    return this.#moments.filter((moment) => moment.seq > seq);
  }

  latest(): Look | undefined {
    return this.#latest;
  }

  async findings(slug: string): Promise<Finding[]> {
    const { store, now } = this.#options;
    if (!this.#wanted.has(slug)) this.#watchedAtMs = Number.NEGATIVE_INFINITY;
    this.#wanted.set(slug, now() + wantedForMs);
    await this.#sayWatching();
    return samplesIn(await store.live.list(foundPrefix), slug);
  }

  close(): void {
    this.#end?.();
    this.#end = undefined;
    this.#listeners.clear();
  }

  async #tick(): Promise<void> {
    this.#idleTicks = this.#listeners.size > 0 ? 0 : this.#idleTicks + 1;
    if (this.#idleTicks > lingerTicks) {
      this.#end?.();
      this.#end = undefined;
      this.#seen = new Map();
      return;
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    const { store, fleet } = this.#options;
    try {
      await this.#sayWatching();
      const [status, entries] = await Promise.all([fleet(), store.live.list(trafficPrefix)]);
      this.#seen = nextSeen(this.#seen, trafficIn(entries));
      this.#take(status);
    } catch (error) {
      this.#latest = undefined;
      this.#tell({ kind: 'problem', message: error instanceof Error ? error.message : String(error) });
    }
  }

  #take(fleet: FleetStatus): void {
    const points = Object.fromEntries(
      fleet.routes.map((route) => [route.route, chartPoint(route, growthOf(this.#seen, route.route))]),
    );
    this.#seq += 1;
    const moment = { seq: this.#seq, atMs: this.#options.now(), points };
    const kept = Math.min(keptMoments, Math.max(fewestMoments, Math.floor(keptPoints / fleet.routes.length)));
    this.#moments = [...this.#moments.slice(1 - kept), moment];
    this.#latest = { ...moment, fleet };
    this.#tell({ kind: 'look', look: this.#latest });
  }

  /** Members count for the dashboards only while somebody says that he looks. */
  async #sayWatching(): Promise<void> {
    const { store, member, now } = this.#options;
    // A clock that is set back must not silence it.
    if (Math.abs(now() - this.#watchedAtMs) < watchEveryMs) return;
    this.#watchedAtMs = now();
    for (const [slug, untilMs] of this.#wanted) if (untilMs < now()) this.#wanted.delete(slug);
    const record: WatchRecord = { schema: 1, samples: [...this.#wanted.keys()] };
    await store.live.put(keys.watch(member), JSON.stringify(record));
  }

  #tell(event: SamplerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
