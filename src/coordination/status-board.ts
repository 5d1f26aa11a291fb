/** Tells listeners when a computed store status has changed. */
import type { StoreStatus } from './ports.ts';

export class StatusBoard {
  readonly #compute: () => StoreStatus;
  readonly #listeners = new Set<(status: StoreStatus) => void>();
  #told = '';

  constructor(compute: () => StoreStatus) {
    this.#compute = compute;
  }

  current(): StoreStatus {
    return this.#compute();
  }

  subscribe(listener: (status: StoreStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  refresh(): void {
    const status = this.#compute();
    const text = JSON.stringify(status);
    if (text === this.#told) return;
    this.#told = text;
    for (const listener of this.#listeners) listener(status);
  }
}
