/**
 * Compare-and-set that ends with knowledge where it can: a write that timed out may still be applied later, so the same
 * write is tried again until it is accepted or refused. Accepted means it took effect exactly once; refused after a
 * time-out means either that the late write was ours, which reading back shows, or that somebody else won.
 * Needs a value that no other writer would write (an id or a counter in it), or "ours" cannot be told.
 */
import { CrossfadeError } from '../errors.ts';
import type { Bucket, CasResult, Entry } from './ports.ts';
import { pause, systemTimers, type Timers } from './timers.ts';

export type CasWrite = { key: string; value: string; expected: number };
export type CasPatience = {
  /** Monotonic milliseconds, and the moment to give up and answer `unknown`. */
  now: () => number;
  deadlineMs: number;
  timers?: Timers;
};

const retryMs = 50;

const failures = {
  conflict: 'STORE_CONFLICT',
  unknown: 'STORE_OUTCOME_UNKNOWN',
  unavailable: 'STORE_UNAVAILABLE',
} as const;

/** For whoever cannot go on without the write. */
export const casError = (reason: keyof typeof failures, message?: string): CrossfadeError =>
  new CrossfadeError(failures[reason], message);

/**
 * `unknown` only when the deadline passed; `unavailable` = surely not written. A `conflict` proves that the expected
 * revision is no longer the last one; whose value stands must be read.
 */
export const casAndConfirm = async (bucket: Bucket, write: CasWrite, patience: CasPatience): Promise<CasResult> => {
  let inDoubt = false;
  for (;;) {
    const result = await attempt(bucket, write, inDoubt);
    if (result.ok || result.reason === 'conflict') return result;
    inDoubt ||= result.reason === 'unknown';
    if (!inDoubt) return result;
    if (patience.now() >= patience.deadlineMs) return { ok: false, reason: 'unknown' };
    await pause(patience.timers ?? systemTimers, retryMs);
  }
};

const attempt = async (bucket: Bucket, { key, value, expected }: CasWrite, inDoubt: boolean): Promise<CasResult> => {
  const result = await bucket.update(key, value, expected);
  if (result.ok || result.reason !== 'conflict' || !inDoubt) return result;
  let entry: Entry | undefined;
  try {
    entry = await bucket.get(key);
  } catch {
    return { ok: false, reason: 'unknown' };
  }
  return entry?.value === value && entry.revision > expected ? { ok: true, revision: entry.revision } : result;
};
