/**
 * The work queue of one process: what JetStream does for many, for the embedded store. A chunk that is not acknowledged
 * in time comes again. Nothing outlives the process; marks of two processes differ, so a leader learns that what was
 * planned before it began is lost, and plans anew.
 */
import type { Chunk, ChunkDelivery, WorkQueue } from './ports.ts';
import type { Timers } from './timers.ts';

type Item = { chunk: Chunk; deliveries: number };

export class MemoryWorkQueue implements WorkQueue {
  readonly #timers: Timers;
  readonly #ackWaitMs: number;
  readonly #from: number;
  #through: number;
  readonly #waiting: Item[] = [];
  /** Delivered and not acknowledged, with the way to stop the clock. */
  readonly #delivered = new Map<Item, () => void>();
  readonly #takers = new Set<(delivery: ChunkDelivery) => void>();

  /** `from`: marks begin here, above all those of processes before. */
  constructor(options: { timers: Timers; ackWaitMs: number; from?: number }) {
    this.#timers = options.timers;
    this.#ackWaitMs = options.ackWaitMs;
    this.#from = options.from ?? 0;
    this.#through = this.#from;
  }

  async add(chunks: Chunk[]): Promise<void> {
    this.#through += chunks.length;
    for (const chunk of chunks) this.#offer({ chunk, deliveries: 0 });
  }

  next(waitMs: number): Promise<ChunkDelivery | undefined> {
    const item = this.#waiting.shift();
    if (item !== undefined) return Promise.resolve(this.#deliver(item));
    return new Promise((resolve) => {
      const take = (delivery: ChunkDelivery | undefined): void => {
        cancel();
        this.#takers.delete(take);
        resolve(delivery);
      };
      const cancel = this.#timers.set(() => take(undefined), waitMs);
      this.#takers.add(take);
    });
  }

  async remaining(mark = this.#from): Promise<number | undefined> {
    if (mark < this.#from || mark > this.#through) return undefined;
    return this.#waiting.length + this.#delivered.size;
  }

  async mark(): Promise<number> {
    return this.#through;
  }

  /** There is nobody else who could have added since the mark. */
  async purge(): Promise<void> {
    this.#waiting.length = 0;
    for (const cancel of this.#delivered.values()) cancel();
    this.#delivered.clear();
  }

  #offer(item: Item): void {
    const [taker] = this.#takers;
    if (taker === undefined) this.#waiting.push(item);
    else taker(this.#deliver(item));
  }

  #deliver(item: Item): ChunkDelivery {
    item.deliveries += 1;
    const turn = item.deliveries;
    this.#restartClock(item);
    // A late word about an earlier delivery must not touch the present one.
    const isMine = (): boolean => item.deliveries === turn && this.#delivered.has(item);
    return {
      chunk: item.chunk,
      deliveries: turn,
      ack: async () => {
        if (isMine()) this.#forget(item);
      },
      retry: async (delayMs) => {
        if (isMine()) this.#comeBackAfter(item, delayMs);
      },
      working: () => {
        if (isMine()) this.#restartClock(item);
      },
    };
  }

  #restartClock(item: Item): void {
    this.#comeBackAfter(item, this.#ackWaitMs);
  }

  #comeBackAfter(item: Item, delayMs: number): void {
    this.#delivered.get(item)?.();
    const comeBack = (): void => {
      this.#delivered.delete(item);
      this.#offer(item);
    };
    this.#delivered.set(item, this.#timers.set(comeBack, delayMs));
  }

  #forget(item: Item): void {
    this.#delivered.get(item)?.();
    this.#delivered.delete(item);
  }
}
