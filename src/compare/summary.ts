/**
 * What one member saw of one route, as counters that can be added: over members for the fleet's verdict, over time for
 * recent evidence. A summary belongs to one subject: a phase, a spec and a step of the ramp; evidence of an earlier one
 * says nothing about the present and is not mixed in. Time is cut into windows (windows.ts), so that a long good past
 * cannot hide a new fault. Shapes keep windows of their latencies alone: they are many, and a query that has turned slow
 * is what a user meets first.
 */
import * as z from 'zod';
import { severityRank } from './findings.ts';
import { ShapeRegistry } from './shape.ts';
import type { Observation, QueryShape, Severity } from './types.ts';
import { foldWindows, slotMs } from './windows.ts';

const count = z.int().min(0);
/** One counter per severity, S0 first. */
const perSeverity = z.array(count).length(10);

export const LatencyCounters = z.strictObject({
  pairs: count.describe('comparisons whose latencies count'),
  slower: count.describe('of these, the other side beyond the tolerated ratio'),
  onlyOtherSlow: count.describe('only the other side took longer than slowMs'),
  onlyAuthoritySlow: count,
  ratios: z.array(count).describe('histogram of other/authority by ratioBounds, the last one unbounded'),
});
export type LatencyCounters = z.infer<typeof LatencyCounters>;

export const Counters = z.strictObject({
  compared: count,
  bySeverity: perSeverity.describe('comparisons by their worst difference'),
  pairs: count.describe('comparisons for which the authority was also asked twice'),
  baseline: perSeverity.describe('of these, how the authority differed from itself'),
  onlyOther: perSeverity.describe('of these, only the other side differed so'),
  onlyBaseline: perSeverity.describe('of these, only the authority differed from itself so'),
  latency: LatencyCounters,
  unasked: count.describe('samples that were drawn and found no place in the queue'),
  unstable: count.describe('samples that only documents under way explain'),
});
export type Counters = z.infer<typeof Counters>;

export const ShapeSummary = z.strictObject({
  label: z.string(),
  counters: Counters.describe('of the whole step'),
  lately: z
    .array(z.strictObject({ slot: z.int(), counters: LatencyCounters }))
    .describe('latencies by window, oldest first'),
});
export type ShapeSummary = z.infer<typeof ShapeSummary>;

export const Summary = z.strictObject({
  schema: z.literal(1),
  subject: z
    .string()
    .describe('what the evidence is about; another text when phase, spec or the share of reads change'),
  lastAtMs: z.number().describe('wall clock of the latest comparison; 0 = none yet'),
  windows: z
    .array(z.strictObject({ slot: z.int(), counters: Counters }))
    .describe('oldest first; slot = time of its beginning / slotMs'),
  shapes: z.record(z.string(), ShapeSummary).describe('by fingerprint'),
});
export type Summary = z.infer<typeof Summary>;

export const ratioBounds: readonly number[] = [0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10];

const zeros = (length: number): number[] => new Array<number>(length).fill(0);

export const emptyLatency = (): LatencyCounters => ({
  pairs: 0,
  slower: 0,
  onlyOtherSlow: 0,
  onlyAuthoritySlow: 0,
  ratios: zeros(ratioBounds.length + 1),
});

export const emptyCounters = (): Counters => ({
  compared: 0,
  bySeverity: zeros(10),
  pairs: 0,
  baseline: zeros(10),
  onlyOther: zeros(10),
  onlyBaseline: zeros(10),
  latency: emptyLatency(),
  unasked: 0,
  unstable: 0,
});

export const emptySummary = (subject: string): Summary => ({
  schema: 1,
  subject,
  lastAtMs: 0,
  windows: [],
  shapes: {},
});

const addLists = (a: readonly number[], b: readonly number[]): number[] => a.map((value, i) => value + (b[i] ?? 0));

export const addLatency = (a: LatencyCounters, b: LatencyCounters): LatencyCounters => ({
  pairs: a.pairs + b.pairs,
  slower: a.slower + b.slower,
  onlyOtherSlow: a.onlyOtherSlow + b.onlyOtherSlow,
  onlyAuthoritySlow: a.onlyAuthoritySlow + b.onlyAuthoritySlow,
  ratios: addLists(a.ratios, b.ratios),
});

export const addCounters = (a: Counters, b: Counters): Counters => ({
  compared: a.compared + b.compared,
  bySeverity: addLists(a.bySeverity, b.bySeverity),
  pairs: a.pairs + b.pairs,
  baseline: addLists(a.baseline, b.baseline),
  onlyOther: addLists(a.onlyOther, b.onlyOther),
  onlyBaseline: addLists(a.onlyBaseline, b.onlyBaseline),
  latency: addLatency(a.latency, b.latency),
  unasked: a.unasked + b.unasked,
  unstable: a.unstable + b.unstable,
});

/** Under the label of the first. */
export const addShape = (a: ShapeSummary, b: ShapeSummary): ShapeSummary => ({
  label: a.label,
  counters: addCounters(a.counters, b.counters),
  lately: foldWindows([...a.lately, ...b.lately], addLatency),
});

const addShapes = (summaries: readonly Summary[]): Summary['shapes'] => {
  const shapes: Summary['shapes'] = {};
  for (const [name, shape] of summaries.flatMap((summary) => Object.entries(summary.shapes))) {
    const before = shapes[name];
    shapes[name] = before ? addShape(before, shape) : shape;
  }
  return shapes;
};

/** What all of them say of one subject. */
export const sumSummaries = (summaries: readonly Summary[], subject: string): Summary => {
  const current = summaries.filter((summary) => summary.subject === subject);
  return {
    schema: 1,
    subject,
    lastAtMs: Math.max(0, ...current.map(({ lastAtMs }) => lastAtMs)),
    windows: foldWindows(
      current.flatMap(({ windows }) => windows),
      addCounters,
    ),
    shapes: addShapes(current),
  };
};

/** Everything in one. */
export const totalCounters = ({ windows }: Summary): Counters =>
  windows.reduce((sum, { counters }) => addCounters(sum, counters), emptyCounters());

/** One comparison as the counters take it. */
export type Counted = {
  shape: QueryShape;
  observation: Observation;
  /** The authority against itself; a discarded one counts as none. */
  baseline?: Observation | undefined;
  authorityMs: number;
  otherMs: number;
  /** Wall clock when the read was sent. */
  atMs: number;
};

export type TallyOptions = {
  /** Comparisons of a shape whose latencies are left out: the other side's caches are still cold. */
  warmupPairs: number;
  /** Ratio of other to authority latency that is still tolerated. */
  slowerRatio: number;
  /** Differences below it are jitter, whatever the ratio. */
  latencyFloorMs: number;
  slowMs: number;
  /** Shapes told apart; later ones count together as `other`. */
  maxShapes: number;
};

export const defaultTallyOptions: TallyOptions = {
  warmupPairs: 50,
  slowerRatio: 1.5,
  latencyFloorMs: 5,
  slowMs: 1000,
  maxShapes: 100,
};

const rankOf = (severity: Severity | 'none'): number => (severity === 'none' ? -1 : severityRank(severity));

const bump = (list: number[], rank: number): void => {
  if (rank >= 0) list[rank] = list[rank]! + 1;
};

const noteSeverity = (counters: Counters, { observation, baseline }: Counted): void => {
  const rank = rankOf(observation.severity);
  counters.compared++;
  bump(counters.bySeverity, rank);
  if (baseline === undefined || baseline.discard !== undefined) return;
  const noise = rankOf(baseline.severity);
  counters.pairs++;
  bump(counters.baseline, noise);
  if (rank === noise) return;
  bump(counters.onlyOther, rank);
  bump(counters.onlyBaseline, noise);
};

const noteLatency = (latency: LatencyCounters, { authorityMs, otherMs }: Counted, options: TallyOptions): void => {
  const ratio = otherMs / Math.max(authorityMs, 0.001);
  const bound = ratioBounds.findIndex((edge) => ratio <= edge);
  latency.pairs++;
  bump(latency.ratios, bound < 0 ? ratioBounds.length : bound);
  if (ratio > options.slowerRatio && otherMs - authorityMs > options.latencyFloorMs) latency.slower++;
  const [otherSlow, authoritySlow] = [otherMs > options.slowMs, authorityMs > options.slowMs];
  if (otherSlow && !authoritySlow) latency.onlyOtherSlow++;
  if (authoritySlow && !otherSlow) latency.onlyAuthoritySlow++;
};

/** Counts one member's comparisons of one route. Discarded ones must not be noted: they are skips. */
export class Tally {
  readonly #options: TallyOptions;
  /** Outlives a subject, so that labels stay what they are. */
  readonly #shapes: ShapeRegistry;
  /** Comparisons by shape, up to the warm-up; outlives a subject too, since caches do. */
  readonly #warmed = new Map<string, number>();
  #summary: Summary;

  constructor(subject: string, options: TallyOptions = defaultTallyOptions) {
    this.#options = options;
    this.#shapes = new ShapeRegistry(options.maxShapes);
    this.#summary = emptySummary(subject);
  }

  get subject(): string {
    return this.#summary.subject;
  }

  /** Evidence starts again when its subject changes; true = it did. */
  restart(subject: string): boolean {
    const isNew = subject !== this.#summary.subject;
    if (isNew) this.#summary = emptySummary(subject);
    return isNew;
  }

  note(counted: Counted): void {
    const admitted = this.#shapes.admit(counted.shape);
    const slot = Math.floor(counted.atMs / slotMs);
    const shape = this.#shape(admitted);
    const window = this.#window(slot);
    const isWarm = this.#warmUp(admitted) && counted.observation.severity !== 'S0';
    for (const counters of [shape.counters, window]) noteSeverity(counters, counted);
    this.#summary.lastAtMs = Math.max(this.#summary.lastAtMs, counted.atMs);
    if (!isWarm) return;
    for (const latency of [shape.counters.latency, window.latency, latelyOf(shape, slot)])
      noteLatency(latency, counted, this.#options);
  }

  /** A sample that was drawn and found no place. */
  noteUnasked(atMs: number): void {
    this.#window(Math.floor(atMs / slotMs)).unasked++;
  }

  /** A sample that says nothing, of a kind of query that may be so often. */
  noteUnstable(shape: QueryShape, atMs: number): void {
    this.#shape(this.#shapes.admit(shape)).counters.unstable++;
    this.#window(Math.floor(atMs / slotMs)).unstable++;
  }

  /** As it is now; the next comparison changes it. */
  current(): Summary {
    return this.#summary;
  }

  /** A copy, safe to keep. */
  snapshot(): Summary {
    return structuredClone(this.#summary);
  }

  #warmUp({ fingerprint }: QueryShape): boolean {
    const seen = this.#warmed.get(fingerprint) ?? 0;
    if (seen < this.#options.warmupPairs) this.#warmed.set(fingerprint, seen + 1);
    return seen >= this.#options.warmupPairs;
  }

  #shape({ fingerprint, label }: QueryShape): ShapeSummary {
    this.#summary.shapes[fingerprint] ??= { label, counters: emptyCounters(), lately: [] };
    return this.#summary.shapes[fingerprint];
  }

  /** Late reports count in the newest window: slots never go back. */
  #window(slot: number): Counters {
    const last = this.#summary.windows.at(-1);
    if (last && last.slot >= slot) return last.counters;
    const counters = emptyCounters();
    this.#summary.windows = foldWindows([...this.#summary.windows, { slot, counters }], addCounters);
    return counters;
  }
}

const latelyOf = (shape: ShapeSummary, slot: number): LatencyCounters => {
  const last = shape.lately.at(-1);
  if (last && last.slot >= slot) return last.counters;
  const counters = emptyLatency();
  shape.lately = foldWindows([...shape.lately, { slot, counters }], addLatency);
  return counters;
};
