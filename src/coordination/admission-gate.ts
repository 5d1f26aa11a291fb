/**
 * The gate of one route: lets writes through, or queues them while the route is held, and knows what is still under way
 * from earlier phase records. Time comes in as arguments, so every path can be tested without waiting.
 * Invariants: every queued request ends by the deadline of the hold it was queued under (budget + grace, counted from
 * when this member first saw the record); a request runs under the one state its ticket carries.
 */
import { CrossfadeError } from '../errors.ts';
import type { RouteState, Ticket } from './ports.ts';

export type AdmissionKind = 'write' | 'by_query';
export type HeldEnd = 'released' | 'timeout' | 'client_closed';

export type Held = {
  kind: AdmissionKind;
  queuedAtMs: number;
  deadlineMs: number;
  resolve: (ticket: Ticket) => void;
  reject: (error: CrossfadeError) => void;
  ended: (end: HeldEnd, waitedMs: number) => void;
};

export type AdmissionReport = {
  phaseRevision: number;
  epoch: number;
  /** Admission is closed: the route is held. */
  held: boolean;
  heldRequests: number;
  inFlight: number;
  byQuery: number;
  /** Nothing that began before `phaseRevision` is still under way. */
  drained: boolean;
};

export class AdmissionGate {
  #state: RouteState;
  #holdDeadlineMs: number | undefined;
  readonly #queue = new Set<Held>();
  /** Tickets not yet done, by the phase revision they were given under. */
  readonly #underWay = new Map<number, number>();
  /** Work that is no request, likewise. */
  readonly #afterwards = new Map<number, number>();
  #byQuery = 0;
  readonly #onDrained: () => void;

  constructor(state: RouteState, options: { nowMs: number; onDrained: () => void }) {
    this.#state = state;
    this.#onDrained = options.onDrained;
    this.#holdDeadlineMs = deadlineOf(state, options.nowMs);
  }

  get phaseRevision(): number {
    return this.#state.phaseRevision;
  }

  /** Takes the new state; requests queued under an ended hold are let through in the order they came. */
  apply(state: RouteState, nowMs: number): void {
    const moved = state.phaseRevision !== this.#state.phaseRevision;
    this.#state = state;
    if (!moved) return;
    this.#holdDeadlineMs = deadlineOf(state, nowMs);
    if (this.#holdDeadlineMs === undefined) this.#release(nowMs);
    if (this.#drained()) this.#onDrained();
  }

  /** A ticket when the gate is open, else the error or the instruction to {@link enqueue}. */
  tryAdmit(kind: AdmissionKind, nowMs: number): Ticket | CrossfadeError | 'queue' {
    if (this.#holdDeadlineMs === undefined) return this.#ticket(kind);
    if (nowMs >= this.#holdDeadlineMs) return new CrossfadeError('HOLD_TIMEOUT');
    return this.#queue.size < this.#state.spec.cutover.maxHeldRequests
      ? 'queue'
      : new CrossfadeError('HOLD_QUEUE_FULL');
  }

  enqueue(held: Omit<Held, 'deadlineMs'>): Held {
    const queued = { ...held, deadlineMs: this.#holdDeadlineMs ?? held.queuedAtMs };
    this.#queue.add(queued);
    return queued;
  }

  /** The client of a queued request left; does nothing when the request is not queued any more. */
  abandon(held: Held, nowMs: number): void {
    if (this.#end(held, 'client_closed', nowMs)) held.reject(new CrossfadeError('CLIENT_CLOSED'));
  }

  /** Ends what is past its deadline and says when to ask again; undefined when nothing is queued. */
  expire(nowMs: number): number | undefined {
    let next: number | undefined;
    for (const held of this.#queue) {
      if (held.deadlineMs > nowMs) next = Math.min(next ?? held.deadlineMs, held.deadlineMs);
      else if (this.#end(held, 'timeout', nowMs)) held.reject(new CrossfadeError('HOLD_TIMEOUT'));
    }
    return next;
  }

  report(): AdmissionReport {
    let inFlight = 0;
    for (const count of this.#underWay.values()) inFlight += count;
    return {
      phaseRevision: this.#state.phaseRevision,
      epoch: this.#state.phase.epoch,
      held: this.#holdDeadlineMs !== undefined,
      heldRequests: this.#queue.size,
      inFlight,
      byQuery: this.#byQuery,
      drained: this.#drained(),
    };
  }

  drainAfter(revision: number, work: Promise<unknown>): void {
    countUp(this.#afterwards, revision);
    const ended = (): void => this.#finish(this.#afterwards, revision);
    void work.then(ended, ended);
  }

  #drained(): boolean {
    const began = [...this.#underWay.keys(), ...this.#afterwards.keys()];
    return began.every((revision) => revision === this.#state.phaseRevision);
  }

  #release(nowMs: number): void {
    for (const held of this.#queue) if (this.#end(held, 'released', nowMs)) held.resolve(this.#ticket(held.kind));
  }

  #end(held: Held, end: HeldEnd, nowMs: number): boolean {
    if (!this.#queue.delete(held)) return false;
    held.ended(end, nowMs - held.queuedAtMs);
    return true;
  }

  #ticket(kind: AdmissionKind): Ticket {
    const state = this.#state;
    const revision = state.phaseRevision;
    countUp(this.#underWay, revision);
    if (kind === 'by_query') this.#byQuery += 1;
    let open = true;
    const done = (): void => {
      if (!open) return;
      open = false;
      if (kind === 'by_query') this.#byQuery -= 1;
      this.#finish(this.#underWay, revision);
    };
    return { state, done };
  }

  #finish(counts: Map<number, number>, revision: number): void {
    const left = (counts.get(revision) ?? 1) - 1;
    if (left > 0) counts.set(revision, left);
    else counts.delete(revision);
    if (left === 0 && revision !== this.#state.phaseRevision && this.#drained()) this.#onDrained();
  }
}

const countUp = (counts: Map<number, number>, revision: number): void => {
  counts.set(revision, (counts.get(revision) ?? 0) + 1);
};

const deadlineOf = ({ phase }: RouteState, nowMs: number): number | undefined =>
  phase.hold === undefined ? undefined : nowMs + phase.hold.budgetMs + phase.hold.graceMs;
