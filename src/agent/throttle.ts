/**
 * Pure: how long to wait between pages. Two rules, the longer wait wins. A token bucket holds a rate that a person set.
 * A governor holds the share of time spent working (`duty`): it halves when the follower pushes back, shrinks when its
 * answers become slow against its own best, and recovers step by step; live-watch.ts does the same for clients. All
 * values are plain, the clock comes in as an argument.
 */
export type Bucket = { tokens: number; atMs: number };

/** A quarter of a second's worth may be sent at once. */
const burstSeconds = 0.25;

export const fullBucket = (rate: number, nowMs: number): Bucket => ({ tokens: rate * burstSeconds, atMs: nowMs });

/** Takes `docs` at `rate` per second; the bucket may go into debt, and the wait pays it back. */
export const take = (
  bucket: Bucket,
  { docs, rate, nowMs }: { docs: number; rate: number; nowMs: number },
): { bucket: Bucket; waitMs: number } => {
  const filled = bucket.tokens + ((nowMs - bucket.atMs) / 1000) * rate;
  const tokens = Math.min(rate * burstSeconds, filled) - docs;
  return { bucket: { tokens, atMs: nowMs }, waitMs: tokens >= 0 ? 0 : (-tokens / rate) * 1000 };
};

export type Governor = {
  /** Share of time spent working, in [minDuty, 1]. */
  duty: number;
  /** Best send time per document seen so far, slowly forgotten. */
  bestMsPerDoc: number;
};
export const freeGovernor: Governor = { duty: 1, bestMsPerDoc: Number.POSITIVE_INFINITY };
const minDuty = 0.02;
const slowFactor = 4;
/** Below this many documents a page says little about speed. */
const tellingDocs = 50;

export type PageSignals = {
  docs: number;
  sendMs: number;
  /** The follower answered 429, 503 or not at all. */
  pushedBack: boolean;
};

export const govern = ({ duty, bestMsPerDoc }: Governor, page: PageSignals): Governor => {
  const telling = page.docs >= tellingDocs && !page.pushedBack;
  const perDoc = page.sendMs / Math.max(1, page.docs);
  const best = telling ? Math.min(bestMsPerDoc * 1.01, perDoc) : bestMsPerDoc;
  const slow = telling && perDoc > slowFactor * best;
  const factor = page.pushedBack ? 0.5 : slow ? 0.8 : 1;
  const next = factor < 1 ? duty * factor : Math.min(1, duty * 1.1 + 0.01);
  return { duty: Math.max(minDuty, next), bestMsPerDoc: best };
};

/** A page that had to be repeated for long would otherwise rest for many times as long, with its chunk in hand. */
export const maxRestMs = 10_000;

/** The rest after `workMs` of work that keeps the duty, bounded. */
export const restMs = (duty: number, workMs: number): number => Math.min(maxRestMs, workMs * (1 / duty - 1));
