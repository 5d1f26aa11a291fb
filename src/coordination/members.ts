/**
 * Publishes this process's heartbeat and reads everybody's. The heartbeat goes out every two seconds and at once when
 * something was asked for that others wait on; the view is fed by the subscription (fast) and by a listing every two
 * seconds (sure). What the view means is decided in membership.ts. Invariant: no heartbeat is sent before this process
 * stands where a leader finds it that has never heard of it.
 */
import type { Logger } from '../log.ts';
import { heartbeatPrefix, keys } from './keys.ts';
import { foldHeartbeat, foldHeartbeats, type Membership, noMembers, outOfSight } from './membership.ts';
import type { Bucket } from './ports.ts';
import type { Heartbeat } from './records.ts';
import { systemTimers, type Timers } from './timers.ts';

export type MembersOptions = {
  live: Bucket;
  member: string;
  /** Random per process start. */
  boot: string;
  version: string;
  /** URL of the admin listener. */
  admin?: string | undefined;
  /** The lines of this member about its routes, as they are now. */
  report: () => Heartbeat['routes'];
  /**
   * Puts this process on the durable list, see process-list.ts; `again`: after a silence in which it may have been taken
   * for lost, and struck off.
   */
  enlist?: (again: boolean) => Promise<void>;
  /** Serving from cached state. */
  stale: () => boolean;
  logger: Logger;
  /** Monotonic milliseconds. */
  now?: () => number;
  timers?: Timers;
  beatMs?: number;
};

export interface Members {
  view(): Membership;
  onChange(listener: (view: Membership) => void): () => void;
  /** Sends a heartbeat within about a millisecond; calls in between are one. */
  beat(): void;
  /** Lists everybody's heartbeats now: whoever joined before is in the view after. @throws CrossfadeError STORE_UNAVAILABLE */
  refresh(): Promise<void>;
  /**
   * Puts the first heartbeat and begins to repeat it. Resolves when the store has it: re-read the phase then, and open
   * the listener after that, so that no barrier can overlook this member.
   * @throws CrossfadeError STORE_UNAVAILABLE, STORE_OUTCOME_UNKNOWN; beating goes on all the same
   */
  join(): Promise<void>;
  /** The store has had a heartbeat of this process: no barrier overlooks it from then on. */
  heard(): boolean;
  /** Sends the last report, after which nobody waits for this member, and stops. It has ended all its work before. */
  leave(): Promise<void>;
}

const coalesceMs = 1;
/** Well before a heartbeat runs out. */
const silentMs = 8_000;

export const createMembers = (options: MembersOptions): Members => new Membering(options);

class Membering implements Members {
  readonly #options: MembersOptions & { now: () => number; timers: Timers; beatMs: number };
  readonly #key: string;
  readonly #listeners = new Set<(view: Membership) => void>();
  readonly #unsubscribe: () => void;
  #view: Membership = noMembers;
  #joined = false;
  #heard = false;
  /** Before the last heartbeat that the store has. */
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #left = false;
  #cancelBeat: (() => void) | undefined;
  #cancelPoll: () => void = () => undefined;
  #sending: Promise<void> | undefined;
  #again = false;

  constructor(options: MembersOptions) {
    this.#options = { now: () => performance.now(), timers: systemTimers, beatMs: 2_000, ...options };
    this.#key = keys.heartbeat(options.member);
    this.#unsubscribe = options.live.subscribe((change) =>
      this.#replace(foldHeartbeat(this.#view, change, this.#options.now())),
    );
    void this.#poll();
  }

  view(): Membership {
    return this.#view;
  }

  onChange(listener: (view: Membership) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  beat(): void {
    if (!this.#joined || this.#left || this.#cancelBeat !== undefined) return;
    this.#cancelBeat = this.#options.timers.set(() => {
      this.#cancelBeat = undefined;
      if (this.#sending === undefined) void this.#send().catch(() => undefined);
      else this.#again = true;
    }, coalesceMs);
  }

  refresh(): Promise<void> {
    return this.#list();
  }

  heard(): boolean {
    return this.#heard;
  }

  async join(): Promise<void> {
    this.#joined = true;
    await this.#send();
    await this.#list();
  }

  async leave(): Promise<void> {
    this.#left = true;
    this.#cancelBeat?.();
    this.#cancelPoll();
    this.#unsubscribe();
    await this.#sending?.catch(() => undefined);
    if (!this.#joined) return;
    // Not deleted: a leader that looks every few seconds would miss what was written since the report before. Failing is
    // harmless: the key expires, and the member counts as lost.
    const last: Heartbeat = { ...this.#heartbeat(), leaving: true };
    await this.#options.live.put(this.#key, JSON.stringify(last)).catch(() => undefined);
  }

  /** One write at a time, so that an older report can never land on a newer one. */
  async #send(): Promise<void> {
    this.#sending ??= this.#put().finally(() => {
      this.#sending = undefined;
      if (this.#again) this.beat();
      this.#again = false;
    });
    await this.#sending;
  }

  async #put(): Promise<void> {
    const { live, now } = this.#options;
    const beganMs = now();
    try {
      await this.#enlist(beganMs - this.#toldAtMs > silentMs);
      await live.put(this.#key, JSON.stringify(this.#heartbeat()));
      this.#toldAtMs = beganMs;
      this.#heard = true;
      // It may have been struck off between the two writes.
      if (now() - beganMs > silentMs) this.beat();
    } catch (err) {
      this.#options.logger.debug({ err }, 'heartbeat not stored');
      throw err;
    }
  }

  /** Who cannot stand on the list is not to be heard, but must be seen: a store that has users is not begun anew. */
  async #enlist(again: boolean): Promise<void> {
    const { live, enlist, member, boot } = this.#options;
    try {
      await enlist?.(again);
    } catch (error) {
      await live.put(keys.claim(member), boot).catch(() => undefined);
      throw error;
    }
  }

  #heartbeat(): Heartbeat {
    const { member, boot, version, admin, report, stale } = this.#options;
    return { schema: 1, member, boot, version, stale: stale(), routes: report(), ...(admin && { admin }) };
  }

  async #poll(): Promise<void> {
    this.beat();
    await this.#list().catch(() => this.#replace(outOfSight(this.#view)));
    if (!this.#left) this.#cancelPoll = this.#options.timers.set(() => void this.#poll(), this.#options.beatMs);
  }

  async #list(): Promise<void> {
    const before = this.#view;
    const entries = await this.#options.live.list(heartbeatPrefix);
    this.#replace(foldHeartbeats(this.#view, { before, entries, nowMs: this.#options.now() }));
  }

  #replace(view: Membership): void {
    if (view === this.#view || this.#left) return;
    this.#warnOfTwin(view);
    this.#view = view;
    for (const listener of this.#listeners) listener(view);
  }

  #warnOfTwin(view: Membership): void {
    const { member, logger } = this.#options;
    const contested = view.members.get(member)?.contestedAtMs;
    if (contested !== undefined && contested !== this.#view.members.get(member)?.contestedAtMs)
      logger.error({ member }, 'another process uses the name of this member: names must be unique');
  }
}
