/**
 * Which URL of a cluster takes the next request: round robin over those that are not known to be out of reach. A URL that
 * could not be connected to is left out for a time that doubles with each failure; when that time is over, one request at
 * a time may try it again, so that a host that swallows packets delays one request and not all. When every URL is out,
 * the one that is due first is tried: a request is never refused on a memory of failure alone.
 * A request that heard nothing tells less, for it may just be slow: it counts only where nothing else was learned of the URL
 * since it was sent, so one that answers others stays in; and never against the last URL that is well.
 * Pure: time comes in, an index comes out.
 */
export type OriginTimes = { firstDelayMs: number; maxDelayMs: number; probeMs: number };
export const defaultOriginTimes: OriginTimes = { firstDelayMs: 500, maxDelayMs: 30_000, probeMs: 5000 };

type Health = {
  failures: number;
  retryAtMs: number;
  /** Grows with whatever is learned of the URL. */
  news: number;
};

export class Origins {
  readonly #health: Health[];
  readonly #times: OriginTimes;
  #next = 0;

  constructor(count: number, times: OriginTimes = defaultOriginTimes) {
    this.#health = Array.from({ length: count }, () => ({ failures: 0, retryAtMs: 0, news: 0 }));
    this.#times = times;
  }

  /** Index of the URL to use, never one of `tried`; -1 when all were tried. */
  pick(nowMs: number, tried: readonly number[]): number {
    const count = this.#health.length;
    let fallback = -1;
    for (let step = 0; step < count; step++) {
      const index = (this.#next + step) % count;
      if (tried.includes(index)) continue;
      const health = this.#at(index);
      if (health.failures === 0) return this.#take(index);
      if (health.retryAtMs <= nowMs) {
        // One that hangs keeps what tries it for long: it gets no more of them than one that refuses.
        health.retryAtMs = nowMs + Math.max(this.#times.probeMs, this.#delayMs(health));
        return this.#take(index);
      }
      if (fallback < 0 || health.retryAtMs < this.#at(fallback).retryAtMs) fallback = index;
    }
    return fallback < 0 ? -1 : this.#take(fallback);
  }

  /** No connection could be made. Returns true when the URL was thought to be well until now. */
  failed(index: number, nowMs: number): boolean {
    const health = this.#at(index);
    health.news++;
    health.failures++;
    health.retryAtMs = nowMs + this.#delayMs(health);
    return health.failures === 1;
  }

  /** To be kept with a request, for `silent`. */
  newsOf(index: number): number {
    return this.#at(index).news;
  }

  /** A request heard nothing for long; `news` as it was when the request was begun. Returns as `failed` does. */
  silent(index: number, news: number, nowMs: number): boolean {
    const isNew = this.#at(index).news === news;
    const isLast = this.#health.every(({ failures }, other) => other === index || failures > 0);
    return isNew && !isLast && this.failed(index, nowMs);
  }

  /** An answer came. Returns true when the URL was thought to be out of reach until now. */
  worked(index: number): boolean {
    const health = this.#at(index);
    health.news++;
    if (health.failures === 0) return false;
    health.failures = 0;
    health.retryAtMs = 0;
    return true;
  }

  #delayMs({ failures }: Health): number {
    const { firstDelayMs, maxDelayMs } = this.#times;
    return Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 20));
  }

  #take(index: number): number {
    this.#next = index + 1;
    return index;
  }

  #at(index: number): Health {
    const health = this.#health[index];
    if (health === undefined) throw new RangeError(`no origin ${index}`);
    return health;
  }
}
