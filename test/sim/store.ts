/**
 * The coordination store of a simulated world: two buckets on one server, reached by each process over its own link.
 * Every call is two events, its arrival and its answer, so calls of all processes interleave; links lose, delay and part.
 * A write whose answer did not come ends as `unknown` and may be applied later. Pushes are best effort, as in the real
 * one: late, in any order, some never.
 */
import { MemoryWorkQueue } from '../../src/coordination/memory-work-queue.ts';
import type { Bucket, CasResult, Change, Chunk, Entry, Store, WorkQueue } from '../../src/coordination/ports.ts';
import { CrossfadeError } from '../../src/errors.ts';
import type { Faults } from './faults.ts';
import type { Owner, Scheduler } from './scheduler.ts';

const timeoutMs = 3_000;
export const liveTtlMs = 15_000;

const unfollowed = ['job.', 'audit.', 'progress.'];
/** An idle worker asks again after a second; here its question waits longer: the same with fewer events. */
const idleFactor = 3;

type Held = Entry & { writtenAtMs: number };
type Subscriber = { link: Link; listener: (change: Change) => void };

/** A process's way to the store. */
export type Link = { readonly owner: Owner; parted: boolean };

class ServerBucket {
  readonly entries = new Map<string, Held>();
  readonly subscribers = new Set<Subscriber>();
  /** Told of every accepted write. */
  onWrite: (entry: Entry) => void = () => undefined;
  readonly #server: StoreServer;
  readonly #ttlMs: number | undefined;
  readonly #expiring = new Set<string>();
  #revision = 0;

  constructor(server: StoreServer, ttlMs?: number) {
    this.#server = server;
    this.#ttlMs = ttlMs;
  }

  list(prefix: string): Entry[] {
    return [...this.entries.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value, revision }) => ({ key, value, revision }));
  }

  get(key: string): Entry | undefined {
    const held = this.entries.get(key);
    return held && { key, value: held.value, revision: held.revision };
  }

  put(key: string, value: string): number {
    const revision = ++this.#revision;
    const held: Held = { key, value, revision, writtenAtMs: this.#server.scheduler.nowMs };
    this.entries.set(key, held);
    this.onWrite(held);
    this.#push({ key, value, revision });
    if (this.#ttlMs !== undefined && !this.#expiring.has(key)) this.#expire(key, this.#ttlMs);
    return revision;
  }

  /** One event at a time for each key: most are written again long before they could run out. */
  #expire(key: string, afterMs: number): void {
    const { scheduler } = this.#server;
    this.#expiring.add(key);
    scheduler.after(afterMs, '', () => {
      this.#expiring.delete(key);
      const held = this.entries.get(key);
      if (held === undefined) return;
      const leftMs = held.writtenAtMs + (this.#ttlMs ?? 0) - scheduler.nowMs;
      if (leftMs > 0) this.#expire(key, leftMs);
      else this.remove(key, true);
    });
  }

  remove(key: string, expired = false): void {
    if (!this.entries.delete(key)) return;
    const revision = ++this.#revision;
    this.#push({ key, value: undefined, revision, ...(expired ? { expired } : {}) });
  }

  update(key: string, value: string, expected: number): CasResult {
    const revision = this.entries.get(key)?.revision ?? 0;
    return revision === expected ? { ok: true, revision: this.put(key, value) } : { ok: false, reason: 'conflict' };
  }

  #push(change: Change): void {
    const { scheduler, faults } = this.#server;
    // Read when somebody asks; nobody follows their changes.
    if (unfollowed.some((prefix) => change.key.startsWith(prefix))) return;
    // One process has one way to the server: what arrives there, all its listeners hear.
    for (const link of new Set([...this.subscribers].map((subscriber) => subscriber.link))) {
      if (link.parted || scheduler.random.chance(faults.dropPush)) continue;
      const slow = scheduler.random.chance(faults.slowPush);
      const delayMs = scheduler.random.between(0.2, slow ? 1_500 : 3);
      scheduler.after(
        delayMs,
        '',
        () => {
          if (link.parted) return;
          for (const subscriber of [...this.subscribers]) if (subscriber.link === link) subscriber.listener(change);
        },
        link.owner,
      );
    }
  }
}

type Call<T> = {
  link: Link;
  label: string;
  apply: () => T | Promise<T>;
  /** What the caller learns when no answer comes. */
  lost: () => T;
  /** What the caller learns when the request was surely not sent. */
  unsent: () => T;
};

export class StoreServer {
  readonly scheduler: Scheduler;
  readonly #faults: () => Faults;
  readonly config: ServerBucket;
  readonly live: ServerBucket;
  readonly #queues = new Map<string, MemoryWorkQueue>();

  constructor(scheduler: Scheduler, faults: () => Faults) {
    this.scheduler = scheduler;
    this.#faults = faults;
    this.config = new ServerBucket(this);
    this.live = new ServerBucket(this, liveTtlMs);
  }

  get faults(): Faults {
    return this.#faults();
  }

  queue(slug: string): MemoryWorkQueue {
    const timers = { set: (run: () => void, ms: number) => this.scheduler.after(ms, '', run) };
    const queue = this.#queues.get(slug) ?? new MemoryWorkQueue({ timers, ackWaitMs: 30_000 });
    this.#queues.set(slug, queue);
    return queue;
  }

  /** A call that takes effect when its answer arrives. */
  tell<T>(link: Link, apply: () => T): Promise<T> {
    const { scheduler } = this;
    return new Promise<T>((resolve, reject) => {
      const run = (): void => {
        if (link.parted) reject(new CrossfadeError('STORE_UNAVAILABLE'));
        else resolve(apply());
      };
      scheduler.after(scheduler.random.between(0.4, 6), '', run, link.owner);
    });
  }

  /** One call over a link. `lost` and `unsent` may throw. */
  call<T>({ link, label, apply, lost, unsent }: Call<T>): Promise<T> {
    const { scheduler, faults } = this;
    const { random } = scheduler;
    return new Promise<T>((resolve, reject) => {
      if (!link.owner.alive) return;
      const settle = (delayMs: number, outcome: () => T): void => {
        const run = (): void => {
          try {
            resolve(outcome());
          } catch (error) {
            reject(error);
          }
        };
        scheduler.after(delayMs, '', run, link.owner);
      };
      if (link.parted) return settle(random.between(1, 50), unsent);
      if (random.chance(faults.storeLose)) return settle(timeoutMs, lost);
      const late = random.chance(faults.storeLate);
      if (late) settle(timeoutMs, lost);
      const travelMs = late ? random.between(100, 9_000) : random.between(0.2, 3);
      scheduler.arrives(scheduler.nowMs + travelMs);
      scheduler.after(travelMs, '', () => {
        if (link.parted && !late) return settle(timeoutMs, lost);
        const value = apply();
        if (label !== '') scheduler.note(`${link.owner.name}: store ${label}`);
        if (late) return;
        if (random.chance(faults.storeLose)) return settle(timeoutMs, lost);
        const answer = (known: T): void => settle(random.between(0.2, 3), () => (link.parted ? lost() : known));
        // The work queue answers when it has something; its answer crosses the link like any other.
        if (value instanceof Promise) void value.then(answer);
        else answer(value);
      });
    });
  }
}

const unavailable = (): never => {
  throw new CrossfadeError('STORE_UNAVAILABLE');
};
const outcomeUnknown = (): never => {
  throw new CrossfadeError('STORE_OUTCOME_UNKNOWN');
};

/** What workers tell of themselves, on which nothing stands: a report is one event. */
const isProgress = (key: string): boolean => key.startsWith('progress.');

const bucketOver = (server: StoreServer, bucket: ServerBucket, link: Link): Bucket => {
  const ask = <T>(apply: () => T): Promise<T> =>
    server.call({ link, label: '', apply, lost: unavailable, unsent: unavailable });
  const told = <T>(apply: () => T): Promise<T> => server.tell(link, apply);
  const change = <T>(label: string, apply: () => T): Promise<T> =>
    server.call({ link, label, apply, lost: outcomeUnknown, unsent: unavailable });
  return {
    get: (key) => ask(() => bucket.get(key)),
    list: (prefix) => (isProgress(prefix) ? told : ask)(() => bucket.list(prefix)),
    put: (key, value) =>
      isProgress(key)
        ? told(() => bucket.put(key, value))
        : change(key.startsWith('hb.') ? '' : `put ${key}`, () => bucket.put(key, value)),
    update: (key, value, expected) =>
      server.call<CasResult>({
        link,
        label: `cas ${key} ${expected}`,
        apply: () => bucket.update(key, value, expected),
        lost: () => ({ ok: false, reason: 'unknown' }),
        unsent: () => ({ ok: false, reason: 'unavailable' }),
      }),
    delete: (key, expected) =>
      change(`delete ${key}`, () => {
        if (expected === undefined || bucket.get(key)?.revision === expected) bucket.remove(key);
      }),
    subscribe: (listener) => {
      const subscriber = { link, listener };
      bucket.subscribers.add(subscriber);
      return () => bucket.subscribers.delete(subscriber);
    },
  };
};

const queueOver = (server: StoreServer, slug: string, link: Link): WorkQueue => {
  const queue = server.queue(slug);
  const run = <T>(apply: () => Promise<T>): Promise<T> =>
    server.call({ link, label: '', apply, lost: unavailable, unsent: unavailable });
  return {
    add: (chunks: Chunk[]) => run(() => queue.add(chunks)),
    remaining: (mark) => run(() => queue.remaining(mark)),
    mark: () => run(() => queue.mark()),
    purge: () => run(() => queue.purge()),
    next: async (waitMs) => {
      const delivery = await run(() => queue.next(idleFactor * waitMs));
      return (
        delivery && {
          ...delivery,
          ack: () => run(() => delivery.ack()),
          retry: (delayMs) => run(() => delivery.retry(delayMs)),
        }
      );
    },
  };
};

export const connectStore = (server: StoreServer, link: Link): Store => ({
  config: bucketOver(server, server.config, link),
  live: bucketOver(server, server.live, link),
  workQueue: (slug) => queueOver(server, slug, link),
  status: () => ({
    connected: !link.parted,
    kind: 'nats',
    detail: 'simulated',
    incarnation: 'sim',
    alarm: undefined,
  }),
  onStatus: () => () => undefined,
  close: async () => undefined,
});
