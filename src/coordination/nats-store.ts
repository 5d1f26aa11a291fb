/**
 * The Store port on NATS: two KV buckets and a work-queue stream per route. Each time the connection comes up it is
 * inspected before anything is read or written through it.
 * Invariants: a bucket that vanished or came back as another one is an alarm and never an empty store; operations fail
 * at once while there is no connection, because the client would neither send them nor reliably drop them.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { NatsConfig } from '../config.ts';
import { CrossfadeError, isCrossfadeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { Incarnation } from './incarnation.ts';
import { NatsBucket } from './nats-bucket.ts';
import { type NatsLink, openNatsConnection } from './nats-connection.ts';
import { isStreamMissing, toStoreError } from './nats-errors.ts';
import { inspect, isVanished, type Role } from './nats-inspection.ts';
import { NatsSamples } from './nats-samples.ts';
import { NatsWorkQueue } from './nats-work-queue.ts';
import type { Bucket, SampleStream, Store, StoreStatus, WorkQueue } from './ports.ts';
import { StatusBoard } from './status-board.ts';
import { systemTimers, type Timers } from './timers.ts';

export type NatsStoreOptions = {
  config: NatsConfig;
  /** Shown as the connection's name. */
  member: string;
  logger: Logger;
  /** The incarnation that the cached state came from; any other one is then an alarm from the start. */
  expectedIncarnation?: string | undefined;
  /** False: a store that nobody has begun is out of reach, and nothing is created. */
  mayBegin?: boolean;
  /** How long heartbeats and leases live; an existing bucket must keep them at least as long. */
  liveTtlMs?: number;
  /** Of one request to the server. */
  timeoutMs?: number;
  pollMs?: number;
  /** How long a chunk of work may go without a sign of life before somebody else gets it. */
  ackWaitMs?: number;
  timers?: Timers;
  now?: () => number;
};

export interface NatsStore extends Store {
  /**
   * Resolves once the buckets were found fit for use.
   * @throws CrossfadeError STORE_UNSUPPORTED as soon as that is known, STORE_UNAVAILABLE after `timeoutMs`
   */
  ready(timeoutMs: number): Promise<void>;
}

/** Returns at once and connects in the background. */
export const openNatsStore = (options: NatsStoreOptions): NatsStore => new NatsBackedStore(options);

const retryMs = 1_000;
type Settings = Required<Omit<NatsStoreOptions, 'expectedIncarnation'>>;

class NatsBackedStore implements NatsStore {
  readonly #settings: Settings;
  readonly #buckets: Record<Role, NatsBucket>;
  readonly #incarnation: Incarnation;
  readonly #board = new StatusBoard(() => this.#status());
  readonly #queues = new Map<string, WorkQueue>();
  #samples: NatsSamples | undefined;
  readonly #link: NatsLink;
  #connection: NatsConnection | undefined;
  #inspecting: Promise<void> = Promise.resolve();
  #cancelRetry: () => void = () => undefined;
  /** The connection was inspected and nothing has spoken against it since. */
  #fit = false;
  #failure: CrossfadeError | undefined;
  readonly #failedLooks = new Map<Role, CrossfadeError>();
  readonly #closing = new AbortController();

  constructor(options: NatsStoreOptions) {
    this.#settings = {
      liveTtlMs: 15_000,
      timeoutMs: 2_000,
      pollMs: 1_000,
      ackWaitMs: 30_000,
      mayBegin: true,
      timers: systemTimers,
      now: () => performance.now(),
      ...options,
    };
    this.#incarnation = new Incarnation(options.expectedIncarnation);
    const { timers, now, pollMs, config, member, logger } = this.#settings;
    const follow = (role: Role) => ({
      timers,
      now,
      pollMs,
      onLook: (error: CrossfadeError | undefined) => this.#onLook(role, error),
    });
    const accept = (meta: string | undefined) => this.#incarnation.judge(meta);
    this.#buckets = {
      config: new NatsBucket(config.bucket, { ...follow('config'), accept }),
      live: new NatsBucket(`${config.bucket}_live`, follow('live')),
    };
    this.#link = openNatsConnection({
      config,
      name: member,
      logger,
      timers,
      onUp: (connection) => this.#onUp(connection),
      onDown: (reason) => this.#onDown(reason),
    });
  }

  get config(): Bucket {
    return this.#buckets.config;
  }

  get live(): Bucket {
    return this.#buckets.live;
  }

  get samples(): SampleStream {
    const { config, timeoutMs } = this.#settings;
    const { bucket, replicas } = config;
    this.#samples ??= new NatsSamples({ bucket, replicas, timeoutMs, connection: () => this.#usable() });
    return this.#samples;
  }

  workQueue(slug: string): WorkQueue {
    const { config, timeoutMs, ackWaitMs } = this.#settings;
    const queue =
      this.#queues.get(slug) ??
      new NatsWorkQueue({
        bucket: config.bucket,
        slug,
        replicas: config.replicas,
        timeoutMs,
        ackWaitMs,
        connection: () => this.#usable(),
      });
    this.#queues.set(slug, queue);
    return queue;
  }

  status(): StoreStatus {
    return this.#board.current();
  }

  onStatus(listener: (status: StoreStatus) => void): () => void {
    return this.#board.subscribe(listener);
  }

  ready(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void): void => {
        cancel();
        unsubscribe();
        end();
      };
      const check = (): void => {
        if (this.#fit) settle(resolve);
        else if (isCrossfadeError(this.#failure, 'STORE_UNSUPPORTED')) settle(() => reject(this.#failure));
      };
      const giveUp = () => reject(this.#failure ?? new CrossfadeError('STORE_UNAVAILABLE'));
      const cancel = this.#settings.timers.set(() => settle(giveUp), timeoutMs);
      const unsubscribe = this.#board.subscribe(check);
      check();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelRetry();
    for (const bucket of Object.values(this.#buckets)) bucket.follower.stopPolling();
    await this.#inspecting;
    await this.#link.close();
  }

  #usable(): NatsConnection {
    if (this.#connection === undefined || !this.#fit) throw this.#failure ?? new CrossfadeError('STORE_UNAVAILABLE');
    return this.#connection;
  }

  #onUp(connection: NatsConnection): void {
    this.#connection = connection;
    this.#inspectSoon(0);
  }

  #onDown(reason: string): void {
    this.#connection = undefined;
    this.#cancelRetry();
    this.#fail(new CrossfadeError('STORE_UNAVAILABLE', `NATS: ${reason}`), ['config', 'live']);
  }

  /** A missing bucket means that the inspection no longer holds; other failures pass with the next look. */
  #onLook(role: Role, error: CrossfadeError | undefined): void {
    if (error === undefined) this.#failedLooks.delete(role);
    else this.#failedLooks.set(role, error);
    if (this.#fit && error !== undefined && isStreamMissing(error.cause)) {
      this.#fail(error, [role]);
      this.#inspectSoon(0);
    }
    this.#board.refresh();
  }

  #fail(failure: CrossfadeError, roles: readonly Role[]): void {
    this.#fit = false;
    this.#failure = failure;
    for (const role of roles) this.#buckets[role].detach();
    this.#board.refresh();
  }

  #inspectSoon(delayMs: number): void {
    this.#cancelRetry();
    if (this.#closing.signal.aborted) return;
    this.#cancelRetry = this.#settings.timers.set(() => {
      this.#inspecting = this.#inspecting.then(() => this.#inspectNow());
    }, delayMs);
  }

  async #inspectNow(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || this.#closing.signal.aborted) return;
    const options = {
      ...this.#settings,
      buckets: this.#buckets,
      incarnation: this.#incarnation,
      signal: this.#closing.signal,
    };
    try {
      await inspect(connection, options);
    } catch (error) {
      this.#onUnfit(connection, toStoreError(error, 'read'));
      return;
    }
    if (this.#connection !== connection) return;
    this.#fit = true;
    this.#failure = undefined;
    this.#board.refresh();
  }

  #onUnfit(connection: NatsConnection, failure: CrossfadeError): void {
    if (this.#connection !== connection) return;
    if (failure.message !== this.#failure?.message)
      this.#settings.logger.warn({ err: failure }, 'the coordination store is not fit for use');
    // Signs of life go on while the routes' bucket is gone or foreign: who comes newly must not begin an empty one. Whoever
    // never had it gives none.
    const isOther = isVanished(failure) || this.#buckets.config.follower.refusal !== undefined;
    const foreign = this.#incarnation.pinned !== undefined && isOther;
    this.#fail(failure, foreign ? ['config'] : ['config', 'live']);
    this.#inspectSoon(retryMs);
  }

  #status(): StoreStatus {
    const { refusal, lostWrites } = this.#buckets.config.follower;
    const failure = this.#failure ?? this.#failedLooks.get('config') ?? this.#failedLooks.get('live');
    const alarming = isVanished(failure) || failure?.code === 'STORE_UNSUPPORTED';
    const lost = lostWrites ? 'the store lost writes: its revisions went backwards' : undefined;
    return {
      connected: this.#fit && failure === undefined,
      beingLookedAt: !this.#fit && this.#connection !== undefined && failure?.code !== 'STORE_UNSUPPORTED',
      kind: 'nats',
      detail:
        failure?.message ??
        `${this.#fit ? 'connected to' : 'looking at'} ${this.#connection?.getServer() ?? 'nothing'}`,
      incarnation: this.#incarnation.pinned,
      alarm: refusal ?? (alarming ? failure?.message : lost),
    };
  }
}
