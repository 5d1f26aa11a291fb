/**
 * Copies of one route at one member: which are taken, what became of them, and the counts that a heartbeat reports.
 * Invariant: memory is bounded by twice `maxPendingBytes`, once for documents and once for what they are views into; what does not fit is left to the tail, and a delete that is lost
 * this way is counted as needing a sweep, because the tail cannot see deletes.
 */
import { bucketOf, isInShare } from '../coordination/bucket.ts';
import { clientsAwaitCopies } from '../coordination/effective.ts';
import type {
  Copy,
  CopyOutcome,
  CopyReport,
  DocKey,
  NotCopied,
  RouteState,
  SweepReason,
} from '../coordination/ports.ts';
import { authorityIn, copiedTo, otherSide, type Side } from '../coordination/records.ts';
import type { FinalFate } from './bulk-send.ts';
import type { ClusterControl } from './cluster.ts';
import { CopyLane } from './copy-lane.ts';
import { bytesOf, type CopyQueue, type Pending } from './copy-queue.ts';
import { directionOf } from './direction.ts';
import { LostCopies } from './lost-copies.ts';
import { docKeyText } from './quarantine.ts';
import { type Runtime, sleep } from './runtime.ts';
import { type Prepared, prepareWrite } from './stamped-write.ts';
import type { Transforms } from './transform.ts';
import { WriteCounts } from './write-counts.ts';

export type CopierOptions = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  transforms: Transforms;
  /** The newest state this member knows: lets a fenced copy go on under a newer epoch of its reign. */
  stateOf?: (slug: string) => RouteState | undefined;
  /** Told of every outcome, for metrics. */
  onOutcome?: (slug: string, outcome: CopyOutcome) => void;
  onSweepNeeded?: (slug: string, reason: SweepReason) => void;
};

/** As a view into a body or an answer it would keep all of that alive; these may have no more together than the copies. */
const kept = (copy: Copy, queue: CopyQueue, maxPendingBytes: number): Copy => {
  if (copy.op !== 'index' || queue.heldBytes + queue.heldGrowth(copy) <= maxPendingBytes) return copy;
  return { ...copy, source: new Uint8Array(copy.source) };
};

const outcomeOf = (fate: FinalFate): CopyOutcome => (fate.kind === 'quarantine' ? 'quarantined' : fate.kind);

/**
 * Deletes are always copied directly: cheap, and nothing else would bring them over soon. So is everything while clients
 * wait for copies, or look for what they wrote on the follower.
 */
const isChosen = (copy: Copy, state: RouteState): boolean => {
  const { percent, slug } = state;
  if (copy.op === 'delete' || percent.write >= 100 || clientsAwaitCopies(state)) return true;
  return isInShare(bucketOf(`write:${slug}`, copy.id), percent.write);
};

/** As new as this no copy is: one without a stamp may be newer than any. */
const beyondStamps = 2n ** 63n;

/** A copy takes some milliseconds. */
const lookAgainMs = 5;

export class RouteCopies {
  readonly #slug: string;
  readonly #options: CopierOptions;
  readonly #lanes = new Map<Side, CopyLane>();
  readonly #counts = new WriteCounts();
  readonly #lost = new LostCopies();
  #state: RouteState | undefined;
  #dropped = 0;
  #quarantined = 0;
  #unknownOutcomes = 0;
  #sweepNeeded = 0;
  #closed = false;

  constructor(slug: string, options: CopierOptions) {
    this.#slug = slug;
    this.#options = options;
  }

  offer(copy: Copy, state: RouteState): Promise<CopyOutcome> {
    this.#learn(state);
    if (this.#closed || !this.#isCopied(state)) return Promise.resolve(this.#lose(copy));
    if (!isChosen(copy, state)) {
      this.#lost.leftByChoice(this.#options.runtime.now());
      return Promise.resolve(this.#leave(copy));
    }
    const { queue } = this.#lane(state);
    const key = docKeyText(copy);
    const bytes = bytesOf(copy);
    const { maxPendingBytes } = state.spec.copies;
    const fits = queue.bytes + queue.growth(key, bytes, copy.stamp) <= maxPendingBytes;
    if (!fits) return Promise.resolve(this.#lose(copy));
    return new Promise((settle) => {
      const sinceMs = this.#options.runtime.now();
      const offers = [{ reign: copy.reign, settle }];
      this.#lane(state).add({ key, copy: kept(copy, queue, maxPendingBytes), bytes, sinceMs, attempts: 0, offers });
    });
  }

  isPending(doc: DocKey): boolean {
    const key = docKeyText(doc);
    const isQueued = [...this.#lanes.values()].some(({ queue }) => queue.has(key));
    return isQueued || this.#lost.has(key, this.#options.runtime.now());
  }

  unknownOutcome(mayDelete: boolean): void {
    this.#unknownOutcomes++;
    if (mayDelete) this.sweepNeeded('unknown_delete');
  }

  arrived({ reign, ordinal }: { reign: number; ordinal: number }): void {
    this.#counts.acknowledge(reign, ordinal);
  }

  leftToTail({ reign, ordinal, writes }: { reign: number; ordinal: number; writes: number }): void {
    this.#counts.leave(reign, ordinal, writes);
  }

  notCopied(write: NotCopied): void {
    this.#learn(this.#options.stateOf?.(this.#slug));
    this.#noteLost(write);
  }

  sweepNeeded(reason: SweepReason): void {
    this.#sweepNeeded++;
    this.#options.onSweepNeeded?.(this.#slug, reason);
  }

  report(): CopyReport {
    this.#learn(this.#options.stateOf?.(this.#slug));
    const queues = [...this.#lanes.values()].map(({ queue }) => queue);
    const oldest = this.#oldestSinceMs();
    return {
      pendingCopies: queues.reduce((sum, queue) => sum + queue.size, 0),
      pendingBytes: queues.reduce((sum, queue) => sum + queue.bytes, 0),
      oldestPendingMs: oldest === undefined ? 0 : Math.max(0, this.#options.runtime.now() - oldest),
      dropped: this.#dropped,
      quarantined: this.#quarantined,
      unknownOutcomes: this.#unknownOutcomes,
      sweepNeeded: this.#sweepNeeded,
      ...this.#counts.report(this.#state?.spec.indices.length ?? 0),
    };
  }

  problems(): string[] {
    return [...this.#lanes].flatMap(([side, { problem }]) => (problem === undefined ? [] : [`${side}: ${problem}`]));
  }

  async drain(timeoutMs: number): Promise<boolean> {
    const drained = await Promise.all([...this.#lanes.values()].map((lane) => this.#drainLane(lane, timeoutMs)));
    return drained.every(Boolean);
  }

  /** Waits for those copies only that wait now, however many come after them. */
  async settled(timeoutMs: number): Promise<boolean> {
    const { runtime } = this.#options;
    const begunAtMs = runtime.now();
    for (const lane of this.#lanes.values()) lane.flush();
    for (;;) {
      const oldest = this.#oldestSinceMs();
      if (oldest === undefined || oldest > begunAtMs) return true;
      if (runtime.now() - begunAtMs >= timeoutMs) return false;
      await sleep(runtime, lookAgainMs);
    }
  }

  close(): void {
    this.#closed = true;
    for (const lane of this.#lanes.values()) lane.close();
  }

  #oldestSinceMs(): number | undefined {
    const since = [...this.#lanes.values()].map(({ queue }) => queue.oldestSinceMs()).filter((ms) => ms !== undefined);
    return since.length === 0 ? undefined : Math.min(...since);
  }

  /** The follower of an earlier phase may be gone for good, and a write must not wait for it. */
  #isCopied(state: RouteState): boolean {
    return copiedTo((this.#state ?? state).phase.phase) === otherSide(authorityIn(state.phase.phase));
  }

  #drainLane(lane: CopyLane, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancelTimer = this.#options.runtime.after(timeoutMs, () => {
        cancelWait();
        resolve(false);
      });
      const cancelWait = lane.whenIdle(() => {
        cancelTimer();
        resolve(true);
      });
      lane.flush();
    });
  }

  #learn(state: RouteState | undefined): void {
    if (state === undefined || (this.#state !== undefined && state.phaseRevision < this.#state.phaseRevision)) return;
    const follower = copiedTo(state.phase.phase);
    const isMoved = this.#state?.phase.phase !== state.phase.phase;
    if (this.#state?.phase.reign !== state.phase.reign || follower === undefined) this.#lost.clear();
    this.#state = state;
    this.#counts.enter(state.phase.reign);
    if (isMoved) for (const [side, lane] of this.#lanes) if (side !== follower) lane.giveUp();
    const lane = this.#lanes.get(otherSide(authorityIn(state.phase.phase)));
    // While writes are held nothing is worth gathering for: the switch waits for these copies.
    const { hold } = state.phase;
    lane?.configure(hold === undefined ? state.spec.copies : { ...state.spec.copies, flushMs: 0 });
    if (hold !== undefined) lane?.flush();
  }

  #lane(state: RouteState): CopyLane {
    const side = otherSide(authorityIn(state.phase.phase));
    let lane = this.#lanes.get(side);
    if (lane === undefined) {
      lane = new CopyLane({
        cluster: this.#options.clusters[side],
        runtime: this.#options.runtime,
        settings: state.spec.copies,
        prepare: (copy) => this.#prepare(copy, side),
        done: (pending, fate) => this.#done(pending, fate),
        left: ({ copy, offers }) => {
          const outcome = this.#lose(copy);
          for (const { settle } of offers) settle(outcome);
        },
        renew: (copy) => this.#renew(copy, side),
      });
      this.#lanes.set(side, lane);
    }
    return lane;
  }

  async #prepare(copy: Copy, follower: Side): Promise<Prepared> {
    const { spec } = this.#state as RouteState;
    const transform = await this.#options.transforms.towards(spec.transform, follower);
    const { ordinal, id, routing, stamp, epoch } = copy;
    const source = copy.op === 'index' ? copy.source : undefined;
    const target = { slug: this.#slug, spec, epoch, authority: otherSide(follower) };
    return prepareWrite({ ordinal, id, routing, stamp, source }, target, transform);
  }

  #renew(copy: Copy, follower: Side): Copy | undefined {
    const newest = this.#options.stateOf?.(this.#slug);
    // The epoch of a hold belongs to the leader's tail, which closes it before the switch ends.
    if (newest === undefined || newest.phase.hold !== undefined) return undefined;
    const { epoch, reign, follower: now } = directionOf(newest);
    return reign === copy.reign && epoch > copy.epoch && now === follower ? { ...copy, epoch } : undefined;
  }

  #done({ copy, offers }: Pending, fate: FinalFate): void {
    // What is refused is listed by the tail, which meets it and knows when it is mended; it sees no deletes.
    if (fate.kind === 'quarantine') this.#quarantined++;
    const arrived = fate.kind === 'applied' || fate.kind === 'superseded';
    if (!arrived && copy.op === 'delete') this.sweepNeeded('dropped_delete');
    if (arrived) this.#lost.arrived(docKeyText(copy), copy.stamp);
    else this.#noteLost(copy);
    for (const { reign, settle } of offers) {
      if (arrived) this.#counts.acknowledge(reign, copy.ordinal);
      else this.#counts.leave(reign, copy.ordinal);
      settle(this.#tell(outcomeOf(fate)));
    }
  }

  #lose(copy: Copy): CopyOutcome {
    this.#dropped++;
    this.#noteLost(copy);
    if (copy.op === 'delete') this.sweepNeeded('dropped_delete');
    return this.#leave(copy);
  }

  /** One of an earlier reign lost to what the authority of this one has. */
  #noteLost(write: NotCopied): void {
    if (write.reign !== this.#state?.phase.reign) return;
    this.#lost.lost(docKeyText(write), write.stamp ?? beyondStamps, this.#options.runtime.now());
  }

  #leave({ reign, ordinal }: Copy): CopyOutcome {
    this.#counts.leave(reign, ordinal);
    return this.#tell('left_to_tail');
  }

  #tell(outcome: CopyOutcome): CopyOutcome {
    this.#options.onOutcome?.(this.#slug, outcome);
    return outcome;
  }
}
