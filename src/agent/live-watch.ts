/**
 * Pure: how much of the time may background work take without clients suffering from it? The 99th percentile of the
 * clusters' answers to the clients of this process, window by window, is held against what it was in windows in which the
 * work hardly ran: each window in which clients suffer cuts the share of time, each other one gives a little back. Work
 * that is held back because of a change it did not cause soon makes quiet windows itself, and they move the baseline: so
 * it is never held back for long by a load that merely changed.
 */

export type LiveWatchOptions = {
  windowMs: number;
  /** A window with fewer answers goes on, up to `maxWindows` times its length, and then says nothing. */
  minAnswers: number;
  maxWindows: number;
  /** Up to this share of a window spent working it counts as quiet. */
  quietShare: number;
  /** How much slower than the baseline is suffering; below `slackMs` nothing is. */
  factor: number;
  slackMs: number;
  /** Weight of a new quiet window in the baseline. */
  weight: number;
  leastShare: number;
  /** What a window of suffering leaves of the share, and what any other window adds. */
  cut: number;
  step: number;
};

export const defaultLiveWatchOptions: LiveWatchOptions = {
  windowMs: 2000,
  minAnswers: 50,
  maxWindows: 5,
  quietShare: 0.1,
  factor: 1.5,
  slackMs: 5,
  weight: 0.25,
  leastShare: 0.02,
  cut: 0.6,
  step: 0.05,
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

  /** In (0, 1]. All of the time while nobody is known to suffer: without clients, or before a quiet window was seen. */
  share(nowMs: number): number {
    this.#advance(nowMs);
    return this.#share;
  }

  #advance(nowMs: number): void {
    this.#sinceMs ??= nowMs;
    const lengthMs = nowMs - this.#sinceMs;
    const { windowMs, minAnswers, maxWindows } = this.#options;
    if (lengthMs < windowMs) return;
    const telling = this.#answersMs.length >= minAnswers;
    if (!telling && lengthMs < maxWindows * windowMs) return;
    if (telling) this.#judge(p99(this.#answersMs), this.#workedMs / lengthMs);
    else this.#move(false);
    this.#answersMs = [];
    this.#workedMs = 0;
    this.#sinceMs = nowMs;
  }

  #judge(tailMs: number, workShare: number): void {
    const { quietShare, factor, slackMs, weight } = this.#options;
    const before = this.#baselineMs;
    const isQuiet = workShare <= quietShare;
    if (isQuiet) this.#baselineMs = before === undefined ? tailMs : before + weight * (tailMs - before);
    this.#move(!isQuiet && before !== undefined && tailMs > Math.max(factor * before, before + slackMs));
  }

  #move(suffers: boolean): void {
    const { cut, step, leastShare } = this.#options;
    this.#share = suffers ? Math.max(leastShare, this.#share * cut) : Math.min(1, this.#share + step);
  }
}
