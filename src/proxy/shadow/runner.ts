/**
 * Runs shadow reads: draws samples by the route's percentage, lets them wait in a bounded line, and works them off after the
 * client was answered, a few at a time, on connections of its own. Nothing here is awaited by a client's request, and
 * every sample ends counted: compared, or skipped with a reason.
 */
import { type Rules, rulesFrom } from '../../compare/rules.ts';
import { isComparable, type QueryShape, type Severity } from '../../compare/types.ts';
import { effectivePercents } from '../../coordination/effective.ts';
import { evidenceSubject } from '../../coordination/evidence-subject.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn } from '../../coordination/records.ts';
import { systemTimers, type Timers } from '../../coordination/timers.ts';
import type { Logger } from '../../log.ts';
import type { Transports } from '../../upstream/types.ts';
import { sampled } from '../bucket.ts';
import { type Breaker, type BreakerState, createBreaker, defaultBreaker } from '../read/breaker.ts';
import { clientNames } from '../read/side-names.ts';
import type { IndexNames } from '../rename.ts';
import { type Compare, createComparer } from './comparer.ts';
import type { Observed } from './judge.ts';
import { KnownRequests, longestKept, type RequestFacts } from './known-requests.ts';
import { observe } from './observe.ts';
import type {
  ServedRead,
  ShadowCandidate,
  ShadowReport,
  ShadowRunner,
  ShadowSkip,
  ShadowTicket,
  UnstableSample,
} from './ports.ts';
import { createRefresher } from './refresher.ts';
import { reportOf } from './reporting.ts';
import type { ObserveDeps, Sample } from './rounds.ts';
import { createSideAsker, shadowHeader } from './side-asker.ts';
import { countCompared, countSampled, countSkipped, noCounts, type ShadowCounts } from './tally.ts';
import { createTurns } from './turns.ts';
import { type ByteBudget, type Turn, WaitingLine } from './waiting-line.ts';

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
  readonly onUnstable?: (sample: UnstableSample) => void;
  /** The route as it is now; default: nothing has changed. */
  readonly stateOf?: (slug: string) => RouteState | undefined;
  /** The backfill of the route is complete, as far as is known here; default: it is. */
  readonly isFilled?: (slug: string) => boolean;
  /** Bytes of requests and answers that may wait, over all routes. */
  readonly maxQueuedBytes?: number;
  readonly settleMs?: readonly number[];
  readonly refreshIntervalMs?: number;
  /** Where large answers are compared; default: between the events of clients, like others. */
  readonly compareApart?: Compare;
};

/** What is found of a request, and frozen in it, takes some milliseconds at this size, and cannot be cut into pieces. */
const maxRequestBytes = 256 * 1024;

const defaults = { maxQueuedBytes: 32 * 1024 * 1024, settleMs: [250, 1500, 4000, 10_000] };

/** No client waits for a probe, and what it finds is evidence: a side that fails must not be left alone for so long that it lacks. */
const probing = { ...defaultBreaker, maxOpenMs: 5000 };

type Settle = {
  compared(severity: Severity | 'none'): void;
  skipped(reason: ShadowSkip): void;
};
type Waiting = { readonly sample: Sample; readonly settle: Settle };
type RouteWork = {
  readonly line: WaitingLine<Waiting>;
  readonly breaker: Breaker;
  counts: ShadowCounts;
  /** What follows from the spec of this revision. */
  derived: { revision: number; rules: Rules; names: IndexNames } | undefined;
};

/** A replay is asked for by a person, and waits for no place. */
const atOnce: Pick<ObserveDeps, 'rest' | 'hold'> = { rest: (waiting) => waiting(), hold: () => undefined };

export class ShadowReads implements ShadowRunner {
  readonly #deps: ShadowDeps;
  readonly #observing: Omit<ObserveDeps, 'rest' | 'hold'>;
  readonly #stopping = new AbortController();
  readonly #routes = new Map<string, RouteWork>();
  readonly #budget: ByteBudget;
  readonly #known = new KnownRequests();

  constructor(deps: ShadowDeps) {
    this.#deps = deps;
    this.#budget = { maxBytes: deps.maxQueuedBytes ?? defaults.maxQueuedBytes, heldBytes: 0 };
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
    const stopped = ({ settle }: Waiting): void => settle.skipped('stopped');
    await Promise.all([...this.#routes.values()].map(({ line }) => line.close(stopped)));
  }

  #workOf({ slug }: RouteState): RouteWork {
    const known = this.#routes.get(slug);
    if (known !== undefined) return known;
    const { now } = this.#deps;
    const work: RouteWork = {
      line: new WaitingLine({
        budget: this.#budget,
        now,
        work: (waiting, turn) => this.#work(work, waiting, turn),
      }),
      breaker: createBreaker({
        nowMs: now,
        settings: probing,
        changed: (state) => this.#emit({ kind: 'breaker', slug, state }),
      }),
      counts: noCounts,
      derived: undefined,
    };
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

  #refusal({ state, operation, head }: ShadowCandidate, { breaker, line }: RouteWork): ShadowSkip | undefined {
    if (this.#stopping.signal.aborted) return 'stopped';
    if (!isComparable(operation.family) || head.method === 'HEAD') return 'not_comparable';
    if (!breaker.wouldAdmit()) return 'breaker_open';
    return line.mayJoin(state.spec.shadow) ? undefined : 'queue_full';
  }

  #enqueue(candidate: ShadowCandidate, served: ServedRead, settle: Settle): void {
    const { state } = candidate;
    const sample = this.#sampleOf(candidate, served);
    const requestBytes = served.requestBody?.length ?? 0;
    const bytes = served.body.length + requestBytes;
    if (sample === undefined) settle.skipped('not_comparable');
    else if (requestBytes > maxRequestBytes) settle.skipped('too_large');
    else if (this.#stopping.signal.aborted) settle.skipped('stopped');
    else if (!this.#workOf(state).line.join({ sample, settle }, { bytes, limits: state.spec.shadow }))
      settle.skipped('queue_full');
  }

  #sampleOf({ state, operation: { family, params }, head }: ShadowCandidate, served: ServedRead): Sample | undefined {
    if (!isComparable(family)) return undefined;
    return {
      state,
      subject: evidenceSubject(state, this.#deps.isFilled?.(state.slug) ?? true),
      api: family,
      request: { method: head.method, path: head.path, query: head.query, body: served.requestBody, id: params.id },
      contentType: served.requestBody?.length ? head.headers['content-type'] : undefined,
      served,
      baseline: sampled(this.#deps.random, state.spec.shadow.baselinePercent),
    };
  }

  async #work(work: RouteWork, waiting: Waiting, { sinceMs, hold }: Turn): Promise<void> {
    const { sample, settle } = waiting;
    try {
      const known = await this.#factsOf(sample);
      const { skip, shape } = this.#admitted(sample, known, { sinceMs, breaker: work.breaker });
      if (skip !== undefined) settle.skipped(skip);
      else await this.#observe(work, { ...waiting, hold }, shape);
    } catch (err) {
      this.#deps.logger.warn({ err, route: sample.state.slug }, 'a shadow comparison failed');
      settle.skipped('other');
    }
  }

  /** A long request is a turn's work of its own. */
  #factsOf({ api, request }: Sample): RequestFacts | Promise<RequestFacts> {
    const find = (): RequestFacts => this.#known.factsOf(api, request);
    return (request.body?.length ?? 0) > longestKept ? this.#observing.inTurn(find) : find();
  }

  #admitted(
    { state }: Sample,
    { skip, shape }: RequestFacts,
    { sinceMs, breaker }: { sinceMs: number; breaker: Breaker },
  ): { skip: ShadowSkip | undefined; shape: QueryShape } {
    // What waited too long says more about the line than about a side.
    if (this.#deps.now() - sinceMs > state.spec.shadow.timeoutMs) return { skip: 'queue_full', shape };
    return { skip: skip ?? (breaker.admit() ? undefined : 'breaker_open'), shape };
  }

  async #observe(
    { breaker, line }: RouteWork,
    { sample, settle, hold }: Waiting & Pick<Turn, 'hold'>,
    shape: QueryShape,
  ): Promise<void> {
    const observed = await observe({ ...this.#observing, rest: (waiting) => line.slots.rest(waiting), hold }, sample);
    breaker.settle(failedToAnswer(sample, observed) ? 'failure' : 'success');
    if (observed.kind === 'skipped') {
      settle.skipped(observed.reason);
      const { state, subject, served } = sample;
      if (observed.reason === 'unstable')
        this.#deps.onUnstable?.({ slug: state.slug, subject, shape, atMs: served.atMs });
      return;
    }
    settle.compared(observed.observation.severity);
    const deps = { observing: { ...this.#observing, ...atOnce }, stateOf: this.#deps.stateOf };
    this.#deps.onReport?.(reportOf(deps, sample, { observed, shape }));
  }

  #derivedOf(state: RouteState): NonNullable<RouteWork['derived']> {
    const work = this.#workOf(state);
    const { specRevision: revision, spec } = state;
    if (work.derived?.revision !== revision)
      work.derived = {
        revision,
        rules: rulesFrom(spec.shadow.profile, { transformed: spec.transform !== undefined }),
        names: clientNames([state]),
      };
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
