/**
 * Documents of which a client has just been told that its conflict token does not fit. Such a token may have come from the
 * follower: after a repair over a foreign version, the version there is above the authority's own write and tells its number
 * no more, so whoever read there again would fail for ever. The next read of the document goes to the authority instead;
 * the write after it brings the follower a stamp that tells its number again. Bounded: the oldest are forgotten first.
 */
import type { DocKey } from '../coordination/ports.ts';

export interface RecentConflicts {
  note(key: DocKey): void;
  has(key: DocKey): boolean;
}

/** A program reads again at once, a person who is shown the conflict after a while. */
const keepMs = 60_000;
const maxDocs = 10_000;

const textOf = ({ slug, ordinal, id, routing }: DocKey): string => `${slug}\0${ordinal}\0${routing ?? ''}\0${id}`;

/** `now`: monotonic milliseconds. */
export const createRecentConflicts = (now: () => number): RecentConflicts => {
  /** Until when, the oldest first. */
  const untilMs = new Map<string, number>();
  const dropOldest = (): void => {
    for (const [key, until] of untilMs) {
      if (until > now() && untilMs.size <= maxDocs) return;
      untilMs.delete(key);
    }
  };
  return {
    note: (key) => {
      const text = textOf(key);
      untilMs.delete(text);
      untilMs.set(text, now() + keepMs);
      dropOldest();
    },
    has: (key) => untilMs.size > 0 && (untilMs.get(textOf(key)) ?? 0) > now(),
  };
};
