/**
 * Decides who may begin a write now, for all routes: one gate per route, fed with the states that the watcher found.
 * Holds requests in memory only, and always ends them: let through under the new state, or refused with a code that
 * says the request was not sent.
 */
import { CrossfadeError } from '../errors.ts';
import { AdmissionGate, type AdmissionKind, type AdmissionReport, type HeldEnd } from './admission-gate.ts';
import { HeldRequests } from './held-requests.ts';
import type { Admission, RouteState, RouteStates, Ticket } from './ports.ts';
import { RevisionWaiters } from './revision-waiters.ts';
import { systemTimers, type Timers } from './timers.ts';

export type AdmissionOptions = {
  /** Monotonic milliseconds. */
  now: () => number;
  timers?: Timers;
  /** Everything that began before the present phase record has ended: the moment to send a heartbeat. */
  onDrained?: (slug: string) => void;
  /** How long a held request waited and how its wait ended. */
  onHeldEnd?: (slug: string, end: HeldEnd, waitedMs: number) => void;
};

export interface AdmissionControl extends Admission {
  /** Takes the routes as they are now. A route that vanished keeps its last state for requests already routed to it. */
  apply(states: RouteStates): void;
  /** Undefined for a route that was never applied. */
  report(slug: string): AdmissionReport | undefined;
}

class Gates implements AdmissionControl {
  readonly #options: AdmissionOptions;
  readonly #gates = new Map<string, AdmissionGate>();
  readonly #held: HeldRequests;
  readonly #waiters: RevisionWaiters;

  constructor(options: AdmissionOptions) {
    const { now, timers = systemTimers, onHeldEnd } = options;
    this.#options = options;
    this.#held = new HeldRequests({ now, timers, onHeldEnd });
    this.#waiters = new RevisionWaiters(timers, (slug) => this.#gates.get(slug)?.phaseRevision ?? -1);
  }

  apply(states: RouteStates): void {
    const { now, onDrained } = this.#options;
    for (const [slug, state] of states) {
      const gate = this.#gates.get(slug);
      if (gate !== undefined) gate.apply(state, now());
      else this.#gates.set(slug, new AdmissionGate(state, { nowMs: now(), onDrained: () => onDrained?.(slug) }));
    }
    this.#waiters.look();
  }

  admit(slug: string, kind: AdmissionKind, signal?: AbortSignal): Promise<Ticket> {
    const gate = this.#gates.get(slug);
    if (gate === undefined) return Promise.reject(new CrossfadeError('NOT_READY'));
    const verdict = gate.tryAdmit(kind, this.#options.now());
    if (verdict === 'queue') {
      if (signal?.aborted === true) return Promise.reject(new CrossfadeError('CLIENT_CLOSED'));
      return this.#held.hold({ slug, gate, kind, signal });
    }
    return verdict instanceof CrossfadeError ? Promise.reject(verdict) : Promise.resolve(verdict);
  }

  awaitNewer(slug: string, revision: number, timeoutMs: number): Promise<boolean> {
    return this.#waiters.wait(slug, revision, timeoutMs);
  }

  drainAfter({ slug, phaseRevision }: RouteState, work: Promise<unknown>): void {
    this.#gates.get(slug)?.drainAfter(phaseRevision, work);
  }

  report(slug: string): AdmissionReport | undefined {
    return this.#gates.get(slug)?.report();
  }
}

export const createAdmission = (options: AdmissionOptions): AdmissionControl => new Gates(options);
