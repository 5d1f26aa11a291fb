/**
 * Tells the dashboards of all members what this one counts and found, while somebody looks and no longer: a dashboard
 * that nobody has open costs nothing. Who looks is known from the changes of the store, by the clock of this process.
 */
import { keys, watchPrefix } from '../coordination/keys.ts';
import type { Bucket, Change } from '../coordination/ports.ts';
import { repeat, systemTimers, type Timers } from '../coordination/timers.ts';
import { parseRecord } from '../coordination/parse-record.ts';
import type { TrafficLine, TrafficRecord } from '../fleet/traffic.ts';
import { type FoundRecord, fitting, WatchRecord } from '../fleet/watching.ts';

export type DashboardReportsOptions = {
  live: Bucket;
  member: string;
  boot: string;
  traffic: () => Record<string, TrafficLine>;
  /** Redacted. */
  samples: (slug: string) => readonly { id: string; at: string; severity: string }[];
  /** How many members share the store. */
  members: () => number;
  /** Monotonic milliseconds. */
  now?: () => number;
  timers?: Timers;
};

const reportEveryMs = 2000;
/** A watcher says so every four seconds; it is believed for three times as long. */
const watchedForMs = 12_000;
/** Samples are larger than counts, and change rarely. */
const samplesEveryMs = 6000;
/** Of all members together, since each of them gets every change. */
const maxSampleBytes = 512 * 1024;
const maxMemberBytes = 32 * 1024;

type Watcher = { atMs: number; samples: readonly string[] };

export const startDashboardReports = (options: DashboardReportsOptions): { stop(): void } => {
  const { live, timers = systemTimers } = options;
  const reports = new Reports(options);
  const unsubscribe = live.subscribe((change) => reports.hear(change));
  const end = repeat(timers, reportEveryMs, () => reports.send());
  return {
    stop: () => {
      unsubscribe();
      end();
    },
  };
};

class Reports {
  readonly #options: DashboardReportsOptions;
  readonly #now: () => number;
  readonly #watchers = new Map<string, Watcher>();
  #foundAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: DashboardReportsOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  hear({ key, value }: Change): void {
    if (!key.startsWith(watchPrefix)) return;
    const record = parseRecord(WatchRecord, value);
    if (record === undefined) this.#watchers.delete(key);
    else this.#watchers.set(key, { atMs: this.#now(), samples: record.samples });
  }

  async send(): Promise<void> {
    this.#forgetSilent();
    if (this.#watchers.size === 0) return;
    // A dashboard may miss a record: the next one is due in two seconds.
    await Promise.all([this.#putTraffic(), this.#putFound()]).catch(() => undefined);
  }

  #forgetSilent(): void {
    for (const [key, { atMs }] of this.#watchers) if (this.#now() - atMs > watchedForMs) this.#watchers.delete(key);
  }

  async #putTraffic(): Promise<void> {
    const { live, member, boot, traffic } = this.#options;
    const record: TrafficRecord = { schema: 1, member, boot, upMs: this.#now(), routes: traffic() };
    await live.put(keys.traffic(member), JSON.stringify(record));
  }

  async #putFound(): Promise<void> {
    const { live, member, members, samples } = this.#options;
    const slugs = [...new Set([...this.#watchers.values()].flatMap((watcher) => watcher.samples))];
    if (slugs.length === 0 || this.#now() - this.#foundAtMs < samplesEveryMs) return;
    this.#foundAtMs = this.#now();
    const bytes = Math.min(maxMemberBytes, maxSampleBytes / Math.max(1, members())) / slugs.length;
    const routes = Object.fromEntries(slugs.map((slug) => [slug, fitting(samples(slug), bytes)]));
    await live.put(keys.found(member), JSON.stringify({ schema: 1, member, routes } satisfies FoundRecord));
  }
}
