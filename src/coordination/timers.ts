/** Timers as a port, so that tests and the simulation move time by hand. */
export type Timers = {
  /** Runs `callback` once after `delayMs`; the returned function cancels it. */
  set(callback: () => void, delayMs: number): () => void;
};

export const systemTimers: Timers = {
  set: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` fires. */
export const pause = (timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const onAbort = (): void => {
      cancel();
      resolve();
    };
    const cancel = timers.set(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });

/** Runs `task` again and again, the next run so long after the last one ended; the returned function ends it. */
export const repeat = (timers: Timers, everyMs: number, task: () => Promise<void>): (() => void) => {
  let cancel: () => void = () => undefined;
  let ended = false;
  const arm = (): void => {
    if (!ended) cancel = timers.set(() => void task().finally(arm), everyMs);
  };
  arm();
  return () => {
    ended = true;
    cancel();
  };
};
