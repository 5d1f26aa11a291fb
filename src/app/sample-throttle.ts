/**
 * How many mismatches are worth the work of redacting them. Counters count all; samples are examples, so one per query
 * shape and severity in a while is enough, and a target that is wrong everywhere must not cost the application its CPU. A
 * clock that is set back makes nobody wait: it is as far away as one that went on.
 */
export type ThrottleOptions = { perCellMs: number; perSecond: number; maxCells: number };

const secondMs = 1000;

/** @returns whether to take this one */
export const createThrottle = ({ perCellMs, perSecond, maxCells }: ThrottleOptions) => {
  const lastMs = new Map<string, number>();
  let second = { startMs: Number.NEGATIVE_INFINITY, taken: 0 };
  return (cell: string, nowMs: number): boolean => {
    if (Math.abs(nowMs - second.startMs) >= secondMs) second = { startMs: nowMs, taken: 0 };
    if (second.taken >= perSecond) return false;
    if (Math.abs(nowMs - (lastMs.get(cell) ?? Number.NEGATIVE_INFINITY)) < perCellMs) return false;
    if (lastMs.size >= maxCells) lastMs.delete(lastMs.keys().next().value as string);
    lastMs.delete(cell);
    lastMs.set(cell, nowMs);
    second.taken += 1;
    return true;
  };
};
