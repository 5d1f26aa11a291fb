/**
 * Pure: which share of itself may background work use without clients suffering from it? The 99th percentile of the
 * clusters' answers to the clients of this process, over the last windows in which the work hardly ran, is what they are
 * used to: over many, because pauses of a cluster come by the minute, and clients know them. Of a window beside the work the answers much slower than that are counted, since one percentile of some hundred answers is
 * mostly chance: more than a few cut the share, as few as ever give a little back, and in between it stays. Where there are clients, work begins with a part of itself: what it does to them is not known
 * yet, and a short backfill would be over before it was. Work that is held back because of a change it did not cause soon
 * makes quiet windows itself, and they move the baseline: so it is never held back for long by a load that merely changed.
 */

export type LiveWatchOptions = {
  windowMs: number;
  /** A window with fewer answers goes on, up to `maxWindows` times its length, and then says nothing. */
  minAnswers: number;
  maxWindows: number;
  /** Up to this share of a window spent working it counts as quiet. */
  quietShare: number;
  /** How much longer than the baseline is slow; within `slackMs` of it nothing is. */
  factor: number;
  slackMs: number;
  /** With more slow answers than this share clients suffer, with no more than that they are at ease. */
  sufferShare: number;
  easeShare: number;
  /** What a new quiet window leaves of the weight of those before it. */
  fade: number;
  leastShare: number;
  /** Where there are clients, quiet windows leave no more than this. */
  firstShare: number;
  /** What a window of suffering leaves of the share, and what one of ease adds. */
  cut: number;
  step: number;
};

export const defaultLiveWatchOptions: LiveWatchOptions = {
  windowMs: 1000,
  minAnswers: 100,
  maxWindows: 10,
  quietShare: 0.1,
  factor: 1.5,
  slackMs: 2,
  sufferShare: 0.015,
  easeShare: 0.005,
  fade: 0.95,
  leastShare: 0.02,
  firstShare: 0.5,
  cut: 0.7,
  step: 0.03,
};
/** More answers in one window are not needed to know its tail. */
const maxAnswers = 4096;
const leastMs = 0.01;
const bucketLog = Math.log(1.05);

/** How long answers took, by buckets of 5 %: older ones count less and less. */
class Usual {
  #weights = new Map<number, number>();
  readonly #fade: number;

  constructor(fade: number) {
    this.#fade = fade;
  }

  add(answersMs: readonly number[]): void {
    for (const [bucket, weight] of this.#weights) this.#weights.set(bucket, weight * this.#fade);
    for (const tookMs of answersMs) {
      const bucket = Math.ceil(Math.log(Math.max(tookMs, leastMs)) / bucketLog);
      this.#weights.set(bucket, (this.#weights.get(bucket) ?? 0) + 1);
    }
  }

  /** Undefined before anything was added. */
  p99Ms(): number | undefined {
    const slowestFirst = [...this.#weights].sort(([a], [b]) => b - a);
    let left = 0.01 * slowestFirst.reduce((sum, [, weight]) => sum + weight, 0);
    const found = slowestFirst.find(([, weight]) => (left -= weight) <= 0);
    return found && Math.exp(found[0] * bucketLog);
  }
}

export class LiveWatch {
  readonly #options: LiveWatchOptions;
  #answersMs: number[] = [];
  #workedMs = 0;
  #sinceMs: number | undefined;
  readonly #usual: Usual;
  #share = 1;

  constructor(options: LiveWatchOptions = defaultLiveWatchOptions) {
    this.#options = options;
    this.#usual = new Usual(options.fade);
  }

  /** A cluster answered a client's request after `tookMs`. */
  answered(tookMs: number, nowMs: number): void {
    this.#advance(nowMs);
    if (this.#answersMs.length < maxAnswers) this.#answersMs.push(tookMs);
  }

  /** `ms` of background work ended. */
  worked(ms: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#workedMs += ms;
  }

  /** In (0, 1]. All while there are no clients, or before a quiet window was seen. */
  share(nowMs: number): number {
    this.#advance(nowMs);
    return this.#share;
  }

  #advance(nowMs: number): void {
    this.#sinceMs ??= nowMs;
    const lengthMs = nowMs - this.#sinceMs;
    const { windowMs, minAnswers, maxWindows, step } = this.#options;
    if (lengthMs < windowMs) return;
    const telling = this.#answersMs.length >= minAnswers;
    if (!telling && lengthMs < maxWindows * windowMs) return;
    if (!telling) this.#raise(step, 1);
    else if (this.#workedMs / lengthMs <= this.#options.quietShare) this.#noteQuiet(this.#answersMs);
    else this.#judge(this.#answersMs);
    this.#answersMs = [];
    this.#workedMs = 0;
    this.#sinceMs = nowMs;
  }

  #noteQuiet(answersMs: readonly number[]): void {
    this.#usual.add(answersMs);
    this.#raise(this.#options.step, this.#options.firstShare);
  }

  #judge(answersMs: readonly number[]): void {
    const { factor, slackMs, sufferShare, easeShare, cut, step, leastShare } = this.#options;
    const baselineMs = this.#usual.p99Ms() ?? Number.POSITIVE_INFINITY;
    const limitMs = Math.max(factor * baselineMs, baselineMs + slackMs);
    const slowShare = answersMs.filter((tookMs) => tookMs > limitMs).length / answersMs.length;
    if (slowShare > sufferShare) this.#share = Math.max(leastShare, this.#share * cut);
    else if (slowShare <= easeShare) this.#raise(step, 1);
  }

  #raise(step: number, most: number): void {
    this.#share = Math.min(most, this.#share + step);
  }
}
