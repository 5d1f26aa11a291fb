/**
 * Documents that the follower may show as they were, because the last copy of them that this process made did not arrive:
 * refused, given up, dropped for want of memory, left to the tail, or never made. Whoever reads them by id is served by the authority
 * until a copy as new as the lost one arrives. Bounded: for documents that are forgotten, and for those left to the tail by
 * choice, which nobody lists, every document counts as lost for a while. Pure.
 */

type Limits = { readonly maxDocs: number; readonly forgottenMs: number; readonly leftMs: number };

/** A tail that keeps up is there in a second or two; what else brings lost copies over takes minutes. */
const usual: Limits = { maxDocs: 10_000, forgottenMs: 600_000, leftMs: 30_000 };

export class LostCopies {
  readonly #limits: Limits;
  /** Stamps of what was lost, by document, the oldest first. */
  readonly #stamps = new Map<string, bigint>();
  #allUntilMs = 0;

  constructor(limits: Limits = usual) {
    this.#limits = limits;
  }

  lost(key: string, stamp: bigint, nowMs: number): void {
    const before = this.#stamps.get(key);
    this.#stamps.delete(key);
    this.#stamps.set(key, before !== undefined && before > stamp ? before : stamp);
    const [oldest] = this.#stamps.keys();
    if (this.#stamps.size <= this.#limits.maxDocs || oldest === undefined) return;
    this.#stamps.delete(oldest);
    this.#allFor(this.#limits.forgottenMs, nowMs);
  }

  leftByChoice(nowMs: number): void {
    this.#allFor(this.#limits.leftMs, nowMs);
  }

  arrived(key: string, stamp: bigint): void {
    const lost = this.#stamps.get(key);
    if (lost !== undefined && stamp >= lost) this.#stamps.delete(key);
  }

  /** Another reign, or a new beginning: what went before is of no account. */
  clear(): void {
    this.#stamps.clear();
    this.#allUntilMs = 0;
  }

  has(key: string, nowMs: number): boolean {
    return nowMs < this.#allUntilMs || this.#stamps.has(key);
  }

  #allFor(ms: number, nowMs: number): void {
    this.#allUntilMs = Math.max(this.#allUntilMs, nowMs + ms);
  }
}
