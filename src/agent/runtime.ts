/**
 * Time and chance as the migration engine sees them. Everything in this room takes a Runtime instead of reaching for
 * clocks, timers or Math.random, so that a simulation can run the very same code under a seeded scheduler.
 */
import { pause, systemTimers } from '../coordination/timers.ts';

export interface Runtime {
  /** Milliseconds that never go back; only differences mean anything. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Runs once after `delayMs`; returns a cancel function that may be called at any time. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemRuntime: Runtime = {
  now: () => performance.now(),
  random: () => Math.random(),
  after: (delayMs, run) => systemTimers.set(run, delayMs),
};

/** Resolves after `delayMs`, or at once when `signal` fires; never rejects, the caller looks at the signal. */
export const sleep = (runtime: Runtime, delayMs: number, signal?: AbortSignal): Promise<void> =>
  pause({ set: (callback, ms) => runtime.after(ms, callback) }, delayMs, signal);

/** Calls `run` every `everyMs` until cancelled. */
export const every = (runtime: Runtime, everyMs: number, run: () => void): (() => void) => {
  let cancel = runtime.after(everyMs, function again() {
    run();
    cancel = runtime.after(everyMs, again);
  });
  return () => cancel();
};
