/**
 * The requests that wait while their routes are held: each stands in the queue of its route's gate, and one timer for each
 * route wakes the gate when the first of them is due, so that none outlives its deadline (I9).
 */
import type { AdmissionGate, AdmissionKind, HeldEnd } from './admission-gate.ts';
import type { Ticket } from './ports.ts';
import type { Timers } from './timers.ts';

export type HeldOptions = {
  now: () => number;
  timers: Timers;
  onHeldEnd: ((slug: string, end: HeldEnd, waitedMs: number) => void) | undefined;
};
type Waiting = { slug: string; gate: AdmissionGate; kind: AdmissionKind; signal: AbortSignal | undefined };
type Alarm = { atMs: number; cancel: () => void };

export class HeldRequests {
  readonly #options: HeldOptions;
  readonly #alarms = new Map<string, Alarm>();

  constructor(options: HeldOptions) {
    this.#options = options;
  }

  /** Ends with a ticket under the state that releases it, or as the gate or the client ends it. */
  hold({ slug, gate, kind, signal }: Waiting): Promise<Ticket> {
    const { now, onHeldEnd } = this.#options;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => gate.abandon(held, now());
      const ended = (end: HeldEnd, waitedMs: number): void => {
        signal?.removeEventListener('abort', onAbort);
        onHeldEnd?.(slug, end, waitedMs);
      };
      const held = gate.enqueue({ kind, queuedAtMs: now(), resolve, reject, ended });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#wakeAt(slug, gate, held.deadlineMs);
    });
  }

  #wakeAt(slug: string, gate: AdmissionGate, atMs: number): void {
    const set = this.#alarms.get(slug);
    if (set !== undefined && set.atMs <= atMs) return;
    set?.cancel();
    const { now, timers } = this.#options;
    const cancel = timers.set(() => this.#expire(slug, gate), Math.max(1, atMs - now()));
    this.#alarms.set(slug, { atMs, cancel });
  }

  #expire(slug: string, gate: AdmissionGate): void {
    this.#alarms.delete(slug);
    const next = gate.expire(this.#options.now());
    if (next !== undefined) this.#wakeAt(slug, gate, next);
  }
}
