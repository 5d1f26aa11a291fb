/** A clock that a test moves by hand. Timers fire in order, and promises settle between them. */
import type { Timers } from '../../../src/coordination/timers.ts';

type Timer = { atMs: number; callback: () => void };

export class ManualTime {
  nowMs = 1_000;
  readonly #timers = new Set<Timer>();

  readonly now = (): number => this.nowMs;

  readonly timers: Timers = {
    set: (callback, delayMs) => {
      const timer = { atMs: this.nowMs + delayMs, callback };
      this.#timers.add(timer);
      return () => this.#timers.delete(timer);
    },
  };

  get pending(): number {
    return this.#timers.size;
  }

  async advance(byMs: number): Promise<void> {
    const endMs = this.nowMs + byMs;
    await this.settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
      await this.settle();
    }
    this.nowMs = endMs;
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  #next(endMs: number): Timer | undefined {
    return [...this.#timers].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
  }
}
