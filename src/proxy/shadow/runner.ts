/**
 * Runs shadow reads: draws samples by the route's percentage, holds them in a bounded queue, and works them off after the
 * client was answered, a few at a time, on connections of its own. Nothing here is awaited by a client's request, and
 * every sample ends counted: compared, or skipped with a reason.
 */
import { type Rules, rulesFrom } from '../../compare/rules.ts';
import { isComparable, type QueryShape, type Severity } from '../../compare/types.ts';
import { effectivePercents } from '../../coordination/effective.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide } from '../../coordination/records.ts';
import { systemTimers, type Timers } from '../../coordination/timers.ts';
import { CrossfadeError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Transports } from '../../upstream/types.ts';
import { sampled } from '../bucket.ts';
import type { IndexNames } from '../rename.ts';
import { type Breaker, type BreakerState, createBreaker } from '../read/breaker.ts';
import { clientNames } from '../read/side-names.ts';
import type { Observed } from './judge.ts';
import { type Compare, createComparer } from './comparer.ts';
import { KnownRequests } from './known-requests.ts';
import { observe, observeAgain } from './observe.ts';
import type { ServedRead, ShadowCandidate, ShadowReport, ShadowRunner, ShadowSkip, ShadowTicket } from './ports.ts';
import { createRefresher } from './refresher.ts';
import type { ObserveDeps, Sample } from './rounds.ts';
import { createSideAsker, shadowHeader } from './side-asker.ts';
import { Slots } from './slots.ts';
import { countCompared, countSampled, countSkipped, noCounts, type ShadowCounts } from './tally.ts';
import { createTurns } from './turns.ts';

export type ShadowEvent =
  | { kind: 'sampled'; slug: string }
  | { kind: 'compared'; slug: string; severity: Severity | 'none' }
  | { kind: 'skipped'; slug: string; reason: ShadowSkip }
  | { kind: 'breaker'; slug: string; state: BreakerState['kind'] };

export type ShadowDeps = {
  /** Connections of their own, so that a hung cluster takes none of the application's. */
  readonly transports: Transports;
  readonly random: () => number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly logger: Pick<Logger, 'warn'>;
  readonly timers?: Timers;
  readonly onEvent?: (event: ShadowEvent) => void;
  readonly onReport?: (report: ShadowReport) => void;
  /** The route as it is now; default: nothing has changed. */
  readonly stateOf?: (slug: string) => RouteState | undefined;
  /** Bytes of requests and answers that may wait, over all routes. */
  readonly maxQueuedBytes?: number;
  readonly settleMs?: readonly number[];
  readonly refreshIntervalMs?: number;
  /** Where large answers are compared; default: between the events of clients, like others. */
  readonly compareApart?: Compare;
};

type Compared = Extract<Observed, { kind: 'compared' }>;
const nothing = Buffer.alloc(0);

/**
 * A queue is for bursts. When its oldest sample waits longer, the other side does not keep up, and more samples would only
 * be held until they are too old: their answers in memory, to be collected at the cost of clients.
 */
const longestWaitMs = 500;

const defaults = { maxQueuedBytes: 32 * 1024 * 1024, settleMs: [250, 1500, 4000, 10_000] };

type Waiting = { readonly sample: Sample; readonly bytes: number; readonly sinceMs: number; readonly settle: Settle };
type Settle = {
  compared(severity: Severity | 'none'): void;
  skipped(reason: ShadowSkip): void;
};
type RouteWork = {
  readonly queue: Waiting[];
  readonly breaker: Breaker;
  readonly slots: Slots;
  counts: ShadowCounts;
  /** What follows from the spec of this revision. */
  derived: { revision: number; rules: Rules; names: IndexNames } | undefined;
};

type Observing = {
  readonly breaker: Breaker;
  readonly settle: Settle;
  readonly slots: Slots;
  readonly shape: QueryShape;
};
/** A replay is asked for by a person, and waits for no place. */
const atOnce = (waiting: () => Promise<void>): Promise<void> => waiting();

export class ShadowReads implements ShadowRunner {
  readonly #deps: ShadowDeps;
  readonly #observing: Omit<ObserveDeps, 'rest'>;
  readonly #stopping = new AbortController();
  readonly #routes = new Map<string, RouteWork>();
  readonly #maxQueuedBytes: number;
  readonly #known = new KnownRequests();
  #queuedBytes = 0;

  constructor(deps: ShadowDeps) {
    this.#deps = deps;
    this.#maxQueuedBytes = deps.maxQueuedBytes ?? defaults.maxQueuedBytes;
    const timers = deps.timers ?? systemTimers;
    const stopping = this.#stopping.signal;
    const { transports, now, random, compareApart } = deps;
    const intervalMs = deps.refreshIntervalMs;
    const inTurn = createTurns({ now });
    this.#observing = {
      ask: createSideAsker({ transports, now, stopping }),
      refresh: createRefresher({
        transports,
        now,
        timers,
        stopping,
        ...(intervalMs === undefined ? {} : { intervalMs }),
      }),
      rulesOf: (state) => this.#derivedOf(state).rules,
      namesOf: (state) => this.#derivedOf(state).names,
      random,
      inTurn,
      compare: createComparer({ inTurn, ...(compareApart && { compareApart }) }),
      timers,
      stopping,
      settleMs: deps.settleMs ?? defaults.settleMs,
    };
  }

  draw(candidate: ShadowCandidate): ShadowTicket | undefined {
    const { state, operation, head } = candidate;
    // A shadow read of another sidecar must not be shadowed again.
    if (head.headers[shadowHeader] !== undefined) return undefined;
    if (!sampled(this.#deps.random, effectivePercents(state).shadow)) return undefined;
    const work = this.#workOf(state);
    const settle = this.#begin(state, work);
    const refusal = this.#refusal(candidate, work);
    if (refusal !== undefined) {
      settle.skipped(refusal);
      return undefined;
    }
    return {
      maxBodyBytes: state.spec.shadow.maxBodyBytes,
      skip: (reason) => settle.skipped(reason),
      offer: (served) => this.#enqueue({ state, operation, head }, served, settle),
    };
  }

  counts(slug: string): ShadowCounts {
    return this.#routes.get(slug)?.counts ?? noCounts;
  }

  /** Samples that wait or run are skipped as `stopped`; resolves when none is left. */
  async close(): Promise<void> {
    this.#stopping.abort();
    for (const work of this.#routes.values()) {
      for (const { settle } of work.queue.splice(0)) settle.skipped('stopped');
    }
    await Promise.allSettled(this.#runs);
  }

  readonly #runs = new Set<Promise<void>>();

  #workOf({ slug }: RouteState): RouteWork {
    const known = this.#routes.get(slug);
    if (known !== undefined) return known;
    const breaker = createBreaker({
      nowMs: this.#deps.now,
      changed: (state) => this.#emit({ kind: 'breaker', slug, state }),
    });
    const slots = new Slots(() => this.#pump(work));
    const work: RouteWork = { queue: [], breaker, slots, counts: noCounts, derived: undefined };
    this.#routes.set(slug, work);
    return work;
  }

  #begin({ slug }: RouteState, work: RouteWork): Settle {
    let open = true;
    const once = (change: (counts: ShadowCounts) => ShadowCounts, event: ShadowEvent): void => {
      if (!open) return;
      open = false;
      work.counts = change(work.counts);
      this.#emit(event);
    };
    work.counts = countSampled(work.counts);
    this.#emit({ kind: 'sampled', slug });
    return {
      compared: (severity) => once((counts) => countCompared(counts, severity), { kind: 'compared', slug, severity }),
      skipped: (reason) => once((counts) => countSkipped(counts, reason), { kind: 'skipped', slug, reason }),
    };
  }

  #refusal({ state, operation, head }: ShadowCandidate, { breaker, queue, slots }: RouteWork): ShadowSkip | undefined {
    if (this.#stopping.signal.aborted) return 'stopped';
    if (!isComparable(operation.family) || head.method === 'HEAD') return 'not_comparable';
    if (!breaker.wouldAdmit()) return 'breaker_open';
    const { maxQueued, maxConcurrent } = state.spec.shadow;
    if (queue.length + slots.resting > maxQueued + maxConcurrent) return 'queue_full';
    const [oldest] = queue;
    return oldest !== undefined && this.#deps.now() - oldest.sinceMs > longestWaitMs ? 'queue_full' : undefined;
  }

  #enqueue(candidate: ShadowCandidate, served: ServedRead, settle: Settle): void {
    const work = this.#workOf(candidate.state);
    const sample = this.#sampleOf(candidate, served);
    const bytes = served.body.length + (served.requestBody?.length ?? 0);
    const refusal = sample === undefined ? 'not_comparable' : this.#noRoom(work, candidate.state, bytes);
    if (sample === undefined || refusal !== undefined) {
      settle.skipped(refusal ?? 'other');
      return;
    }
    work.queue.push({ sample, bytes, sinceMs: this.#deps.now(), settle });
    this.#queuedBytes += bytes;
    this.#pump(work);
  }

  #noRoom({ queue, slots }: RouteWork, { spec }: RouteState, bytes: number): ShadowSkip | undefined {
    if (this.#stopping.signal.aborted) return 'stopped';
    const { maxQueued, maxConcurrent } = spec.shadow;
    const waiting = queue.length + slots.resting - slots.free(maxConcurrent);
    return waiting >= maxQueued || this.#queuedBytes + bytes > this.#maxQueuedBytes ? 'queue_full' : undefined;
  }

  #sampleOf({ state, operation: { family }, head }: ShadowCandidate, served: ServedRead): Sample | undefined {
    if (!isComparable(family)) return undefined;
    return {
      state,
      api: family,
      request: { method: head.method, path: head.path, query: head.query, body: served.requestBody },
      contentType: served.requestBody?.length ? head.headers['content-type'] : undefined,
      served,
      baseline: sampled(this.#deps.random, state.spec.shadow.baselinePercent),
    };
  }

  #pump(work: RouteWork): void {
    for (;;) {
      const [next] = work.queue;
      if (next === undefined || !work.slots.take(next.sample.state.spec.shadow.maxConcurrent)) return;
      work.queue.shift();
      const run = this.#work(work, next).finally(() => {
        this.#queuedBytes -= next.bytes;
        this.#runs.delete(run);
        work.slots.leave();
      });
      this.#runs.add(run);
    }
  }

  /** Begins in a turn: the caller may be in the middle of a client's answer, and many may have to be skipped at once. */
  async #work({ breaker, slots }: RouteWork, waiting: Waiting): Promise<void> {
    const { sample, settle } = waiting;
    try {
      const { skip, shape } = await this.#observing.inTurn(() => this.#factsOf(waiting, breaker));
      if (skip !== undefined) settle.skipped(skip);
      else await this.#observe(sample, { breaker, settle, slots, shape });
    } catch (err) {
      this.#deps.logger.warn({ err, route: sample.state.slug }, 'a shadow comparison failed');
      settle.skipped('other');
    }
  }

  #factsOf({ sample, sinceMs }: Waiting, breaker: Breaker): { skip: ShadowSkip | undefined; shape: QueryShape } {
    const { skip, shape } = this.#known.factsOf(sample.api, sample.request);
    // What waited too long says more about the queue than about a side.
    if (this.#deps.now() - sinceMs > sample.state.spec.shadow.timeoutMs) return { skip: 'queue_full', shape };
    return { skip: skip ?? (breaker.admit() ? undefined : 'breaker_open'), shape };
  }

  async #observe(sample: Sample, { breaker, settle, slots, shape }: Observing): Promise<void> {
    const observed = await observe({ ...this.#observing, rest: (waiting) => slots.rest(waiting) }, sample);
    breaker.settle(failedToAnswer(sample, observed) ? 'failure' : 'success');
    if (observed.kind === 'skipped') {
      settle.skipped(observed.reason);
      return;
    }
    settle.compared(observed.observation.severity);
    this.#report(sample, observed, shape);
  }

  #report(sample: Sample, observed: Compared, shape: QueryShape): void {
    this.#deps.onReport?.({ ...reportOf(sample, observed, shape), repeat: this.#repeatOf(sample, shape) });
  }

  /** The answer is let go: only the request is needed again. */
  #repeatOf(sample: Sample, shape: QueryShape): ShadowReport['repeat'] {
    const served = { ...sample.served, body: nothing, authorization: undefined, headers: {} };
    const slim: Sample = { ...sample, served, baseline: true };
    const repeat: ShadowReport['repeat'] = async () => {
      this.#demandSamePhase(slim.state);
      const observed = await observeAgain({ ...this.#observing, rest: atOnce }, slim);
      return observed.kind === 'skipped'
        ? { skipped: observed.reason }
        : { ...reportOf(slim, observed, shape), repeat };
    };
    return repeat;
  }

  #demandSamePhase({ slug, phase }: RouteState): void {
    const now = this.#deps.stateOf?.(slug);
    if (this.#deps.stateOf !== undefined && now?.phase.phase !== phase.phase)
      throw new CrossfadeError(
        'REPLAY_REFUSED',
        `The route is in ${now?.phase.phase ?? 'no phase'} by now, not in ${phase.phase}.`,
      );
  }

  #derivedOf(state: RouteState): NonNullable<RouteWork['derived']> {
    const work = this.#workOf(state);
    const { specRevision: revision, spec } = state;
    if (work.derived?.revision !== revision)
      work.derived = { revision, rules: rulesFrom(spec.shadow.profile), names: clientNames([state]) };
    return work.derived;
  }

  #emit(event: ShadowEvent): void {
    this.#deps.onEvent?.(event);
  }
}

/** The side that was asked for the sample, not the one that served the client. */
const failedToAnswer = ({ state, served }: Sample, observed: Observed): boolean => {
  if (observed.kind === 'skipped') return false;
  const { authority, other } = observed.round;
  const { status } = (served.side === authorityIn(state.phase.phase) ? other : authority).answer;
  return status === 0 || status >= 500 || status === 429;
};

const reportOf = (sample: Sample, observed: Compared, shape: QueryShape): Omit<ShadowReport, 'repeat'> => {
  const { state, api, request, served } = sample;
  const authority = authorityIn(state.phase.phase);
  const { observation, baseline, settled, round } = observed;
  const answers = { [authority]: round.authority.answer, [otherSide(authority)]: round.other.answer };
  return {
    slug: state.slug,
    family: api,
    shape,
    atMs: served.atMs,
    authority,
    observation,
    baseline,
    settled,
    authorityMs: round.authority.ms,
    otherMs: round.other.ms,
    request: { ...request, body: served.requestBody },
    answers: answers as ShadowReport['answers'],
  };
};
