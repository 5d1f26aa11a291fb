/**
 * The work that a leader does for its route while it is in `dual` or `target`, one step per tick: begin and watch the
 * backfill, run the tail, sweep when deletes are in doubt, prove equality. All of it may be repeated by a successor.
 * Invariant: progress is saved after it was made, never before.
 */
import { keys } from '../../coordination/keys.ts';
import { barrier, type Membership } from '../../coordination/membership.ts';
import type { RouteState, Store } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { BackfillRecord, backfillName, beginBackfill } from '../backfill.ts';
import type { ClusterControl } from '../cluster.ts';
import type { CopyIo } from '../copy-range.ts';
import { type Direction, directionOf } from '../direction.ts';
import { balance, observe, openLedger } from '../ledger.ts';
import { countProof } from '../proof.ts';
import { createQuarantine, emptyQuarantine, type Quarantine, type QuarantineRecord } from '../quarantine.ts';
import { clearQuarantines, loadQuarantines, saveQuarantine, tailOwner } from '../quarantine-store.ts';
import { retryQuarantined } from '../route-repair.ts';
import { type Runtime, sleep } from '../runtime.ts';
import { type TailResult, tailStep } from '../tail.ts';
import type { Transforms } from '../transform.ts';
import { readProgress } from '../worker-progress.ts';
import { addDrift, type Drift, isGrowing, unaccountedNow } from './drift.ts';
import { foldEvents, totalEvents } from './events.ts';
import { type JobStore, newWork, type ReignWork } from './job-state.ts';
import { ledgerSamples, shardCounts, totalsOn } from './sequences.ts';
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

const proofEveryMs = 20_000;
/** Refreshes and counts of large indices take their time. */
const stepCallMs = 30_000;
/** No page takes so long: a request of the step was silent, and what it found is as old as the step. */
const hungStepMs = 10_000;
/** A tail that is further behind cannot be proven by counts, nor begin a switch. */
export const maxLagSeconds = 3;
const retryTailMs = 20;
/** A follower that is down must not keep the leader from its other duties: asks, and the status that says so. */
const repeatTailMs = 3_000;
const retryQuarantineMs = 15_000;
const isEmpty = ({ docs, overflowed }: QuarantineRecord): boolean => docs.length + overflowed === 0;
const emptyFacts: WorkFacts = {
  backfill: { record: undefined, remaining: 0, rate: 0, state: 'running' },
  tail: { state: 'none', behind: 0, lagSeconds: 0, detail: undefined, copied: 0 },
  sweep: { running: false, scanned: 0, total: undefined, removed: 0 },
  unaccounted: 0,
};

export class RouteWork {
  readonly #deps: RouteWorkDeps;
  #facts = emptyFacts;
  #quarantine: Quarantine = createQuarantine();
  #quarantines: QuarantineRecord[] = [];
  /** The tail's list as a leader before left it was taken over. */
  #knowsQuarantine = false;
  #savedQuarantine = JSON.stringify(emptyQuarantine);
  #retriedAtMs = Number.NEGATIVE_INFINITY;
  #alarms = new Map<string, string>();
  #drift: Drift = [];
  #shards: Record<Side, number[]> | undefined;
  #caughtUpAtMs: number;
  #provenAtMs: number | undefined;
  #triedProofAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: RouteWorkDeps) {
    this.#deps = deps;
    this.#caughtUpAtMs = deps.runtime.now();
  }

  facts(): WorkFacts {
    return { ...this.#facts, sweep: this.#deps.sweeper.progress() };
  }
  quarantines(): readonly QuarantineRecord[] {
    return this.#quarantines;
  }
  alarms(): string[] {
    return [...this.#alarms.values()];
  }
  isGrowing(): boolean {
    return isGrowing(this.#drift);
  }
  proofAgeSeconds(): number | undefined {
    const { work } = this.#deps.job.current();
    if (work?.proof?.equal !== true || this.#provenAtMs === undefined) return undefined;
    return (this.#deps.runtime.now() - this.#provenAtMs) / 1000;
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
    this.#drift = [];
  }
  /** A switch has just proven both sides equal. */
  noteProven(): void {
    this.#provenAtMs = this.#deps.runtime.now();
  }
  async shards(spec: RouteState['spec']): Promise<Record<Side, number[]>> {
    const { clusters } = this.#deps;
    this.#shards ??= {
      source: await shardCounts(clusters.source, spec, 'source'),
      target: await shardCounts(clusters.target, spec, 'target'),
    };
    return this.#shards;
  }

  async #save(change: Partial<ReignWork>): Promise<void> {
    const { job } = this.#deps;
    const { work } = job.current();
    if (work !== undefined) await job.save({ work: { ...work, ...change } });
  }

  /** The work of the record's reign: going on, prepared by the last commit, or begun anew. */
  async #adopt({ phase }: RouteState): Promise<void> {
    const { job } = this.#deps;
    const { work, next } = job.current();
    const at = { reign: phase.reign, authority: authorityIn(phase.phase), epoch: phase.epoch };
    const fits = (one: ReignWork | undefined): boolean => one?.reign === at.reign && one.authority === at.authority;
    if (fits(work)) return;
    this.#drift = [];
    this.#shards = undefined;
    await job.save({ work: fits(next) ? next : newWork(at), next: undefined });
  }

  async #noteEvents(): Promise<void> {
    const { job, members, slug } = this.#deps;
    const { events } = job.current();
    const folded = foldEvents(events, members(), slug);
    if (totalEvents(folded) !== totalEvents(events)) await job.save({ events: folded });
  }

  async #beginBackfill(state: RouteState): Promise<void> {
    const { store, clusters, runtime, members, slug, clock } = this.#deps;
    const query = { slug, phaseRevision: state.phaseRevision, expect: 'drained' as const, nowMs: runtime.now() };
    if (!barrier(members(), query).ok) return;
    const direction = directionOf(state);
    const { chunkDocs } = state.spec.backfill;
    const plan = await beginBackfill({
      clusters,
      runtime,
      direction,
      queue: store.workQueue(slug),
      chunkDocs,
      at: clock(),
    });
    if (plan.kind !== 'ok') return this.setAlarm('backfill', plan.detail);
    await clearQuarantines(store.config, slug);
    this.#quarantine = createQuarantine();
    this.#savedQuarantine = JSON.stringify(emptyQuarantine);
    this.#knowsQuarantine = true;
    // Workers begin at this record; without the tail below, a successor begins the backfill again.
    await store.config.put(keys.job(slug, backfillName), JSON.stringify(plan.record));
    await this.#save({ backfill: 'running', tail: plan.tail });
  }

  async #record(): Promise<BackfillRecord | undefined> {
    const entry = await this.#deps.store.config.get(keys.job(this.#deps.slug, backfillName));
    return entry === undefined ? undefined : BackfillRecord.safeParse(JSON.parse(entry.value)).data;
  }

  async #watchBackfill(): Promise<void> {
    const { store, slug, clock } = this.#deps;
    const [record, remaining, workers] = await Promise.all([
      this.#record(),
      store.workQueue(slug).remaining(),
      readProgress(store.live, slug),
    ]);
    const rate = workers.reduce((sum, worker) => sum + worker.rate, 0);
    const held = workers.find(({ state }) => state !== 'running')?.state;
    this.#facts = { ...this.#facts, backfill: { record, remaining, rate, state: held ?? 'running' } };
    if (remaining > 0 || record === undefined) return;
    const done: BackfillRecord = { ...record, state: 'done', finishedAt: clock() };
    await store.config.put(keys.job(slug, backfillName), JSON.stringify(done));
    this.#facts = { ...this.#facts, backfill: { record: done, remaining: 0, rate: 0, state: 'running' } };
    await this.#save({ backfill: 'done' });
  }

  async #tail(
    direction: Direction,
    state: RouteState,
    { signal, repeatForMs }: Pick<CopyIo, 'repeatForMs'> & { signal: AbortSignal },
  ): Promise<TailResult | undefined> {
    const { clusters, runtime, transforms, job } = this.#deps;
    const { tail } = job.current().work ?? {};
    if (tail === undefined) return undefined;
    const { pageBytes, maxPageDocs } = state.spec.backfill;
    const begunAtMs = runtime.now();
    const result = await tailStep(tail, {
      clusters,
      runtime,
      direction,
      transform: await transforms.towards(state.spec.transform, direction.follower),
      limits: { pageBytes, maxPageDocs },
      quarantine: this.#quarantine,
      signal,
      repeatForMs,
    });
    // First the list: a cursor that has passed a refused document must never stand without it.
    await this.#saveQuarantine();
    await this.#save({ tail: result.state });
    this.#noteTail(result, begunAtMs);
    return result;
  }

  /** Caught up means with what the authority had when the step began, which says little when the step hung. */
  #noteTail({ kind, behind, caughtUp, docs, ...end }: TailResult, begunAtMs: number): void {
    const nowMs = this.#deps.runtime.now();
    if (caughtUp) this.#caughtUpAtMs = nowMs - begunAtMs > hungStepMs ? begunAtMs : nowMs;
    const detail = 'detail' in end ? String(end.detail) : undefined;
    this.setAlarm('tail', kind === 'index_recreated' ? detail : undefined);
    this.#facts = {
      ...this.#facts,
      tail: {
        state: kind === 'ok' ? 'running' : 'failed',
        behind: behind ?? this.#facts.tail.behind,
        lagSeconds: (nowMs - this.#caughtUpAtMs) / 1000,
        detail,
        copied: this.#facts.tail.copied + docs,
      },
    };
  }

  /** The tail has passed the documents of this list, so it must outlive the leader that saw them refused. */
  async #takeOverQuarantine(): Promise<void> {
    if (this.#knowsQuarantine) return;
    const { store, slug } = this.#deps;
    const saved = (await loadQuarantines(store.config, slug)).get(tailOwner);
    if (saved !== undefined) this.#quarantine = createQuarantine(saved);
    this.#savedQuarantine = JSON.stringify(this.#quarantine.record());
    this.#knowsQuarantine = true;
  }

  /** Documents that were deleted since, or whose refusal had a cause that is mended, leave the quarantine. */
  async #retryQuarantine(state: RouteState): Promise<void> {
    const { store, slug, clusters, runtime, transforms, job } = this.#deps;
    if (runtime.now() - this.#retriedAtMs < retryQuarantineMs || this.#quarantines.every(isEmpty)) return;
    this.#retriedAtMs = runtime.now();
    const direction = directionOf(state);
    const transform = await transforms.towards(state.spec.transform, direction.follower);
    const pins = job.current().work?.tail?.indices ?? [];
    const io = { clusters, runtime, direction, transform, pins };
    this.#quarantine = createQuarantine(await retryQuarantined(this.#quarantine.record(), io));
    for (const [owner, record] of await loadQuarantines(store.config, slug))
      if (owner !== tailOwner) await saveQuarantine(store.config, { slug, owner }, await retryQuarantined(record, io));
  }

  async #saveQuarantine(): Promise<void> {
    const { store, slug } = this.#deps;
    const own = this.#quarantine.record();
    const text = JSON.stringify(own);
    if (text === this.#savedQuarantine) return;
    await saveQuarantine(store.config, { slug, owner: tailOwner }, own);
    this.#savedQuarantine = text;
  }

  async #keepQuarantine(): Promise<void> {
    const { store, slug } = this.#deps;
    await this.#saveQuarantine();
    const saved = await loadQuarantines(store.config, slug);
    const others = [...saved].filter(([owner]) => owner !== tailOwner).map(([, record]) => record);
    this.#quarantines = [this.#quarantine.record(), ...others];
  }

  /** Gives up what it waits for when somebody has something more urgent for the loop. */
  #interruptible(signal: AbortSignal): Record<Side, ClusterControl> {
    const limits = { timeoutMs: () => stepCallMs, signal: () => signal };
    const { source, target } = this.#deps.clusters;
    return { source: source.within(limits), target: target.within(limits) };
  }

  async #watchLedger(state: RouteState, signal: AbortSignal): Promise<void> {
    const { members, runtime, job, slug } = this.#deps;
    const clusters = this.#interruptible(signal);
    const side = authorityIn(state.phase.phase);
    const totals = await totalsOn(clusters[side], state.spec, { side, shards: (await this.shards(state.spec))[side] });
    const samples = ledgerSamples(members(), slug);
    const { work } = job.current();
    // Without a proof there is no balance yet, but its movement can be watched all the same.
    const ledger = samples.reduce(
      observe,
      work?.ledger ??
        openLedger(
          state.phase.reign,
          totals.map(() => 0),
          [],
        ),
    );
    if (work?.ledger !== undefined) await this.#save({ ledger });
    const unaccounted = balance(ledger, totals).unexplained.reduce((a, b) => a + b, 0);
    const sequences = totals.reduce((a, b) => a + b, 0);
    this.#drift = addDrift(this.#drift, { atMs: runtime.now(), unaccounted, sequences });
    this.#facts = { ...this.#facts, unaccounted: work?.ledger === undefined ? 0 : unaccountedNow(this.#drift) };
  }

  #sweep(state: RouteState): void {
    const { sweeper, job, clock } = this.#deps;
    if (!this.sweepPending()) return;
    const coveredEvents = totalEvents(job.current().events);
    sweeper.start(state, (removed) => this.#save({ sweep: { coveredEvents, removed, finishedAt: clock() } }));
  }

  /** Counts of a moving target agree within what moved and what is under way; at rest they must be equal. */
  async #prove(state: RouteState, { pendingCopies, signal }: StepOptions): Promise<void> {
    const { runtime, clock } = this.#deps;
    const clusters = this.#interruptible(signal);
    if (runtime.now() - this.#triedProofAtMs < proofEveryMs) return;
    this.#triedProofAtMs = runtime.now();
    const direction = directionOf(state);
    const side = direction.authority;
    const totals = async () =>
      (await totalsOn(clusters[side], state.spec, { side, shards: (await this.shards(state.spec))[side] })).reduce(
        (a, b) => a + b,
        0,
      );
    const before = await totals();
    const { counts } = await countProof({ clusters, runtime, direction, attempts: 2, signal });
    const slack = (await totals()) - before + pendingCopies + this.#facts.tail.behind;
    const apart = counts.reduce((sum, { authority, follower }) => sum + Math.abs(authority - follower), 0);
    const equal = apart <= slack;
    const named = counts.map(({ ordinal, authority, follower }) => ({
      index: state.spec.indices[ordinal]?.source ?? '',
      authority,
      follower,
    }));
    if (equal) this.#provenAtMs = runtime.now();
    const { work } = this.#deps.job.current();
    const sweptForIt = !equal && work?.proof?.equal === false && !this.sweepPending();
    this.setAlarm(
      'counts',
      sweptForIt ? `counts stay different after a sweep: ${JSON.stringify(named)}; run verify` : undefined,
    );
    // Unequal at rest: only a sweep can tell why.
    const sweep = equal || work === undefined ? {} : { sweep: { ...work.sweep, coveredEvents: -1 } };
    await this.#save({ proof: { at: clock(), equal, counts: named }, ...sweep });
  }

  /** One step of everything; throws what store and clusters throw, also when cut short, and may simply be called again. */
  async step(state: RouteState, options: StepOptions): Promise<void> {
    const { paused, signal } = options;
    await this.#adopt(state);
    await this.#noteEvents();
    if (paused) return this.#deps.sweeper.stop();
    const { backfill } = this.#deps.job.current().work ?? { backfill: undefined };
    if (backfill === 'none') await this.#beginBackfill(state);
    if (backfill === 'running') await this.#watchBackfill();
    await this.#takeOverQuarantine();
    const tail = await this.#tail(directionOf(state), state, { signal, repeatForMs: repeatTailMs });
    if (signal.aborted) return;
    await this.#retryQuarantine(state);
    await this.#keepQuarantine();
    await this.#watchLedger(state, signal);
    if (this.#deps.job.current().work?.backfill !== 'done') return;
    this.#sweep(state);
    const refused = !this.#quarantines.every(isEmpty);
    const fresh = tail?.caughtUp === true && this.#facts.tail.lagSeconds <= maxLagSeconds;
    if (fresh && !this.sweepPending() && !refused) await this.#prove(state, options);
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
        if (result.caughtUp && result.behind === 0) return this.#quarantine.size() === 0;
        if (result.kind !== 'ok' && result.kind !== 'unavailable') return false;
        // A cluster that fails at once must not be asked in a tight loop.
        if (result.kind === 'unavailable') await sleep(this.#deps.runtime, retryTailMs, abort.signal);
      }
    } finally {
      cancel();
    }
  }
}
