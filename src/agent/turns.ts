/**
 * Pure: turns for work of which only so much may be under way at once, first come, first served. The limit may change at
 * any time and takes effect with the next turn that ends. Invariant: with a limit of at least one, a turn always comes.
 */
export type Turns = { take<T>(work: () => Promise<T>): Promise<T> };
export type InTurn = Turns['take'];

/** Where nothing has to wait. */
export const atOnce: InTurn = (work) => work();

export const createTurns = (limit: () => number): Turns => {
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
  return {
    take: async (work) => {
      await begin();
      try {
        return await work();
      } finally {
        end();
      }
    },
  };
};
