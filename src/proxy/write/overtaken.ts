/**
 * What becomes of a write whose document had been written again when it was read back. It cannot be copied: what was read
 * may be on the primary alone, see copying.ts. The newer write brings its own copy, though, mostly within milliseconds, and a
 * follower that has it has all that this one could bring. So the follower is looked at for a moment before the write is left
 * to the tail; else two clients with one document would keep every switch off its fast path. Invariant: a write counts
 * as copied only if the follower shows its stamp or a later one.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { otherSide } from '../../coordination/records.ts';
import { pause, systemTimers } from '../../coordination/timers.ts';
import { authorityOf } from './names.ts';
import type { WriteDeps } from './ports.ts';
import { type BackId, readBack } from './read-back.ts';

export type Overtaken = {
  readonly ordinal: number;
  readonly id: string;
  /** As it is stored. */
  readonly routing: string | undefined;
  readonly stamp: bigint;
  readonly headers: Record<string, string | string[]>;
};

/** A switch that waits for its members to drain waits for this as well. */
const waitsMs = [10, 40, 150] as const;
const unknown: BackId['position'] = { seq: undefined, term: undefined, version: undefined };

const lookAt = async (deps: WriteDeps, state: RouteState, write: Overtaken): Promise<'has' | 'not yet' | 'failed'> => {
  const { ordinal, id, routing, stamp, headers } = write;
  const side = otherSide(authorityOf(state));
  const [read] = await readBack({
    transport: deps.transports[side],
    index: state.spec.indices[ordinal]?.[side] ?? '',
    docs: [{ id, routing, position: unknown }],
    headers,
    maxBodyBytes: deps.limits.maxBodyBytes,
  });
  if (read === undefined || read.kind === 'failed') return 'failed';
  const { version = '' } = read.kind === 'found' ? read.position : {};
  return /^\d+$/.test(version) && BigInt(version) >= stamp ? 'has' : 'not yet';
};

/** Never throws. */
export const settleOvertaken = async (deps: WriteDeps, state: RouteState, write: Overtaken): Promise<void> => {
  const { slug, phase } = state;
  const told = { reign: phase.reign, ordinal: write.ordinal };
  for (const waitMs of waitsMs) {
    await pause(deps.timers ?? systemTimers, waitMs);
    const seen = await lookAt(deps, state, write);
    if (seen === 'has') return deps.copies.arrived(slug, told);
    if (seen === 'failed') break;
  }
  const { id, routing, stamp } = write;
  deps.copies.notCopied({ slug, ...told, id, routing, stamp });
  deps.copies.leftToTail(slug, { ...told, writes: 1 });
};
