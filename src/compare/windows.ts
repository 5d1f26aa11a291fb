/**
 * Time cut into windows: a quarter of a minute each for what has just happened, and twice as long again and again the
 * further they lie back. So a long good past does not hide a fault of this minute, and hours take few windows. A window is a
 * block of slots whose length is a power of two and whose first slot is a multiple of it; as time goes on blocks are only
 * ever joined, so that windows of members which looked at different moments can be added up.
 */
export type Window<T> = { readonly slot: number; readonly counters: T };

export const slotMs = 15_000;
/** Six hours. */
export const spanSlots = 1440;
/** An hour and a little. */
const longestBlock = 256;

/** A block is closed when as much time as it is long has passed since its end. */
const beginningOf = (slot: number, newest: number): number => {
  for (let length = longestBlock; length > 1; length /= 2) {
    const first = slot - (slot % length);
    if (first + 2 * length <= newest) return first;
  }
  return slot;
};

/** Joins what belongs to one window by now, the oldest first, and forgets what is too old. */
export const foldWindows = <T>(windows: readonly Window<T>[], add: (a: T, b: T) => T): Window<T>[] => {
  const newest = windows.reduce((latest, { slot }) => Math.max(latest, slot), Number.NEGATIVE_INFINITY);
  const bySlot = new Map<number, T>();
  for (const { slot, counters } of windows) {
    const first = beginningOf(slot, newest);
    if (first <= newest - spanSlots) continue;
    const before = bySlot.get(first);
    bySlot.set(first, before === undefined ? counters : add(before, counters));
  }
  return [...bySlot].map(([slot, counters]) => ({ slot, counters })).sort((a, b) => a.slot - b.slot);
};
