/**
 * Sends stamped writes and says what became of each. `sendOnce` is one attempt, split in halves when the cluster refuses
 * the request as a whole; `sendAll` repeats what can pass until every write has a final fate. Repeating is always safe:
 * the stamp makes a second delivery a 409.
 */
import { isCrossfadeError } from '../errors.ts';
import type { ClusterControl } from './cluster.ts';
import { decodeBulk, encodeBulk, type StampedWrite, sameFate, type WriteFate } from './copy-bulk.ts';
import { backoffMs, isPassing, slowBackoff, usualBackoff } from './retry.ts';
import { type Runtime, sleep } from './runtime.ts';

export type SendOptions = {
  cluster: ClusterControl;
  timeoutMs?: number | undefined;
  refresh?: 'true' | 'wait_for' | undefined;
  signal?: AbortSignal | undefined;
};

const attempt = async (writes: readonly StampedWrite[], { cluster, ...options }: SendOptions) => {
  try {
    const { timeoutMs, ...rest } = options;
    const answer = await cluster.bulk({
      ...encodeBulk(writes),
      ...rest,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    return decodeBulk(answer, writes.length);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const passing = isPassing(error) || isCrossfadeError(error, 'CLIENT_CLOSED');
    return sameFate(writes.length, { kind: 'retry', cause: passing ? 'busy' : 'error', reason });
  }
};

/** One attempt; a fate per write, in order. Never throws. */
export const sendOnce = async (writes: readonly StampedWrite[], options: SendOptions): Promise<WriteFate[]> => {
  const fate = await attempt(writes, options);
  if (fate.kind === 'items') return fate.fates;
  const middle = writes.length >> 1;
  const left = await sendOnce(writes.slice(0, middle), options);
  return [...left, ...(await sendOnce(writes.slice(middle), options))];
};

/** After so many answers 500 a write is taken for refused: the fault is in how the cluster handles this document. */
export const maxErrorAttempts = 10;

/** The final word on a fate after `attempts` tries. */
export const settledFate = (fate: WriteFate, attempts: number): WriteFate =>
  fate.kind === 'retry' && fate.cause === 'error' && attempts >= maxErrorAttempts
    ? { kind: 'quarantine', reason: fate.reason }
    : fate;

export const retryDelayMs = (fate: Extract<WriteFate, { kind: 'retry' }>, attempts: number, runtime: Runtime): number =>
  backoffMs(fate.cause === 'blocked' ? slowBackoff : usualBackoff, attempts, runtime.random);

export type Refused = { write: StampedWrite; reason: string };
export type SendSummary = {
  applied: number;
  superseded: number;
  refused: Refused[];
  /** stopped: the signal fired, or the fence was met, before every write had its fate. */
  end: 'done' | 'fenced' | 'stopped';
};
export type SendAllOptions = SendOptions & {
  runtime: Runtime;
  /** Told of each attempt that must be repeated, so that a throttle can slow down and a status can say why. */
  onRetry?: ((fate: Extract<WriteFate, { kind: 'retry' }>) => void) | undefined;
};

const tally = (summary: SendSummary, writes: readonly StampedWrite[], fates: readonly WriteFate[]): StampedWrite[] => {
  const again: StampedWrite[] = [];
  fates.forEach((fate, i) => {
    const write = writes[i] as StampedWrite;
    switch (fate.kind) {
      case 'applied':
        summary.applied++;
        break;
      case 'superseded':
        summary.superseded++;
        break;
      case 'quarantine':
        summary.refused.push({ write, reason: fate.reason });
        break;
      case 'fenced':
        summary.end = 'fenced';
        break;
      case 'retry':
        again.push(write);
        break;
      default:
        fate satisfies never;
    }
  });
  return again;
};

/** Repeats until each write was applied, superseded or refused; stops early at the fence or when the signal fires. */
export const sendAll = async (writes: readonly StampedWrite[], options: SendAllOptions): Promise<SendSummary> => {
  const { runtime, onRetry, ...send } = options;
  const summary: SendSummary = { applied: 0, superseded: 0, refused: [], end: 'done' };
  let left = writes;
  for (let attempts = 1; left.length > 0; attempts++) {
    if (send.signal?.aborted) return { ...summary, end: 'stopped' };
    const fates = (await sendOnce(left, send)).map((fate) => settledFate(fate, attempts));
    left = tally(summary, left, fates);
    if (summary.end === 'fenced') return summary;
    const retry = fates.find((fate) => fate.kind === 'retry');
    if (retry === undefined) continue;
    onRetry?.(retry);
    await sleep(runtime, retryDelayMs(retry, attempts, runtime), send.signal);
  }
  return summary;
};
