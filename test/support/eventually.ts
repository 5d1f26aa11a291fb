/** Waits for a condition of a real server: asks until `check` returns a truthy value or the deadline passes. */
import { setTimeout as delay } from 'node:timers/promises';

export const eventually = async <T>(
  check: () => Promise<T> | T,
  {
    timeoutMs = 15_000,
    everyMs = 50,
    what = 'condition',
  }: { timeoutMs?: number; everyMs?: number; what?: string } = {},
): Promise<NonNullable<T>> => {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`${what} did not come true within ${timeoutMs} ms`, { cause: last });
    await delay(everyMs);
  }
};
