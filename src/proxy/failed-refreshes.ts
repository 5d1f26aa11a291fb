/**
 * Indices whose follower was asked for a refresh and did not carry it out: what the client wrote before may not be found
 * there by a search, so this process's searches of them go to the authority. That ends with the next refresh that is carried
 * out, or after a minute, within which an index refreshes by itself unless it was told not to.
 */
import type { RoutedIndex } from './types.ts';

type Index = Pick<RoutedIndex, 'ordinal'> & { readonly state: { readonly slug: string } };

export interface FailedRefreshes {
  settle(indices: readonly Index[], isDone: boolean): void;
  has(indices: readonly Index[]): boolean;
}

const keepMs = 60_000;

/** `now`: monotonic milliseconds. */
export const createFailedRefreshes = (now: () => number): FailedRefreshes => {
  /** Until when; never more than there are indices. */
  const untilMs = new Map<string, number>();
  const keyOf = ({ state, ordinal }: Index): string => `${state.slug}/${ordinal}`;
  return {
    settle: (indices, isDone) => {
      for (const index of indices) {
        if (isDone) untilMs.delete(keyOf(index));
        else untilMs.set(keyOf(index), now() + keepMs);
      }
    },
    has: (indices) => untilMs.size > 0 && indices.some((index) => (untilMs.get(keyOf(index)) ?? 0) > now()),
  };
};
