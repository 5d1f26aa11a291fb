/**
 * Keeps a mirror of one bucket up to date and tells subscribers of changes: by republished messages (milliseconds) and by
 * a look at the stream every second, which finds whatever a republished message did not bring. A KV watch is not used:
 * it can be silent for minutes after the loss of a server.
 * Invariants: when the bucket is gone or is not the one that was pinned, looks fail and nothing is told; it never shows as
 * empty. After a look no key is missing that was written before it.
 */
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { CrossfadeError } from '../errors.ts';
import { BucketMirror } from './bucket-mirror.ts';
import { keys } from './keys.ts';
import { toStoreError } from './nats-errors.ts';
import type { NatsStreamReader } from './nats-stream-reader.ts';
import type { Change, Entry, Loss, Reach } from './ports.ts';
import type { Timers } from './timers.ts';

export type FollowerOptions = {
  timers: Timers;
  /** Monotonic milliseconds. */
  now: () => number;
  pollMs: number;
  /** Judges the value of `meta` whenever it may have changed; a reason refuses the whole bucket. */
  accept?: (meta: string | undefined) => string | undefined;
  /** After each look at the stream: `error` undefined = all is well. */
  onLook: (error: CrossfadeError | undefined) => void;
};
export type FollowerLink = {
  connection: NatsConnection;
  reader: NatsStreamReader;
  /** Where the stream republishes; undefined = it does not, and changes are found by polling alone. */
  republished: string | undefined;
};

/** Each round is shorter than the one before, unless a key is written without a pause. */
const maxPartial = 5;

export class NatsFollower {
  readonly #options: FollowerOptions;
  readonly #listeners = new Set<(change: Change) => void>();
  #mirror = new BucketMirror();
  #reader: NatsStreamReader | undefined;
  #subscription: Subscription | undefined;
  #looking: Promise<void> | undefined;
  #nextLook: Promise<void> | undefined;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #refusal: string | undefined;
  /** Revision that was reached before the stream went back behind it. */
  #highest = 0;
  #losses = 0;
  #lost: Loss = { end: 0, kept: 0 };
  #cancelPoll: (() => void) | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Why the bucket must not be used, though it can be reached. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The stream ends before a revision that was seen: the server lost acknowledged writes. */
  get lostWrites(): boolean {
    return this.#mirror.cursor < this.#highest;
  }

  get reach(): Reach {
    return { lastRevision: this.#mirror.cursor, losses: this.#losses, lost: this.#lost };
  }

  attach({ connection, reader, republished }: FollowerLink): void {
    this.#release();
    this.#reader = reader;
    if (republished === undefined) return;
    this.#subscription = connection.subscribe(republished, {
      callback: (_, message) => {
        const push = reader.push(message);
        const change = push === undefined ? 'fetch' : this.#mirror.push(push);
        if (change === 'fetch') void this.look().catch(() => undefined);
        else if (change !== undefined) this.#tell([change]);
      },
    });
  }

  detach(): void {
    this.#release();
    this.#mirror.doubt();
  }

  #release(): void {
    this.#subscription?.unsubscribe();
    this.#subscription = undefined;
    this.#reader = undefined;
    this.#mirror.interrupt();
  }

  entries(prefix: string): Entry[] {
    return this.#mirror.entries(prefix);
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    if (this.#refusal === undefined) for (const change of this.#mirror.deletions()) listener(change);
    if (this.#cancelPoll === undefined) this.#schedulePoll();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.stopPolling();
    };
  }

  stopPolling(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
  }

  /** Catches up with the stream. A call during a look waits for another one, so that it sees all that was written before it. */
  look(): Promise<void> {
    if (this.#looking === undefined) return this.#startLook();
    this.#nextLook ??= this.#looking.catch(() => undefined).then(() => this.#startLook());
    return this.#nextLook;
  }

  #startLook(): Promise<void> {
    this.#nextLook = undefined;
    this.#lookedAtMs = this.#options.now();
    this.#looking = this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    try {
      for (let partial = 0; partial < maxPartial;) {
        const end = await this.#catchUp();
        if (end === 'done') break;
        if (end === 'partial') partial += 1;
      }
    } catch (error) {
      const mapped = toStoreError(error, 'read', this.#reader?.bucket);
      this.#options.onLook(mapped);
      throw mapped;
    }
    this.#options.onLook(undefined);
  }

  /** `again` after a reload, `partial` after a walk: another round brings what is missing. */
  async #catchUp(): Promise<'done' | 'again' | 'partial'> {
    const reader = this.#reader;
    if (reader === undefined) throw new CrossfadeError('STORE_UNAVAILABLE');
    const askedAt = this.#mirror.cursor;
    const extent = await reader.extent();
    const plan = this.#mirror.catchup(extent, askedAt);
    if (plan.kind === 'reload') {
      await this.#judge(reader);
      const messages = await reader.all();
      const isShorter = plan.lostWrites || extent.lastRevision < this.#highest;
      if (isShorter || this.#mirror.isContradictedBy(messages, askedAt))
        this.#noteLoss({ end: extent.lastRevision, kept: this.#mirror.kept(messages) });
      this.#tell(this.#mirror.reload(messages, extent));
      return 'again';
    }
    const isPartial =
      plan.kind === 'walk' && (await this.#walk(reader, { after: plan.after, upTo: extent.lastRevision }));
    if (plan.kind === 'walk' && !isPartial && this.#mirror.lacksKeys(extent)) {
      this.#mirror.doubt();
      return 'partial';
    }
    if (this.#mirror.hasVanished(extent)) {
      const { keys: present, lastRevision } = await reader.keys();
      this.#tell(this.#mirror.vanished(present, lastRevision));
    }
    if (this.#refusal !== undefined) throw new CrossfadeError('STORE_UNAVAILABLE', this.#refusal);
    return isPartial ? 'partial' : 'done';
  }

  /** @returns whether messages of the range may have been replaced meanwhile */
  async #walk(reader: NatsStreamReader, range: { after: number; upTo: number }): Promise<boolean> {
    const messages = await reader.walk(range.after, range.upTo);
    this.#tell(this.#mirror.walked(messages, range.upTo));
    return BucketMirror.isPartial(messages, range);
  }

  /** Asked before anything of a stream that may be another one is believed. */
  async #judge(reader: NatsStreamReader): Promise<void> {
    if (this.#options.accept === undefined) return;
    this.#refusal = this.#options.accept((await reader.last(keys.meta))?.value);
    if (this.#refusal !== undefined) throw new CrossfadeError('STORE_UNAVAILABLE', this.#refusal);
  }

  #tell(changes: readonly Change[]): void {
    const meta = changes.findLast((change) => change.key === keys.meta);
    if (meta !== undefined && this.#options.accept !== undefined) {
      this.#refusal = this.#options.accept(meta.value);
      if (this.#refusal !== undefined) this.#forget();
    }
    if (this.#refusal !== undefined) return;
    for (const change of changes) for (const listener of this.#listeners) listener(change);
  }

  #noteLoss(lost: Loss): void {
    this.#remember();
    this.#losses += 1;
    this.#lost = lost;
  }

  #remember(): void {
    this.#highest = Math.max(this.#highest, this.#mirror.cursor);
  }

  /** The next accepted look loads and tells everything. */
  #forget(): void {
    this.#remember();
    this.#mirror = new BucketMirror();
  }

  #schedulePoll(): void {
    const { timers, now, pollMs } = this.#options;
    this.#cancelPoll = timers.set(() => {
      const due = this.#reader !== undefined && now() - this.#lookedAtMs >= pollMs / 2;
      const look = due ? this.look().catch(() => undefined) : Promise.resolve();
      void look.then(() => {
        if (this.#cancelPoll !== undefined) this.#schedulePoll();
      });
    }, pollMs);
  }
}
