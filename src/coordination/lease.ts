/**
 * The leader lease of one route: a key in the live bucket that its holder renews by compare-and-set and that expires by
 * itself. Validity is counted on the holder's own clocks from before the write was sent, and ends a margin before the
 * store could let the key expire, so holders never overlap while clocks run.
 * The lease saves rivals from working against each other; safety against a leader that wakes up late comes from the
 * compare-and-set chains of what it writes. So check `isHeld()` before each such action and never rely on it alone.
 */
import * as z from 'zod';
import type { Logger } from '../log.ts';
import { casAndConfirm } from './cas.ts';
import { keys } from './keys.ts';
import { parseRecord } from './parse-record.ts';
import type { Bucket, Entry } from './ports.ts';
import { systemTimers, type Timers } from './timers.ts';

/** `turn` makes each renewal's value unlike any other, so a late write can be recognised as one's own. */
const LeaseRecord = z.object({ member: z.string(), boot: z.string(), turn: z.int() });
type LeaseRecord = z.infer<typeof LeaseRecord>;

export type LeaseOptions = {
  live: Bucket;
  slug: string;
  member: string;
  /** Random per process start. */
  boot: string;
  logger: Logger;
  /** Whoever cannot use what a leader writes neither takes the lease nor renews it, so that somebody else can. */
  mayLead?: () => boolean;
  /** How long the store keeps the key after a write, at least. */
  ttlMs?: number;
  /** How long before the end of `ttlMs` the holder stops. */
  marginMs?: number;
  renewMs?: number;
  /** Monotonic, and wall: a paused virtual machine stops the first one only. */
  clock?: { monotonicMs(): number; wallMs(): number };
  timers?: Timers;
};

export interface LeaderLease {
  readonly slug: string;
  /** True only while nobody else can hold the lease. Costs two clock readings: ask before every fenced action. */
  isHeld(): boolean;
  /** Who held the lease when it was last read. */
  holder(): { member: string; boot: string } | undefined;
  /** Called when this process gains or loses the lease. */
  onChange(listener: (held: boolean) => void): () => void;
  /** Gives the lease up so that another member can take it at once, and stops campaigning. */
  release(): Promise<void>;
}

const systemClock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** Starts campaigning at once. */
export const campaign = (options: LeaseOptions): LeaderLease => new Campaign(options);

class Campaign implements LeaderLease {
  readonly slug: string;
  readonly #options: Required<LeaseOptions>;
  readonly #key: string;
  readonly #listeners = new Set<(held: boolean) => void>();
  readonly #unsubscribe: () => void;
  #turn = 0;
  /** Revision of the last write known to be ours. */
  #revision: number | undefined;
  #validUntil = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };
  #holder: { member: string; boot: string } | undefined;
  #announced = false;
  #cancelTimer: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LeaseOptions) {
    this.#options = {
      ttlMs: 15_000,
      marginMs: 3_000,
      renewMs: 4_000,
      clock: systemClock,
      mayLead: () => true,
      timers: systemTimers,
      ...options,
    };
    this.slug = options.slug;
    this.#key = keys.lease(options.slug);
    this.#unsubscribe = options.live.subscribe((change) => {
      if (change.key === this.#key && change.value === undefined && !this.isHeld()) this.#schedule(0);
    });
    this.#schedule(0);
  }

  isHeld(): boolean {
    const { clock } = this.#options;
    return (
      !this.#closed && clock.monotonicMs() < this.#validUntil.monotonicMs && clock.wallMs() < this.#validUntil.wallMs
    );
  }

  holder(): { member: string; boot: string } | undefined {
    return this.#holder;
  }

  onChange(listener: (held: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async release(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#unsubscribe();
    this.#announce();
    await this.#working;
    if (this.#revision === undefined) return;
    // Failing is harmless: the key expires.
    await this.#options.live.delete(this.#key, this.#revision).catch(() => undefined);
  }

  #schedule(delayMs: number): void {
    if (this.#closed) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.timers.set(() => this.#tick(), delayMs);
  }

  #tick(): void {
    this.#working = this.#working
      .then(() => this.#turnOnce())
      .catch((err: unknown) => this.#options.logger.debug({ err, key: this.#key }, 'lease attempt failed'))
      .finally(() => {
        this.#announce();
        this.#schedule(this.#options.renewMs);
      });
  }

  async #turnOnce(): Promise<void> {
    if (this.#closed || !this.#options.mayLead()) return;
    if (this.#revision !== undefined && (await this.#write(this.#revision)) !== 'conflict') return;
    await this.#takeIfFree();
  }

  /** After a conflict, or as a candidate: what stands in the store decides. */
  async #takeIfFree(): Promise<void> {
    const entry = await this.#options.live.get(this.#key);
    const record = entry === undefined ? undefined : readLease(entry);
    this.#holder = record;
    if (entry === undefined) await this.#write(0);
    else if (record?.boot === this.#options.boot) await this.#write(entry.revision);
    else this.#lose();
  }

  async #write(expected: number): Promise<'ok' | 'conflict' | 'in_doubt'> {
    const { live, ttlMs, marginMs, renewMs, clock, timers, member, boot } = this.#options;
    const sentAt = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    const value = JSON.stringify({ member, boot, turn: ++this.#turn } satisfies LeaseRecord);
    const result = await casAndConfirm(
      live,
      { key: this.#key, value, expected },
      // Once closed there is nothing to wait for.
      {
        now: () => (this.#closed ? Number.POSITIVE_INFINITY : clock.monotonicMs()),
        deadlineMs: sentAt.monotonicMs + renewMs,
        timers,
      },
    );
    if (!result.ok) {
      if (result.reason === 'conflict') this.#lose();
      return result.reason === 'conflict' ? 'conflict' : 'in_doubt';
    }
    const validMs = ttlMs - marginMs;
    this.#revision = result.revision;
    this.#holder = { member, boot };
    this.#validUntil = { monotonicMs: sentAt.monotonicMs + validMs, wallMs: sentAt.wallMs + validMs };
    return 'ok';
  }

  #lose(): void {
    this.#revision = undefined;
    this.#validUntil = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };
  }

  #announce(): void {
    const held = this.isHeld();
    if (held === this.#announced) return;
    this.#announced = held;
    for (const listener of this.#listeners) listener(held);
  }
}

const readLease = (entry: Entry): LeaseRecord | undefined => parseRecord(LeaseRecord, entry.value);
