/** A Store in memory with the rules of the real ones that commands depend on: revisions, compare-and-set, deletes. */
import type { Bucket, Change, Entry, Store, StoreStatus, WorkQueue } from '../../src/coordination/ports.ts';
import { CrossfadeError } from '../../src/errors.ts';

export class MemoryBucket implements Bucket {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(change: Change) => void>();
  #revision = 0;

  async get(key: string): Promise<Entry | undefined> {
    return this.#entries.get(key);
  }
  async list(prefix: string): Promise<Entry[]> {
    return [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix));
  }
  async put(key: string, value: string): Promise<number> {
    const revision = ++this.#revision;
    this.#entries.set(key, { key, value, revision });
    this.#tell({ key, value, revision });
    return revision;
  }
  async update(key: string, value: string, expected: number) {
    if ((this.#entries.get(key)?.revision ?? 0) !== expected) return { ok: false, reason: 'conflict' } as const;
    return { ok: true, revision: await this.put(key, value) } as const;
  }
  async delete(key: string, expected?: number): Promise<void> {
    const entry = this.#entries.get(key);
    if (expected !== undefined && entry?.revision !== expected) throw new CrossfadeError('STORE_CONFLICT');
    this.#entries.delete(key);
    this.#tell({ key, value: undefined, revision: ++this.#revision });
  }
  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

export class MemoryStore implements Store {
  readonly config = new MemoryBucket();
  readonly live = new MemoryBucket();
  closed = false;
  workQueue(): WorkQueue {
    throw new Error('commands use no work queue');
  }
  status(): StoreStatus {
    return { connected: true, kind: 'file', detail: 'in memory', incarnation: 'test', alarm: undefined };
  }
  onStatus(): () => void {
    return () => undefined;
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}
