/**
 * Evidence over every moment at which a fault may have begun, from the last n windows for each n. A long good past must
 * not hide what goes wrong now, and a look at each beginning must not make false alarms more likely: so what is staked on
 * each of them is fixed beforehand, and the mean of e-values is an e-value.
 */
import { logMeanExp } from './evalue.ts';
import { spanSlots, type Window } from './windows.ts';

/** Sums of the last n windows, the longest first. */
export const suffixes = <T>(windows: readonly Window<T>[], add: (a: T, b: T) => T): T[] => {
  let sum: T | undefined;
  const growing = windows.toReversed().map(({ counters }) => {
    sum = sum === undefined ? counters : add(sum, counters);
    return sum;
  });
  return growing.reverse();
};

/**
 * A fault may begin in any slot of the span. Half of the evidence is staked on the whole of it, the rest evenly on each
 * later beginning beforehand; those still to come, and those inside of a window by now, count 1.
 */
export const overBeginnings = ([whole = 0, ...later]: readonly number[]): number => {
  const others = Math.log(Math.max(1, spanSlots - later.length));
  return logMeanExp([whole, logMeanExp([...later, others], 1 / spanSlots)]);
};
