/**
 * Deadlines of requests, cheap for the many that are never reached: long ones are looked through once a second, short
 * ones get a timer of their own. A long deadline is kept to within a second.
 */
export interface Expiring {
  /** Called once, after the deadline, unless it was taken back. */
  expired(): void;
}

const sweepEveryMs = 1000;
/** Shorter deadlines are kept exactly. */
const coarseFromMs = 20_000;

export class Deadlines {
  readonly #coarse = new Map<Expiring, number>();
  readonly #exact = new Map<Expiring, NodeJS.Timeout>();
  readonly #now: () => number;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  set(item: Expiring, timeoutMs: number): void {
    if (timeoutMs < coarseFromMs) {
      this.#exact.set(item, setTimeout(expireExact, timeoutMs, this, item));
      return;
    }
    this.#coarse.set(item, this.#now() + timeoutMs);
    this.#sweeper ??= setInterval(sweep, sweepEveryMs, this).unref();
  }

  clear(item: Expiring): void {
    if (this.#coarse.delete(item)) return;
    clearTimeout(this.#exact.get(item));
    this.#exact.delete(item);
  }

  sweep(): void {
    const nowMs = this.#now();
    for (const [item, atMs] of this.#coarse) if (atMs <= nowMs) this.expire(item);
  }

  expire(item: Expiring): void {
    this.clear(item);
    item.expired();
  }

  /** Forgets every deadline. */
  close(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    this.#coarse.clear();
    for (const timer of this.#exact.values()) clearTimeout(timer);
    this.#exact.clear();
  }
}

const sweep = (deadlines: Deadlines): void => deadlines.sweep();
const expireExact = (deadlines: Deadlines, item: Expiring): void => deadlines.expire(item);
