/**
 * Decides who may begin a write now, for all routes: one gate per route, fed with the states that the watcher found.
 * Holds requests in memory only, and always ends them: let through under the new state, or refused with a code that
 * says the request was not sent.
 */
import { CrossfadeError } from '../errors.ts';
import { AdmissionGate, type AdmissionKind, type AdmissionReport, type HeldEnd } from './admission-gate.ts';
import type { Admission, RouteStates, Ticket } from './ports.ts';
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

type Waiter = { slug: string; revision: number; settle: (newer: boolean) => void };

export const createAdmission = (options: AdmissionOptions): AdmissionControl => {
  const { now, timers = systemTimers } = options;
  const gates = new Map<string, AdmissionGate>();
  const alarms = new Map<string, { atMs: number; cancel: () => void }>();
  const waiters = new Set<Waiter>();

  const isNewer = (slug: string, revision: number): boolean => (gates.get(slug)?.phaseRevision ?? -1) > revision;

  const expire = (slug: string, gate: AdmissionGate): void => {
    alarms.delete(slug);
    const next = gate.expire(now());
    if (next !== undefined) wakeAt(slug, gate, next);
  };
  const wakeAt = (slug: string, gate: AdmissionGate, atMs: number): void => {
    const set = alarms.get(slug);
    if (set !== undefined && set.atMs <= atMs) return;
    set?.cancel();
    alarms.set(slug, { atMs, cancel: timers.set(() => expire(slug, gate), Math.max(1, atMs - now())) });
  };

  const hold = (slug: string, gate: AdmissionGate, kind: AdmissionKind, signal?: AbortSignal): Promise<Ticket> =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => gate.abandon(held, now());
      const held = gate.enqueue({
        kind,
        queuedAtMs: now(),
        resolve,
        reject,
        ended: (end, waitedMs) => {
          signal?.removeEventListener('abort', onAbort);
          options.onHeldEnd?.(slug, end, waitedMs);
        },
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      wakeAt(slug, gate, held.deadlineMs);
    });

  return {
    apply(states) {
      for (const [slug, state] of states) {
        const gate = gates.get(slug);
        if (gate !== undefined) gate.apply(state, now());
        else gates.set(slug, new AdmissionGate(state, { nowMs: now(), onDrained: () => options.onDrained?.(slug) }));
      }
      for (const waiter of waiters) if (isNewer(waiter.slug, waiter.revision)) waiter.settle(true);
    },

    admit(slug, kind, signal) {
      const gate = gates.get(slug);
      if (gate === undefined) return Promise.reject(new CrossfadeError('NOT_READY'));
      const verdict = gate.tryAdmit(kind, now());
      if (verdict === 'queue') {
        if (signal?.aborted === true) return Promise.reject(new CrossfadeError('CLIENT_CLOSED'));
        return hold(slug, gate, kind, signal);
      }
      return verdict instanceof CrossfadeError ? Promise.reject(verdict) : Promise.resolve(verdict);
    },

    awaitNewer(slug, revision, timeoutMs) {
      if (isNewer(slug, revision)) return Promise.resolve(true);
      return new Promise((resolve) => {
        const settle = (newer: boolean): void => {
          cancel();
          waiters.delete(waiter);
          resolve(newer);
        };
        const waiter: Waiter = { slug, revision, settle };
        const cancel = timers.set(() => settle(false), timeoutMs);
        waiters.add(waiter);
      });
    },

    report: (slug) => gates.get(slug)?.report(),
  };
};
