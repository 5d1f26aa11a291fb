/**
 * Samples of a route that wait for a place, first come first served. Bounded in number, in bytes over all routes, and in
 * time: a line is for bursts, and one whose first waits long shows that the other side does not keep up. More samples
 * would then only be held until they are too old, their answers in memory, to be collected at the cost of clients. A turn of
 * the event loop begins a bounded number, so that clients never wait for hundreds that end as soon as they begin.
 */
import type { ShadowSettings } from '../../coordination/route-spec.ts';
import { Slots } from './slots.ts';

/** Bytes of requests and answers that wait, rest or are under way, over all routes. */
export type ByteBudget = { readonly maxBytes: number; heldBytes: number };

export type Turn = {
  /** When the sample joined the line. */
  readonly sinceMs: number;
  /** Says how many bytes the sample keeps from now on, beside those with which it came. */
  readonly hold: (bytes: number) => void;
};

export type LineDeps<T> = {
  readonly budget: ByteBudget;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Works one off; its place is free when this is done. Must not reject. */
  readonly work: (item: T, turn: Turn) => Promise<void>;
};
type Limits = Pick<ShadowSettings, 'maxQueued' | 'maxConcurrent'>;
type Waiting<T> = { readonly item: T; readonly bytes: number; readonly sinceMs: number; readonly limits: Limits };

const longestWaitMs = 500;
const mostPerTurn = 32;

export class WaitingLine<T> {
  readonly slots = new Slots(() => this.#pump());
  readonly #deps: LineDeps<T>;
  readonly #waiting: Waiting<T>[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #begunInTurn = 0;
  #isTurnDue = false;

  constructor(deps: LineDeps<T>) {
    this.#deps = deps;
  }

  /** Whether it is worth keeping an answer for another sample. */
  mayJoin({ maxQueued, maxConcurrent }: Limits): boolean {
    if (this.#waiting.length + this.slots.resting > maxQueued + maxConcurrent) return false;
    const [first] = this.#waiting;
    return first === undefined || this.#deps.now() - first.sinceMs <= longestWaitMs;
  }

  /** False when there is no room. It begins in a later turn: the caller may be in the middle of a client's answer. */
  join(item: T, { bytes, limits }: { bytes: number; limits: Limits }): boolean {
    const { budget, now } = this.#deps;
    const waiting = this.#waiting.length + this.slots.resting - this.slots.free(limits.maxConcurrent);
    if (waiting >= limits.maxQueued || budget.heldBytes + bytes > budget.maxBytes) return false;
    this.#waiting.push({ item, bytes, sinceMs: now(), limits });
    budget.heldBytes += bytes;
    this.#turnSoon();
    return true;
  }

  /** Who waits leaves; resolves when nothing is under way. */
  async close(leave: (item: T) => void): Promise<void> {
    for (const { item, bytes } of this.#waiting.splice(0)) {
      this.#deps.budget.heldBytes -= bytes;
      leave(item);
    }
    await Promise.all(this.#underWay);
  }

  #turnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#begunInTurn = 0;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#begunInTurn < mostPerTurn) {
      const [next] = this.#waiting;
      if (next === undefined || !this.slots.take(next.limits.maxConcurrent)) return;
      this.#waiting.shift();
      if (this.#begunInTurn++ === 0) this.#turnSoon();
      this.#begin(next);
    }
  }

  #begin({ item, bytes, sinceMs }: Waiting<T>): void {
    const { budget, work } = this.#deps;
    let kept = 0;
    const hold = (now: number): void => {
      budget.heldBytes += now - kept;
      kept = now;
    };
    const run = work(item, { sinceMs, hold }).finally(() => {
      budget.heldBytes -= bytes + kept;
      this.#underWay.delete(run);
      this.slots.leave();
    });
    this.#underWay.add(run);
  }
}
