/**
 * The way of copies to one follower of one route: gathers them for a moment, keeps a few bulks under way, repeats what
 * can pass and slows down as a whole while the follower is in trouble. It reports each copy's fate once through `done`
 * and knows nothing of ledgers or clients. Invariant: a queued copy always has a timer or a flight that will move it.
 */
import type { Copy } from '../coordination/ports.ts';
import type { CopySettings } from '../coordination/route-spec.ts';
import { type FinalFate, type RetryFate, retryDelayMs, sendOnce, settledFates } from './bulk-send.ts';
import type { ClusterControl } from './cluster.ts';
import type { StampedWrite, WriteFate } from './copy-bulk.ts';
import { CopyQueue, type Pending, type RefreshClass } from './copy-queue.ts';
import type { Runtime } from './runtime.ts';
import type { Prepared } from './stamped-write.ts';

export type LaneOptions = {
  cluster: ClusterControl;
  runtime: Runtime;
  settings: CopySettings;
  /** Write of a copy; rejects when it cannot be made now (a transform that does not load). */
  prepare(copy: Copy): Promise<Prepared>;
  /** Called once per pending copy, when it has left the queue. */
  done(pending: Pending, fate: FinalFate): void;
  /** Called instead for each copy that the lane gave up. */
  left(pending: Pending): void;
  /** The same copy under a newer epoch of its reign, when a fenced one may be sent again. */
  renew(copy: Copy): Copy | undefined;
};

const classes: readonly RefreshClass[] = ['true', 'none', 'wait_for'];

export class CopyLane {
  readonly queue = new CopyQueue();
  /** Why copies are being repeated, until one gets through. */
  problem: string | undefined;
  #settings: CopySettings;
  readonly #options: LaneOptions;
  readonly #flights: Record<RefreshClass, number> = { none: 0, wait_for: 0, true: 0 };
  readonly #cancels = new Set<() => void>();
  readonly #idleWaiters = new Set<() => void>();
  #gathering = false;
  #due = false;
  #paused = false;
  readonly #pausedKeys: string[] = [];
  #closed = false;
  #failures = 0;
  /** How often everything was given up. */
  #term = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  configure(settings: CopySettings): void {
    this.#settings = settings;
  }

  add(pending: Pending): void {
    this.queue.add(pending);
    this.#gather();
    if (this.#isFull()) this.#pump();
  }

  /** Sends what has been gathered without waiting longer. */
  flush(): void {
    this.#due = true;
    this.#pump();
  }

  /** Calls back once nothing is queued or under way; returns a cancel function. */
  whenIdle(run: () => void): () => void {
    this.#idleWaiters.add(run);
    this.#settleIdle();
    return () => this.#idleWaiters.delete(run);
  }

  /** Stops everything; copies that had no fate yet are left. */
  close(): void {
    this.#closed = true;
    this.#forgetTimers();
    for (const pending of this.queue.clear()) this.#options.left(pending);
    this.#settleIdle();
  }

  /**
   * Nothing that is here is sent any more. What is under way still gets its fate if its answer tells one: until then it may
   * arrive, and nobody must take it for gone.
   */
  giveUp(): void {
    this.#term++;
    this.#forgetTimers();
    this.#paused = false;
    this.#failures = 0;
    this.problem = undefined;
    for (const pending of this.queue.clearQueued()) this.#options.left(pending);
    this.#settleIdle();
  }

  #forgetTimers(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#pausedKeys.length = 0;
    this.#gathering = false;
    this.#due = false;
  }

  #isFull(): boolean {
    const { maxBatchDocs, maxBatchBytes } = this.#settings;
    return this.queue.queuedBytes >= maxBatchBytes || classes.some((kind) => this.queue.isReady(kind, maxBatchDocs));
  }

  #after(delayMs: number, run: () => void): void {
    const cancel = this.#options.runtime.after(delayMs, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
  }

  #gather(): void {
    if (this.#gathering || this.#due) return;
    this.#gathering = true;
    this.#after(this.#settings.flushMs, () => {
      this.#gathering = false;
      this.flush();
    });
  }

  #mayFly(kind: RefreshClass): boolean {
    // After a failure one bulk probes at a time, so that a follower coming back is not met by all of them.
    const limit = this.#failures > 0 ? 1 : this.#settings.maxConcurrent;
    return this.#flights[kind] < limit && this.queue.isReady(kind) && (this.#due || this.#isFull());
  }

  #pump(): void {
    if (this.#closed || this.#paused) return;
    const { maxBatchDocs: maxDocs, maxBatchBytes: maxBytes } = this.#settings;
    for (const kind of classes)
      while (this.#mayFly(kind)) {
        const batch = this.queue.take(kind, { maxDocs, maxBytes });
        if (batch.length > 0) void this.#fly(kind, batch);
      }
    if (!classes.some((kind) => this.queue.isReady(kind))) this.#due = false;
    else if (!this.#due) this.#gather();
  }

  async #fly(kind: RefreshClass, batch: Pending[]): Promise<void> {
    this.#flights[kind]++;
    const term = this.#term;
    let fates: WriteFate[];
    try {
      fates = await this.#send(kind, batch);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      fates = batch.map(() => ({ kind: 'retry', cause: 'blocked', reason }));
    }
    this.#flights[kind]--;
    if (this.#closed) return;
    if (term === this.#term) this.#land(batch, fates);
    else this.#landLast(batch, fates);
    this.#pump();
    this.#settleIdle();
  }

  async #send(kind: RefreshClass, batch: Pending[]): Promise<WriteFate[]> {
    const { cluster, prepare } = this.#options;
    const prepared = await Promise.all(batch.map(({ copy }) => prepare(copy)));
    const writes = prepared.filter((one) => one.ok).map(({ write }): StampedWrite => write);
    // Writes that come meanwhile join the batch of one that has failed often.
    const attempts = 1 + Math.max(...batch.map((pending) => pending.attempts));
    const refresh = kind === 'none' ? undefined : kind;
    const fates = await sendOnce(writes, { cluster, timeoutMs: this.#settings.requestTimeoutMs, refresh }, attempts);
    let sent = 0;
    return prepared.map((one) => (one.ok ? (fates[sent++] as WriteFate) : { kind: 'quarantine', reason: one.reason }));
  }

  #land(batch: Pending[], fates: WriteFate[]): void {
    const again: Pending[] = [];
    let last: RetryFate | undefined;
    const attempts = batch.map((pending) => pending.attempts + 1);
    const settled = settledFates(fates, attempts);
    for (const [i, pending] of batch.entries()) {
      const fate = settled[i] as WriteFate;
      if (fate.kind === 'retry') {
        again.push(pending);
        last = fate;
      } else this.#finish(pending, fate);
    }
    const all = again.length === batch.length;
    if (!all) {
      this.#failures = 0;
      this.problem = undefined;
    }
    if (last !== undefined) this.#postpone(again, last, all);
  }

  /** Of those that were given up meanwhile. */
  #landLast(batch: Pending[], fates: WriteFate[]): void {
    for (const [i, pending] of batch.entries()) {
      const fate = fates[i] as WriteFate;
      this.queue.land(pending);
      if (fate.kind === 'retry') this.#options.left(pending);
      else this.#options.done(pending, fate);
    }
  }

  #finish(pending: Pending, fate: FinalFate): void {
    this.queue.land(pending);
    const renewed = fate.kind === 'fenced' ? this.#options.renew(pending.copy) : undefined;
    if (renewed !== undefined) this.add({ ...pending, copy: renewed });
    else this.#options.done(pending, fate);
  }

  /** When all of a bulk failed, the whole lane waits; else only the copies that did, each by its own attempts. */
  #postpone(again: Pending[], fate: RetryFate, all: boolean): void {
    this.problem = fate.reason;
    const keys = again.map((pending) => this.queue.delay(pending)).filter((key) => key !== undefined);
    if (all) {
      this.#pause(keys, fate);
      return;
    }
    const attempts = 1 + Math.max(...again.map((pending) => pending.attempts));
    this.#after(retryDelayMs(fate, attempts, this.#options.runtime), () => this.#release(keys));
  }

  #pause(keys: string[], fate: RetryFate): void {
    // Bulks that were under way when the first failed tell nothing new: they join its wait.
    this.#pausedKeys.push(...keys);
    if (this.#paused) return;
    this.#paused = true;
    this.#failures++;
    this.#after(retryDelayMs(fate, this.#failures, this.#options.runtime), () => {
      this.#paused = false;
      this.#release(this.#pausedKeys.splice(0));
    });
  }

  #release(keys: string[]): void {
    for (const key of keys) this.queue.release(key);
    this.flush();
  }

  #settleIdle(): void {
    if (this.queue.size > 0) return;
    for (const waiter of this.#idleWaiters) waiter();
    this.#idleWaiters.clear();
  }
}
