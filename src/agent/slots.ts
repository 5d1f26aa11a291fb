/**
 * Pure: slots for work of which only so much may be under way at once, first come, first served. The limit may change at
 * any time and takes effect with the next work that ends. Invariant: with a limit of at least one, a slot always comes free.
 */
export type InSlot = <T>(work: () => Promise<T>) => Promise<T>;

/** Where nothing has to wait. */
export const atOnce: InSlot = (work) => work();

export const createSlots = (limit: () => number): InSlot => {
  let busy = 0;
  const waiting: (() => void)[] = [];

  const begin = (): Promise<void> => {
    if (busy < limit()) {
      busy++;
      return Promise.resolve();
    }
    return new Promise((resolve) => waiting.push(resolve));
  };
  const end = (): void => {
    busy--;
    while (waiting.length > 0 && busy < limit()) {
      busy++;
      waiting.shift()?.();
    }
  };
  return async (work) => {
    await begin();
    try {
      return await work();
    } finally {
      end();
    }
  };
};
