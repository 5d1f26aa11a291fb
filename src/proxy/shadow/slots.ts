/**
 * Places for samples whose requests are under way. A sample that waits before it is asked again gives its place away
 * meanwhile, so that a few mismatches do not stop all comparing; who comes back goes before who has not begun. So that many
 * mismatches cost the clusters no more than a bounded number at a time, only some can rest so; others keep their place.
 */
/** Samples that may rest, per place. */
const restingPerPlace = 4;

export class Slots {
  readonly #freed: () => void;
  readonly #back: (() => void)[] = [];
  #running = 0;
  #resting = 0;
  #limit = 0;

  /** `freed` is called when a place is free that nobody who rested wants. */
  constructor(freed: () => void) {
    this.#freed = freed;
  }

  /** Samples that wait, or want their place back. */
  get resting(): number {
    return this.#resting;
  }

  free(limit: number): number {
    return Math.max(0, limit - this.#running);
  }

  /** False when there is no place. */
  take(limit: number): boolean {
    this.#limit = limit;
    if (this.free(limit) === 0) return false;
    this.#running++;
    return true;
  }

  leave(): void {
    this.#running--;
    const next = this.free(this.#limit) > 0 ? this.#back.shift() : undefined;
    if (next === undefined) return this.#freed();
    this.#running++;
    next();
  }

  async rest(waiting: () => Promise<void>): Promise<void> {
    if (this.#resting >= restingPerPlace * this.#limit) return waiting();
    this.#resting++;
    this.leave();
    try {
      await waiting();
    } finally {
      if (!this.take(this.#limit)) await new Promise<void>((resolve) => this.#back.push(resolve));
      this.#resting--;
    }
  }
}
