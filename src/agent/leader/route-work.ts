/**
 * The work that a leader does for its route while it is in `dual` or `target`, one step per tick: begin and watch the
 * backfill, run the tail, sweep when deletes are in doubt, prove equality. All of it may be repeated by a successor.
 * Invariant: progress is saved after it was made, never before.
 */
import type { Membership } from '../../coordination/membership.ts';
import type { RouteState, Store } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { createLooks } from '../already-there.ts';
import type { Tries } from '../send-all.ts';
import type { CopyIo } from '../copy-page.ts';
import { type Direction, directionOf } from '../direction.ts';
import type { KnownPages } from '../page-size.ts';
import type { QuarantineRecord } from '../quarantine.ts';
import { type Lists, movedBackTail } from '../quarantine-overflow.ts';
import type { RepairIo } from '../repair.ts';
import { type Runtime, sleep } from '../runtime.ts';
import { type TailResult, tailStep } from '../tail.ts';
import { type AskTerms, patientTerms } from '../tail-look.ts';
import type { Transforms } from '../transform.ts';
import { type BackfillWatch, createBackfillWatch } from './backfill-watch.ts';
import { foldEvents, totalEvents } from './events.ts';
import { type JobStore, newWork, type ReignWork, saveWork } from './job-state.ts';
import { createLeaderQuarantine, type LeaderQuarantine } from './leader-quarantine.ts';
import { createLedgerWatch, type LedgerWatch } from './ledger-watch.ts';
import { createProofWatch, type ProofWatch } from './proof-watch.ts';
import { shardCounts, totalsOn } from './sequences.ts';
import type { WorkFacts } from './status.ts';
import type { Sweeper } from './sweeper.ts';

export type RouteWorkDeps = {
  slug: string;
  store: Store;
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  transforms: Transforms;
  job: JobStore;
  sweeper: Sweeper;
  members: () => Membership;
  clock: () => string;
};

export type StepOptions = {
  paused: boolean;
  pendingCopies: number;
  /** Somebody asked for something, or the process ends: the step is cut short and loses nothing that it saved. */
  signal: AbortSignal;
};

/** Refreshes and counts of large indices take their time. */
const stepCallMs = 30_000;
/** No page takes so long: a request of the step was silent, and what it found is as old as the step. Nor does what a turn does beside the tail. */
const hungStepMs = 10_000;
/** A tail that is further behind cannot be proven by counts, nor begin a switch. */
export const maxLagSeconds = 3;
const retryTailMs = 20;
/** A follower that is down must not keep the leader from its other duties: asks, and the status that says so. */
const repeatTailMs = 3_000;
/** A copy that was cut off would make the next switch fence first, and whoever cuts it off is about to ask for one. */
const patienceMs = 1_000;
/** Alarms that make sense only while there is a follower. */
const ofCopies = ['backfill', 'tail', 'counts', 'follower', 'foreign', 'mappings', 'pipelines', 'namesakes'];
const noTail: WorkFacts['tail'] = { state: 'none', behind: 0, lagSeconds: 0, detail: undefined, copied: 0 };

type TailLimits = Pick<CopyIo, 'repeatForMs' | 'patienceMs'> & { signal: AbortSignal };

export class RouteWork {
  readonly #deps: RouteWorkDeps;
  #tailFacts = noTail;
  /** When the tail last ended a step, or there was nothing for it to do. */
  #tailEndedAtMs: number;
  readonly #backfill: BackfillWatch;
  readonly #quarantine: LeaderQuarantine;
  readonly #ledger: LedgerWatch;
  readonly #proof: ProofWatch;
  #alarms = new Map<string, string>();
  #shards: Record<Side, number[]> | undefined;
  #caughtUpAtMs: number;
  /** While the tail is at work. */
  #tailBegunAtMs: number | undefined;
  readonly #askTerms: AskTerms;
  readonly #known: KnownPages = new Map();
  readonly #looks = createLooks();
  readonly #tries: Tries = new Map();

  constructor(deps: RouteWorkDeps) {
    this.#deps = deps;
    this.#caughtUpAtMs = deps.runtime.now();
    this.#tailEndedAtMs = deps.runtime.now();
    this.#askTerms = patientTerms(deps.runtime);
    this.#backfill = createBackfillWatch(deps);
    this.#quarantine = createLeaderQuarantine({ ...deps, bucket: deps.store.config });
    this.#ledger = createLedgerWatch(deps);
    this.#proof = createProofWatch({
      ...deps,
      sweepPending: () => this.sweepPending(),
      setAlarm: (name, text) => this.setAlarm(name, text),
    });
  }

  facts(): WorkFacts {
    return {
      tail: { ...this.#tailFacts, lagSeconds: this.#lagSeconds() },
      backfill: this.#backfill.facts(),
      unaccounted: this.#ledger.unaccounted(),
      sweep: this.#deps.sweeper.progress(),
    };
  }
  /** Neither a step that hangs with the follower nor a tail that does not run may look caught up. */
  #lagSeconds(): number {
    const nowMs = this.#deps.runtime.now();
    const idleMs = nowMs - this.#tailEndedAtMs;
    const underWayMs = this.#tailBegunAtMs === undefined ? 0 : nowMs - this.#tailBegunAtMs;
    return this.#tailFacts.lagSeconds + (idleMs > hungStepMs ? idleMs : underWayMs) / 1000;
  }
  quarantines(): readonly QuarantineRecord[] {
    return this.#quarantine.records();
  }
  alarms(): string[] {
    return [...this.#alarms.values()];
  }
  isGrowing(): boolean {
    return this.#ledger.isGrowing();
  }
  /** Members with requests that were never answered lately. */
  unanswered(): string[] {
    return this.#ledger.unanswered();
  }
  proofAgeSeconds(): number | undefined {
    return this.#proof.ageSeconds();
  }
  sweepPending(): boolean {
    const { work, events } = this.#deps.job.current();
    return work !== undefined && (work.sweep.coveredEvents < 0 || totalEvents(events) > work.sweep.coveredEvents);
  }
  setAlarm(name: string, text: string | undefined): void {
    if (text === undefined) this.#alarms.delete(name);
    else this.#alarms.set(name, text);
  }
  /** Whoever was out of reach has been stopped: what it wrote is no sign of a foreign writer from here on. */
  noteFenced(): void {
    this.#ledger.forget();
  }
  /** A switch has found them apart, though nothing moved. */
  noteApart(): Promise<void> {
    return this.#proof.noteApart();
  }
  /** A switch has just proven both sides equal. */
  noteProven(): void {
    this.#proof.noteProven();
  }
  async shards(spec: RouteState['spec']): Promise<Record<Side, number[]>> {
    const { clusters } = this.#deps;
    this.#shards ??= {
      source: await shardCounts(clusters.source, spec, 'source'),
      target: await shardCounts(clusters.target, spec, 'target'),
    };
    return this.#shards;
  }

  #save(change: Partial<ReignWork>): Promise<void> {
    return saveWork(this.#deps.job, change);
  }

  /** The work of the record's reign: going on, prepared by the last commit, or begun anew. */
  async #adopt({ phase }: RouteState): Promise<void> {
    const { job } = this.#deps;
    const { work, next } = job.current();
    const at = { reign: phase.reign, authority: authorityIn(phase.phase), epoch: phase.epoch };
    const fits = (one: ReignWork | undefined): boolean => one?.reign === at.reign && one.authority === at.authority;
    if (fits(work)) return;
    this.#ledger.forget();
    this.#shards = undefined;
    this.#forgetLag();
    await job.save({ work: fits(next) ? next : newWork(at), next: undefined });
  }

  async #noteEvents(): Promise<void> {
    const { job, members, slug } = this.#deps;
    const { events } = job.current();
    const folded = foldEvents(events, members(), slug);
    const isOther = Object.keys(folded).length !== Object.keys(events).length;
    if (isOther || totalEvents(folded) !== totalEvents(events)) await job.save({ events: folded });
  }

  async #beginBackfill(state: RouteState): Promise<void> {
    this.setAlarm('backfill', await this.#backfill.begin(state, (ours) => this.#quarantine.clear(ours)));
  }

  async #tail(direction: Direction, state: RouteState, limits: TailLimits): Promise<TailResult | undefined> {
    this.#tailBegunAtMs = this.#deps.runtime.now();
    try {
      return await this.#tailOnce(direction, state, limits);
    } finally {
      this.#tailBegunAtMs = undefined;
    }
  }

  async #tailOnce(
    direction: Direction,
    state: RouteState,
    { signal, ...limits }: TailLimits,
  ): Promise<TailResult | undefined> {
    const { clusters, runtime, transforms, job } = this.#deps;
    const { tail } = job.current().work ?? {};
    if (tail === undefined) return undefined;
    const { pageBytes, maxPageDocs } = state.spec.backfill;
    const begunAtMs = runtime.now();
    this.#quarantine.own().standAt(tail.indices.map(({ cursors }) => cursors));
    const result = await tailStep(tail, {
      clusters,
      runtime,
      direction,
      transform: await transforms.towards(state.spec.transform, direction.follower),
      limits: { pageBytes, maxPageDocs },
      known: this.#known,
      looks: this.#looks,
      tries: this.#tries,
      quarantine: this.#quarantine.own(),
      askTerms: this.#askTerms,
      signal,
      ...limits,
    });
    // First the list: a cursor that has passed a refused document must never stand without it.
    await this.#quarantine.save();
    await this.#save({ tail: result.state });
    this.#noteTail(result, begunAtMs);
    return result;
  }

  /** Caught up means with what the authority had when the step began, which says little when the step hung. */
  #noteTail({ kind, behind, caughtUp, docs, ...end }: TailResult, begunAtMs: number): void {
    const nowMs = this.#deps.runtime.now();
    this.#tailEndedAtMs = nowMs;
    if (caughtUp) this.#caughtUpAtMs = nowMs - begunAtMs > hungStepMs ? begunAtMs : nowMs;
    const detail = 'detail' in end ? String(end.detail) : undefined;
    this.setAlarm('tail', kind === 'index_recreated' ? detail : undefined);
    this.#tailFacts = {
      state: kind === 'ok' ? 'running' : 'failed',
      behind: behind ?? this.#tailFacts.behind,
      lagSeconds: (nowMs - this.#caughtUpAtMs) / 1000,
      detail,
      copied: this.#tailFacts.copied + docs,
    };
  }

  /** In the next step the tail goes on from there. */
  async #moveBack(lists: Lists): Promise<void> {
    const { tail } = this.#deps.job.current().work ?? {};
    if (tail === undefined) throw new CrossfadeError('INTERNAL', 'there is no tail to move back');
    await this.#save({ tail: movedBackTail(tail, lists) });
  }

  async #repairIo(state: RouteState): Promise<RepairIo> {
    const { clusters, runtime, transforms, job } = this.#deps;
    const direction = directionOf(state);
    const transform = await transforms.towards(state.spec.transform, direction.follower);
    return { clusters, runtime, direction, transform, pins: job.current().work?.tail?.indices ?? [] };
  }

  /** Gives up what it waits for when somebody has something more urgent for the loop. */
  #interruptible(signal: AbortSignal): Record<Side, ClusterControl> {
    const limits = { timeoutMs: () => stepCallMs, signal: () => signal };
    const { source, target } = this.#deps.clusters;
    return { source: source.within(limits), target: target.within(limits) };
  }

  /** Sequence numbers given out on the authority so far, by index. */
  async #totals({ phase, spec }: RouteState, clusters: Record<Side, ClusterControl>): Promise<number[]> {
    const side = authorityIn(phase.phase);
    return totalsOn(clusters[side], spec, { side, shards: (await this.shards(spec))[side] });
  }

  #sweep(state: RouteState): void {
    const { sweeper, job, clock } = this.#deps;
    if (!this.sweepPending()) return;
    const coveredEvents = totalEvents(job.current().events);
    sweeper.start(state, (removed) => this.#save({ sweep: { coveredEvents, removed, finishedAt: clock() } }));
  }

  /** One step of everything; throws what store and clusters throw, also when cut short, and may simply be called again. */
  async step(state: RouteState, options: StepOptions): Promise<void> {
    const { paused, pendingCopies, signal } = options;
    await this.#adopt(state);
    await this.#noteEvents();
    const backfill = () => this.#deps.job.current().work?.backfill;
    if (backfill() === 'running') await this.#backfill.look();
    if (paused) return this.#deps.sweeper.stop();
    if (backfill() === 'none') await this.#beginBackfill(state);
    await this.#quarantine.takeOver();
    const tail = await this.#tail(directionOf(state), state, { signal, repeatForMs: repeatTailMs, patienceMs });
    if (signal.aborted) return;
    await this.#quarantine.retry(() => this.#repairIo(state), signal);
    if (signal.aborted) return;
    await this.#quarantine.keep();
    const clusters = this.#interruptible(signal);
    const totals = () => this.#totals(state, clusters);
    await this.#ledger.look(state.phase.reign, totals);
    if (backfill() !== 'done') return;
    await this.#quarantine.meetAgain((lists) => this.#moveBack(lists));
    this.#sweep(state);
    const fresh = tail?.caughtUp === true && this.#tailFacts.lagSeconds <= maxLagSeconds;
    if (!fresh || this.sweepPending() || this.#quarantine.refusesAny()) return;
    const underWay = pendingCopies + this.#tailFacts.behind;
    const dropped = await this.#deps.transforms.drops(state.spec.transform);
    await this.#proof.prove(state, { clusters, dropped, signal, totals, underWay });
  }

  /** Nothing is copied from here on: what was noticed of the copies is over, and no sweep may end in a later stay. */
  async leave(): Promise<void> {
    await this.quiesce();
    for (const name of ofCopies) this.setAlarm(name, undefined);
    this.#tailFacts = { ...noTail, copied: this.#tailFacts.copied };
    this.#forgetLag();
  }

  /** It counts from the beginning of a stay. */
  #forgetLag(): void {
    this.#tailEndedAtMs = this.#deps.runtime.now();
    this.#caughtUpAtMs = this.#tailEndedAtMs;
  }

  /** Nothing of the leader's own is under way towards the follower. */
  quiesce(): Promise<void> {
    return this.#deps.sweeper.stop();
  }

  /**
   * Until every cursor stands at its checkpoint; false when the time is up, the tail cannot go on, or the follower
   * refused a document: an update that it refuses does not show in any count.
   */
  async tailTo(direction: Direction, state: RouteState, timeoutMs: number): Promise<boolean> {
    const abort = new AbortController();
    const cancel = this.#deps.runtime.after(timeoutMs, () => abort.abort());
    try {
      for (;;) {
        const result = await this.#tail(direction, state, { signal: abort.signal });
        if (result === undefined || abort.signal.aborted) return false;
        if (result.caughtUp && result.behind === 0 && !result.inDoubt) return this.#quarantine.own().size() === 0;
        if (result.kind !== 'ok' && result.kind !== 'unavailable') return false;
        // A cluster that fails at once must not be asked in a tight loop.
        if (result.kind === 'unavailable') await sleep(this.#deps.runtime, retryTailMs, abort.signal);
      }
    } finally {
      cancel();
    }
  }
}
