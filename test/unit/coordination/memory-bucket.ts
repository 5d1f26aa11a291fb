/** A bucket in memory that misbehaves on demand: out of reach, writes that time out and are applied or lost, lost news. */
import type { Bucket, CasResult, Change, Entry, Reach, Store, StoreStatus } from '../../../src/coordination/ports.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import type { ManualTime } from './manual-time.ts';

type Stored = Entry & { expiresAtMs: number };
/** applied, lost: the write times out, and was (or was not) applied. late: applied when {@link MemoryBucket.deliverLate} is called. */
export type WriteFate = 'applied' | 'lost' | 'late';

export class MemoryBucket implements Bucket {
  offline = false;
  /** News are not delivered; only listings tell. */
  silent = false;
  /** Fates of the next compare-and-sets. */
  fates: WriteFate[] = [];
  updates = 0;
  readonly #time: ManualTime;
  readonly #ttlMs: number;
  readonly #stored = new Map<string, Stored>();
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #late: (() => void)[] = [];
  #revision = 0;
  #losses = 0;
  #lost = { end: 0, kept: 0 };
  #isNewLoss = false;

  constructor(time: ManualTime, ttlMs = Number.POSITIVE_INFINITY) {
    this.#time = time;
    this.#ttlMs = ttlMs;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#demandOnline();
    return this.#alive(key);
  }

  async list(prefix: string): Promise<Entry[]> {
    this.#demandOnline();
    // A loss is noticed by whoever looks, and not when it happens.
    if (this.#isNewLoss) {
      this.#losses += 1;
      this.#lost = { ...this.#lost, end: this.#revision };
      this.#isNewLoss = false;
    }
    const keys = [...this.#stored.keys()].filter((key) => key.startsWith(prefix));
    return keys.flatMap((key) => this.#alive(key) ?? []);
  }

  async put(key: string, value: string): Promise<number> {
    this.#demandOnline();
    return this.#write(key, value);
  }

  async update(key: string, value: string, expected: number): Promise<CasResult> {
    this.updates += 1;
    if (this.offline) return { ok: false, reason: 'unavailable' };
    const fate = this.fates.shift();
    const apply = (): CasResult =>
      (this.#alive(key)?.revision ?? 0) === expected
        ? { ok: true, revision: this.#write(key, value) }
        : { ok: false, reason: 'conflict' };
    if (fate === undefined) return apply();
    if (fate === 'applied') apply();
    if (fate === 'late') this.#late.push(apply);
    return { ok: false, reason: 'unknown' };
  }

  async delete(key: string, expected?: number): Promise<void> {
    this.#demandOnline();
    if (expected !== undefined && this.#alive(key)?.revision !== expected) throw new CrossfadeError('STORE_CONFLICT');
    this.#stored.delete(key);
    this.#tell({ key, value: undefined, revision: ++this.#revision });
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  reach(): Reach {
    return { lastRevision: this.#revision, losses: this.#losses, lost: this.#lost };
  }

  deliverLate(): void {
    for (const apply of this.#late.splice(0)) apply();
  }

  /** What a server does when a key has run out. */
  expire(key: string): void {
    this.#stored.delete(key);
    this.#tell({ key, value: undefined, revision: this.#revision, expired: true });
  }

  /** Somebody purges the key's subject from the stream: no marker is left. */
  vanish(key: string): void {
    this.#stored.delete(key);
  }

  /** The bucket is deleted and made anew: empty, revisions from the start. */
  recreate(): void {
    this.#stored.clear();
    this.#revision = 0;
  }

  /** The server forgets the newest writes. */
  rewindTo(revision: number): void {
    for (const [key, entry] of this.#stored) if (entry.revision > revision) this.#stored.delete(key);
    this.#revision = revision;
    this.#lost = { end: revision, kept: revision };
    this.#isNewLoss = true;
  }

  #alive(key: string): Entry | undefined {
    const stored = this.#stored.get(key);
    return stored === undefined || stored.expiresAtMs <= this.#time.nowMs
      ? undefined
      : { key, value: stored.value, revision: stored.revision };
  }

  #write(key: string, value: string): number {
    const revision = ++this.#revision;
    this.#stored.set(key, { key, value, revision, expiresAtMs: this.#time.nowMs + this.#ttlMs });
    this.#tell({ key, value, revision });
    return revision;
  }

  #tell(change: Change): void {
    if (!this.silent && !this.offline) for (const listener of this.#listeners) listener(change);
  }

  #demandOnline(): void {
    if (this.offline) throw new CrossfadeError('STORE_UNAVAILABLE');
  }
}

export type MemoryStore = Store & { config: MemoryBucket; live: MemoryBucket; incarnation: string };

export const memoryStore = (time: ManualTime): MemoryStore => {
  const store = {
    config: new MemoryBucket(time),
    live: new MemoryBucket(time, 15_000),
    incarnation: 'first',
    workQueue: () => {
      throw new Error('no work here');
    },
    status: (): StoreStatus => ({
      connected: !store.config.offline,
      kind: 'nats',
      detail: '',
      incarnation: store.incarnation,
      alarm: undefined,
    }),
    onStatus: () => () => undefined,
    close: async () => undefined,
  };
  return store;
};
