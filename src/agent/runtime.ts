/**
 * Time and chance as the migration engine sees them. Everything in this room takes a Runtime instead of reaching for
 * clocks, timers or Math.random, so that a simulation can run the very same code under a seeded scheduler.
 */
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
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` fires. Never rejects: the caller looks at the signal. */
export const sleep = (runtime: Runtime, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = () => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = runtime.after(delayMs, wake);
    signal?.addEventListener('abort', wake, { once: true });
  });
