/**
 * The Store port without NATS, for one replica: what must last in one JSON file, heartbeats and leases in a second one
 * beside it, work in memory. Any process on the host may change values through the same file, e.g. the command line.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CrossfadeError } from '../errors.ts';
import { FileBucket, type FileBucketOptions } from './file-bucket.ts';
import { emptyDocument, type FileDocument } from './file-document.ts';
import { Incarnation } from './incarnation.ts';
import { MemoryWorkQueue } from './memory-work-queue.ts';
import type { Store, StoreStatus, WorkQueue } from './ports.ts';
import { StatusBoard } from './status-board.ts';
import { systemTimers, type Timers } from './timers.ts';

export type FileStoreOptions = {
  file: string;
  liveTtlMs?: number;
  pollMs?: number;
  ackWaitMs?: number;
  timers?: Timers;
  wallMs?: () => number;
};

/** @throws CrossfadeError STORE_UNAVAILABLE when the file cannot be read, written or understood */
export const openFileStore = async (options: FileStoreOptions): Promise<Store> => {
  await mkdir(dirname(options.file), { recursive: true });
  const store = new FileBackedStore(options);
  await store.config.initialise();
  return store;
};

class FileBackedStore implements Store {
  readonly config: FileBucket;
  readonly live: FileBucket;
  readonly #options: Required<FileStoreOptions>;
  readonly #incarnation = new Incarnation(undefined);
  readonly #board = new StatusBoard(() => this.#status());
  readonly #queues = new Map<string, WorkQueue>();
  readonly #marksFrom: number;
  #failure: CrossfadeError | undefined;

  constructor(options: FileStoreOptions) {
    this.#options = {
      liveTtlMs: 15_000,
      pollMs: 100,
      ackWaitMs: 30_000,
      timers: systemTimers,
      wallMs: () => Date.now(),
      ...options,
    };
    const { file, liveTtlMs, pollMs, timers, wallMs } = this.#options;
    // No process adds more chunks than it lives microseconds.
    this.#marksFrom = Math.round(wallMs() * 1000);
    const shared = { pollMs, timers, wallMs } satisfies Partial<FileBucketOptions>;
    this.config = new FileBucket({
      ...shared,
      file,
      durable: true,
      accept: (incarnation) => this.#incarnation.judgeName(incarnation),
      create: () => this.#begin(),
      onLook: (error) => this.#onLook(error),
    });
    this.live = new FileBucket({
      ...shared,
      file: `${file}.live`,
      durable: false,
      ttlMs: liveTtlMs,
      accept: () => undefined,
      create: () => emptyDocument(randomUUID()),
      onLook: () => undefined,
    });
  }

  workQueue(slug: string): WorkQueue {
    const queue = this.#queues.get(slug) ?? new MemoryWorkQueue({ ...this.#options, from: this.#marksFrom });
    this.#queues.set(slug, queue);
    return queue;
  }

  status(): StoreStatus {
    return this.#board.current();
  }

  onStatus(listener: (status: StoreStatus) => void): () => void {
    return this.#board.subscribe(listener);
  }

  async close(): Promise<void> {
    this.config.stopPolling();
    this.live.stopPolling();
  }

  /** Only at the very first start: later a missing file is a loss. */
  #begin(): FileDocument | undefined {
    if (this.#incarnation.pinned !== undefined) return undefined;
    const incarnation = randomUUID();
    this.#incarnation.judgeName(incarnation);
    return emptyDocument(incarnation);
  }

  #onLook(error: CrossfadeError | undefined): void {
    this.#failure = error;
    this.#board.refresh();
  }

  #status(): StoreStatus {
    const lost = this.config.lostWrites ? 'the store file was replaced by an older one' : undefined;
    return {
      connected: this.#failure === undefined,
      kind: 'file',
      detail: this.#failure?.message ?? this.#options.file,
      incarnation: this.#incarnation.pinned,
      alarm: this.#failure?.message ?? lost,
    };
  }
}
