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
const maxErrorAttempts = 10;

/** The final word on a fate after `attempts` tries. */
export const settledFate = (fate: WriteFate, attempts: number): WriteFate =>
  fate.kind === 'retry' && fate.cause === 'error' && attempts >= maxErrorAttempts
    ? { kind: 'quarantine', reason: fate.reason }
    : fate;

export const retryDelayMs = (fate: Extract<WriteFate, { kind: 'retry' }>, attempts: number, runtime: Runtime): number =>
  backoffMs(fate.cause === 'blocked' ? slowBackoff : usualBackoff, attempts, runtime.random);

export type FinalFate = Exclude<WriteFate, { kind: 'retry' }>;
export type SendResult = {
  /** Per write, in order; undefined when it has no final fate because sending ended early. */
  fates: (FinalFate | undefined)[];
  /** stopped: the signal fired. fenced: the epoch moved on, so the rest was not tried again. stuck: see `repeatForMs`. */
  end: 'done' | 'fenced' | 'stopped' | 'stuck';
  /** Why the last attempt has to be repeated; with `stuck` only. */
  reason?: string;
};
export type SendAllOptions = SendOptions & {
  runtime: Runtime;
  /** Told of each attempt that must be repeated, so that a throttle can slow down and a status can say why. */
  onRetry?: ((fate: Extract<WriteFate, { kind: 'retry' }>) => void) | undefined;
  /** After so long of repeating, the caller has something better to do than to wait for this follower; default for ever. */
  repeatForMs?: number | undefined;
  /** How long a request under way may go on after the signal; default not at all. */
  patienceMs?: number | undefined;
};

/**
 * A signal that fires `patienceMs` after another: a request that is cut off may still arrive, one that has ended may not.
 */
const delayed = (
  signal: AbortSignal,
  { runtime, patienceMs }: { runtime: Runtime; patienceMs: number },
): { signal: AbortSignal; forget: () => void } => {
  const cut = new AbortController();
  let cancel = (): void => undefined;
  const onAbort = (): void => {
    cancel = runtime.after(patienceMs, () => cut.abort(signal.reason));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const forget = (): void => {
    signal.removeEventListener('abort', onAbort);
    cancel();
  };
  return { signal: cut.signal, forget };
};

const sendPatiently = async (
  writes: readonly StampedWrite[],
  send: SendOptions,
  { runtime, patienceMs = 0 }: Pick<SendAllOptions, 'runtime' | 'patienceMs'>,
): Promise<WriteFate[]> => {
  if (send.signal === undefined || patienceMs === 0) return sendOnce(writes, send);
  const { signal, forget } = delayed(send.signal, { runtime, patienceMs });
  return sendOnce(writes, { ...send, signal }).finally(forget);
};

/** Repeats until each write was applied, superseded or refused; ends early at the fence, by the signal, or when stuck. */
export const sendAll = async (writes: readonly StampedWrite[], options: SendAllOptions): Promise<SendResult> => {
  const { runtime, onRetry, repeatForMs = Number.POSITIVE_INFINITY, patienceMs, ...send } = options;
  const until = runtime.now() + repeatForMs;
  const final: (FinalFate | undefined)[] = writes.map(() => undefined);
  let left = [...writes.keys()];
  for (let attempts = 1; left.length > 0; attempts++) {
    if (send.signal?.aborted) return { fates: final, end: 'stopped' };
    const sending = left.map((at) => writes[at] as StampedWrite);
    const fates = (await sendPatiently(sending, send, { runtime, patienceMs })).map((fate) =>
      settledFate(fate, attempts),
    );
    let retry: Extract<WriteFate, { kind: 'retry' }> | undefined;
    for (const [i, fate] of fates.entries())
      if (fate.kind === 'retry') retry = fate;
      else final[left[i] as number] = fate;
    if (fates.some(({ kind }) => kind === 'fenced')) return { fates: final, end: 'fenced' };
    left = left.filter((at) => final[at] === undefined);
    if (retry === undefined) continue;
    onRetry?.(retry);
    if (runtime.now() >= until) return { fates: final, end: 'stuck', reason: retry.reason };
    await sleep(runtime, retryDelayMs(retry, attempts, runtime), send.signal);
  }
  return { fates: final, end: 'done' };
};
