/** The moves that lead from one phase to another without a switch of authority; pure. */
import { adjacent } from '../coordination/phase-machine.ts';
import type { Phase } from '../coordination/records.ts';

/** Shortest path without the start, or undefined when only a cutover or rollback leads there. Same phase: empty. */
export const phasePath = (from: Phase, to: Phase): Phase[] | undefined => {
  const queue: Phase[][] = [[]];
  const seen = new Set<Phase>([from]);
  for (const path of queue) {
    const at = path.at(-1) ?? from;
    if (at === to) return path;
    for (const next of adjacent(at)) {
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push([...path, next]);
    }
  }
  return undefined;
};
