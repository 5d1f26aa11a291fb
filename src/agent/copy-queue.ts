/**
 * Which copies wait and which may go next; no I/O, no clock of its own. Copies of one document are coalesced to the
 * highest stamp, and a document is never in two bulks at once: the stamp would make that safe while the follower
 * remembers deletes, and waiting keeps it safe when it does not. Every offer is settled with the copy that stood for it.
 */
import type { Copy, CopyOutcome } from '../coordination/ports.ts';
import { HeldBuffers } from './held-buffers.ts';

export type Offer = { reign: number; settle: (outcome: CopyOutcome) => void };
/** One copy to send, on behalf of one or more offers. */
export type Pending = {
  key: string;
  copy: Copy;
  bytes: number;
  sinceMs: number;
  attempts: number;
  offers: Offer[];
};
export type RefreshClass = 'none' | 'wait_for' | 'true';
type Place = 'ready' | 'waiting' | 'behind_flight';
/** `list`: where it is ready. In other lists it may stand too, from before a stronger refresh was asked for. */
type Slot = { next: Pending | undefined; flying: Pending | undefined; place: Place; list: RefreshClass };

const refreshRank: Record<RefreshClass, number> = { none: 0, wait_for: 1, true: 2 };
const refreshClassOf = (copy: Pick<Copy, 'refresh'>): RefreshClass => copy.refresh ?? 'none';

/** What a queued copy costs beyond its document: id, bookkeeping, promises; measured with tens of thousands waiting. */
const overheadBytes = 1500;
export const bytesOf = (copy: Copy): number =>
  overheadBytes + 2 * copy.id.length + (copy.op === 'index' ? copy.source.length : 0);

/** The higher stamp survives; it asks for the stronger refresh and speaks for all offers. */
export const coalesce = (a: Pending, b: Pending): Pending => {
  const [winner, other] = b.copy.stamp > a.copy.stamp ? [b, a] : [a, b];
  const stronger = refreshRank[refreshClassOf(other.copy)] > refreshRank[refreshClassOf(winner.copy)];
  return {
    ...winner,
    copy: stronger ? { ...winner.copy, refresh: other.copy.refresh } : winner.copy,
    sinceMs: Math.min(a.sinceMs, b.sinceMs),
    attempts: Math.min(a.attempts, b.attempts),
    offers: [...a.offers, ...b.offers],
  };
};

export type BatchLimits = { maxDocs: number; maxBytes: number };

export class CopyQueue {
  readonly #slots = new Map<string, Slot>();
  readonly #ready: Record<RefreshClass, Slot[]> = { none: [], wait_for: [], true: [] };
  readonly #held = new HeldBuffers();
  #bytes = 0;
  #flyingBytes = 0;
  #copies = 0;

  get bytes(): number {
    return this.#bytes;
  }
  /** Of those, what is not under way. */
  get queuedBytes(): number {
    return this.#bytes - this.#flyingBytes;
  }
  /** What the buffers have together in which the documents lie. */
  get heldBytes(): number {
    return this.#held.bytes;
  }
  /** By how much `heldBytes` would grow. */
  heldGrowth(copy: Copy): number {
    return copy.op === 'index' ? this.#held.growth(copy.source) : 0;
  }
  /** Copies queued or under way. */
  get size(): number {
    return this.#copies;
  }
  has(key: string): boolean {
    return this.#slots.has(key);
  }
  /** By how much `bytes` would grow. */
  growth(key: string, bytes: number, stamp: bigint): number {
    const queued = this.#slots.get(key)?.next;
    if (queued === undefined) return bytes;
    return stamp > queued.copy.stamp ? bytes - queued.bytes : 0;
  }
  oldestSinceMs(): number | undefined {
    let oldest: number | undefined;
    for (const { next, flying } of this.#slots.values())
      for (const pending of [next, flying])
        if (pending !== undefined && (oldest === undefined || pending.sinceMs < oldest)) oldest = pending.sinceMs;
    return oldest;
  }

  add(pending: Pending): void {
    const slot = this.#slots.get(pending.key);
    if (slot === undefined) {
      const created: Slot = { next: undefined, flying: undefined, place: 'ready', list: 'none' };
      this.#slots.set(pending.key, created);
      this.#setNext(created, pending);
      this.#enqueue(created);
    } else {
      this.#setNext(slot, slot.next === undefined ? pending : coalesce(slot.next, pending));
      if (slot.place === 'ready' && refreshClassOf((slot.next as Pending).copy) !== slot.list) this.#enqueue(slot);
    }
  }

  /** Ready copies of a class, counted only as far as needed. */
  isReady(kind: RefreshClass, atLeast = 1): boolean {
    return this.#ready[kind].length >= atLeast;
  }

  /** Takes the next batch of a class off the queue; its copies are under way until `land` or `delay` is called. */
  take(kind: RefreshClass, limits: BatchLimits): Pending[] {
    const batch: Pending[] = [];
    let bytes = 0;
    let used = 0;
    for (const slot of this.#ready[kind]) {
      const isHere = slot.place === 'ready' && slot.list === kind;
      const pending = slot.next as Pending;
      if (isHere && batch.length > 0 && bytes + pending.bytes > limits.maxBytes) break;
      used++;
      if (!isHere) continue;
      bytes += pending.bytes;
      batch.push(pending);
      slot.next = undefined;
      slot.flying = pending;
      this.#flyingBytes += pending.bytes;
      slot.place = 'behind_flight';
      if (batch.length >= limits.maxDocs) break;
    }
    this.#ready[kind].splice(0, used);
    return batch;
  }

  /** The copy has its fate and leaves; a newer one that waited behind it becomes ready. */
  land(pending: Pending): void {
    const slot = this.#slots.get(pending.key);
    if (slot?.flying !== pending) return;
    this.#unfly(slot, pending);
    if (slot.next === undefined) this.#slots.delete(pending.key);
    else this.#enqueue(slot);
  }

  /** The copy must be sent again, but not yet: it waits until `release` is called with what this returns. */
  delay(pending: Pending): string | undefined {
    const slot = this.#slots.get(pending.key);
    if (slot?.flying !== pending) return undefined;
    this.#unfly(slot, pending);
    const again = { ...pending, attempts: pending.attempts + 1 };
    this.#setNext(slot, slot.next === undefined ? again : coalesce(slot.next, again));
    slot.place = 'waiting';
    return pending.key;
  }

  release(key: string): void {
    const slot = this.#slots.get(key);
    if (slot?.place === 'waiting') this.#enqueue(slot);
  }

  /** Empties the queue, also of what is under way, and returns it. */
  clear(): Pending[] {
    const all = [...this.#slots.values()].flatMap(({ next, flying }) => [next, flying]);
    for (const pending of all) this.#account(pending, undefined);
    this.#slots.clear();
    for (const queue of Object.values(this.#ready)) queue.length = 0;
    this.#flyingBytes = 0;
    return all.filter((pending) => pending !== undefined);
  }

  /** Empties the queue of what is not under way, and returns it. */
  clearQueued(): Pending[] {
    const all: Pending[] = [];
    for (const [key, slot] of this.#slots) {
      if (slot.next !== undefined) all.push(slot.next);
      this.#account(slot.next, undefined);
      slot.next = undefined;
      if (slot.flying === undefined) this.#slots.delete(key);
      else slot.place = 'behind_flight';
    }
    for (const queue of Object.values(this.#ready)) queue.length = 0;
    return all;
  }

  #enqueue(slot: Slot): void {
    slot.place = 'ready';
    slot.list = refreshClassOf((slot.next as Pending).copy);
    this.#ready[slot.list].push(slot);
  }
  #setNext(slot: Slot, pending: Pending): void {
    this.#account(slot.next, pending);
    slot.next = pending;
  }
  #unfly(slot: Slot, pending: Pending): void {
    this.#account(pending, undefined);
    this.#flyingBytes -= pending.bytes;
    slot.flying = undefined;
  }
  #account(before: Pending | undefined, after: Pending | undefined): void {
    this.#bytes += (after?.bytes ?? 0) - (before?.bytes ?? 0);
    this.#copies += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    if (after?.copy.op === 'index') this.#held.hold(after.copy.source);
    if (before?.copy.op === 'index') this.#held.release(before.copy.source);
  }
}
