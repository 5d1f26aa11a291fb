/**
 * Lets comparisons run between the events of clients instead of in their way: each waits for a turn of the event loop of
 * its own, and a turn ends when its time is used up, so that a burst of answers, or large ones, delay a client by one
 * comparison at most and not by all of them. What waits is bounded by the places for samples under way.
 */
export type TurnOptions = {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Runs it after the events that are waiting now; default setImmediate. */
  readonly defer?: (run: () => void) => void;
  /** A turn begins no further work after so long. */
  readonly budgetMs?: number;
};

export type Turns = <T>(work: () => T) => Promise<T>;

const defaultBudgetMs = 0.5;

export const createTurns = ({ now, defer = setImmediate, budgetMs = defaultBudgetMs }: TurnOptions): Turns => {
  let waiting: (() => void)[] = [];
  const turn = (): void => {
    const endMs = now() + budgetMs;
    let done = 0;
    while (done < waiting.length && (done === 0 || now() < endMs)) waiting[done++]?.();
    waiting = waiting.slice(done);
    if (waiting.length > 0) defer(turn);
  };
  return (work) =>
    new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      if (waiting.push(run) === 1) defer(turn);
    });
};
