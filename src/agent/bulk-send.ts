/**
 * One attempt to send stamped writes, and what became of each: split by index, then in halves, when the cluster refuses the
 * request as a whole, and now and then when it fails with the whole. Invariant: what says nothing of a document never puts it into the
 * quarantine.
 */
import { isCrossfadeError } from '../errors.ts';
import type { ClusterControl } from './cluster.ts';
import {
  type BulkFate,
  decodeBulk,
  encodeBulk,
  failedFate,
  type StampedWrite,
  sameFate,
  type WriteFate,
} from './copy-bulk.ts';
import { backoffMs, isPassing, slowBackoff, usualBackoff } from './retry.ts';
import type { Runtime } from './runtime.ts';

export type SendOptions = {
  cluster: ClusterControl;
  timeoutMs?: number | undefined;
  refresh?: 'true' | 'wait_for' | undefined;
  signal?: AbortSignal | undefined;
};
/** How many requests may still be made to find the write with which a cluster fails. */
type Search = { left: number };

const attempt = async (
  writes: readonly StampedWrite[],
  { cluster, timeoutMs, ...rest }: SendOptions,
): Promise<BulkFate> => {
  try {
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    const answer = await cluster.bulk({ ...encodeBulk(writes), ...rest, ...limit });
    return decodeBulk(answer, writes.length);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const passing = isPassing(error) || isCrossfadeError(error, 'CLIENT_CLOSED');
    return passing
      ? sameFate(writes.length, { kind: 'retry', cause: 'busy', reason })
      : failedFate(writes.length, reason);
  }
};

/** A cluster may refuse a request for naming several indices; else anything in it may be the reason. */
const partsOf = (writes: readonly StampedWrite[]): number[][] => {
  const byAlias = Map.groupBy(writes.keys(), (at) => (writes[at] as StampedWrite).alias);
  if (byAlias.size > 1) return [...byAlias.values()];
  const [all, middle] = [[...writes.keys()], writes.length >> 1];
  return [all.slice(0, middle), all.slice(middle)];
};

const inParts = async (writes: readonly StampedWrite[], options: SendOptions, search: Search): Promise<WriteFate[]> => {
  const fates: WriteFate[] = [];
  for (const part of partsOf(writes)) {
    const sent = part.map((at) => writes[at] as StampedWrite);
    for (const [i, fate] of (await sendParts(sent, options, search)).entries()) fates[part[i] as number] = fate;
  }
  return fates;
};

const sendParts = async (
  writes: readonly StampedWrite[],
  options: SendOptions,
  search: Search,
): Promise<WriteFate[]> => {
  const fate = await attempt(writes, options);
  if (fate.kind === 'items') return fate.fates;
  if (fate.kind === 'split') return inParts(writes, options, search);
  if (search.left <= 0) return writes.map(() => ({ kind: 'retry', cause: 'busy', reason: fate.reason }));
  search.left -= 2;
  return inParts(writes, options, search);
};

/** After so many failures a write is taken for refused: the fault is in how the cluster handles this document. */
const maxErrorAttempts = 10;
/** Halving finds one write among a million; a cluster that fails with everything is not asked for each of them. */
const searchRequests = 40;
/** When so many fail and none gets through, it is the cluster that is in trouble. */
const manyWrites = 10;

/** One attempt, the `attempts`th in a row; a fate per write, in order. Never throws. */
export const sendOnce = (writes: readonly StampedWrite[], options: SendOptions, attempts = 1): Promise<WriteFate[]> => {
  const searches = attempts % maxErrorAttempts === 0;
  return sendParts(writes, options, { left: searches ? searchRequests : 0 });
};

const settledFate = (fate: WriteFate, attempts: number, inTrouble: boolean): WriteFate => {
  if (fate.kind !== 'retry' || attempts < maxErrorAttempts) return fate;
  const refused = fate.cause === 'race' || (fate.cause === 'error' && !inTrouble);
  return refused ? { kind: 'quarantine', reason: fate.reason } : fate;
};

/** The final word on the fates of one attempt; `attempts`: tries of each write so far. `others`: copies of the same page got through. */
export const settledFates = (fates: readonly WriteFate[], attempts: readonly number[], others = false): WriteFate[] => {
  const inTrouble = !others && fates.length > manyWrites && fates.every(({ kind }) => kind === 'retry');
  return fates.map((fate, i) => settledFate(fate, attempts[i] as number, inTrouble));
};

export type FinalFate = Exclude<WriteFate, { kind: 'retry' }>;
export type RetryFate = Extract<WriteFate, { kind: 'retry' }>;
export const retryDelayMs = (fate: RetryFate, attempts: number, runtime: Runtime): number =>
  backoffMs(fate.cause === 'blocked' ? slowBackoff : usualBackoff, attempts, runtime.random);
