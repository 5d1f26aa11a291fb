/**
 * Indices whose follower was asked for a refresh and did not carry it out: what the client wrote before may not be found
 * there by a search, so this process's searches of them go to the authority. That ends with a refresh that begins after it and
 * is carried out, or after a minute, within which an index refreshes by itself unless it was told not to.
 */
import type { RoutedIndex } from './types.ts';

type Index = Pick<RoutedIndex, 'ordinal'> & { readonly state: { readonly slug: string } };

export interface FailedRefreshes {
  /** A refresh of these begins. What is returned says what became of it; where nobody can tell, it is not called. */
  begin(indices: readonly Index[]): (isDone: boolean) => void;
  has(indices: readonly Index[]): boolean;
}

const keepMs = 60_000;

/** `now`: monotonic milliseconds. */
export const createFailedRefreshes = (now: () => number): FailedRefreshes => {
  /** Never more than there are indices. */
  const failed = new Map<string, { untilMs: number; nth: number }>();
  let failures = 0;
  const keyOf = ({ state, ordinal }: Index): string => `${state.slug}/${ordinal}`;
  return {
    begin: (indices) => {
      const before = failures;
      return (isDone) => {
        if (!isDone) failures++;
        for (const key of indices.map(keyOf)) {
          if (!isDone) failed.set(key, { untilMs: now() + keepMs, nth: failures });
          else if ((failed.get(key)?.nth ?? 0) <= before) failed.delete(key);
        }
      };
    },
    has: (indices) => failed.size > 0 && indices.some((index) => (failed.get(keyOf(index))?.untilMs ?? 0) > now()),
  };
};
