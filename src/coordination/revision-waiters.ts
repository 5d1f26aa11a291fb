/** Who waits for a phase record newer than one it knows: told when it comes, or after a time in vain. */
import type { Timers } from './timers.ts';

type Waiter = { slug: string; revision: number; settle: (newer: boolean) => void };

export class RevisionWaiters {
  readonly #timers: Timers;
  readonly #revisionOf: (slug: string) => number;
  readonly #waiters = new Set<Waiter>();

  constructor(timers: Timers, revisionOf: (slug: string) => number) {
    this.#timers = timers;
    this.#revisionOf = revisionOf;
  }

  /** false = nothing newer within `timeoutMs`. */
  wait(slug: string, revision: number, timeoutMs: number): Promise<boolean> {
    if (this.#revisionOf(slug) > revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (newer: boolean): void => {
        cancel();
        this.#waiters.delete(waiter);
        resolve(newer);
      };
      const waiter: Waiter = { slug, revision, settle };
      const cancel = this.#timers.set(() => settle(false), timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** Revisions may have changed. */
  look(): void {
    for (const waiter of this.#waiters) if (this.#revisionOf(waiter.slug) > waiter.revision) waiter.settle(true);
  }
}
