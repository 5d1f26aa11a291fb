/**
 * Pure: which share of itself may background work use without clients suffering from it? The 99th percentile of the
 * clusters' answers to the clients of this process, window by window, is held against what it was in windows in which the
 * work hardly ran: each window in which clients suffer cuts the share, each in which they are at ease gives a little back,
 * and in between it stays. Where there are clients, work begins with a part of itself: what it does to them is not known
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
  /** How much slower than the baseline is suffering, and up to where clients are at ease; within `slackMs` they always are. */
  factor: number;
  easeFactor: number;
  slackMs: number;
  /** Weight of a new quiet window in the baseline. */
  weight: number;
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
  easeFactor: 1.25,
  slackMs: 2,
  weight: 0.15,
  leastShare: 0.02,
  firstShare: 0.5,
  cut: 0.7,
  step: 0.03,
};
/** More answers in one window are not needed to know its tail. */
const maxAnswers = 4096;

const p99 = (answersMs: readonly number[]): number =>
  answersMs.toSorted((a, b) => a - b)[Math.floor(0.99 * answersMs.length)] ?? 0;

export class LiveWatch {
  readonly #options: LiveWatchOptions;
  #answersMs: number[] = [];
  #workedMs = 0;
  #sinceMs: number | undefined;
  #baselineMs: number | undefined;
  #share = 1;

  constructor(options: LiveWatchOptions = defaultLiveWatchOptions) {
    this.#options = options;
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
    else if (this.#workedMs / lengthMs <= this.#options.quietShare) this.#noteQuiet(p99(this.#answersMs));
    else this.#judge(p99(this.#answersMs));
    this.#answersMs = [];
    this.#workedMs = 0;
    this.#sinceMs = nowMs;
  }

  #noteQuiet(tailMs: number): void {
    const { weight, step, firstShare } = this.#options;
    const before = this.#baselineMs;
    this.#baselineMs = before === undefined ? tailMs : before + weight * (tailMs - before);
    this.#raise(step, firstShare);
  }

  #judge(tailMs: number): void {
    const { factor, easeFactor, slackMs, cut, step, leastShare } = this.#options;
    const baselineMs = this.#baselineMs ?? tailMs;
    if (tailMs > Math.max(factor * baselineMs, baselineMs + slackMs))
      this.#share = Math.max(leastShare, this.#share * cut);
    else if (tailMs <= Math.max(easeFactor * baselineMs, baselineMs + slackMs)) this.#raise(step, 1);
  }

  #raise(step: number, most: number): void {
    this.#share = Math.min(most, this.#share + step);
  }
}
