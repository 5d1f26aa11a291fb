/**
 * Sends stamped writes, and repeats what can pass, until each was applied, superseded or refused, the fence was met, or
 * somebody has better things to do. Repeating is always safe: the stamp makes a second delivery a 409.
 */
import { type FinalFate, type RetryFate, retryDelayMs, type SendOptions, sendOnce, settledFates } from './bulk-send.ts';
import type { StampedWrite, WriteFate } from './copy-bulk.ts';
import { type Runtime, sleep } from './runtime.ts';

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
  onRetry?: ((fate: RetryFate) => void) | undefined;
  /** After so long of repeating, the caller has something better to do than to wait for this follower; default for ever. */
  repeatForMs?: number | undefined;
  /** How long a request under way may go on after the signal; default not at all. */
  patienceMs?: number | undefined;
  /** Where this page is sent again later: what failed in earlier turns. */
  tries?: Tries | undefined;
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
  { runtime, patienceMs = 0, attempts }: Pick<SendAllOptions, 'runtime' | 'patienceMs'> & { attempts: number },
): Promise<WriteFate[]> => {
  if (send.signal === undefined || patienceMs === 0) return sendOnce(writes, send, attempts);
  const { signal, forget } = delayed(send.signal, { runtime, patienceMs });
  return sendOnce(writes, { ...send, signal }, attempts).finally(forget);
};

/** Tries of writes that somebody repeats in several turns, by id and stamp. */
export type Tries = Map<string, number>;
/** What is forgotten costs some more tries. */
const maxTries = 10_000;
const triesKey = ({ alias, id, routing, stamp }: StampedWrite): string => `${alias}\0${routing ?? ''}\0${id}\0${stamp}`;

const keepTries = (tries: Tries, writes: readonly StampedWrite[], more: number): void => {
  if (tries.size > maxTries) tries.clear();
  for (const write of writes) tries.set(triesKey(write), (tries.get(triesKey(write)) ?? 0) + more);
};

/** The writes of one `sendAll`, and what is known of them so far. */
class Sending {
  readonly fates: (FinalFate | undefined)[];
  left: number[];
  attempts = 0;
  retry: RetryFate | undefined;
  readonly #writes: readonly StampedWrite[];
  readonly #tries: Tries | undefined;
  readonly #before: readonly number[];

  constructor(writes: readonly StampedWrite[], tries: Tries | undefined) {
    this.#writes = writes;
    this.#tries = tries;
    this.#before = writes.map((write) => (tries?.size ? (tries.get(triesKey(write)) ?? 0) : 0));
    this.fates = writes.map(() => undefined);
    this.left = [...writes.keys()];
  }

  next(): StampedWrite[] {
    this.attempts++;
    return this.#waiting();
  }

  #waiting(): StampedWrite[] {
    return this.left.map((at) => this.#writes[at] as StampedWrite);
  }

  /** Tries of that which was tried most. */
  triedAtMost(): number {
    return this.attempts + Math.max(...this.left.map((at) => this.#before[at] as number));
  }

  /** @returns whether the fence was met */
  take(found: readonly WriteFate[]): boolean {
    const tried = this.left.map((at) => this.attempts + (this.#before[at] as number));
    const others = this.fates.some((fate) => fate?.kind === 'applied' || fate?.kind === 'superseded');
    this.retry = undefined;
    for (const [i, fate] of settledFates(found, tried, others).entries())
      if (fate.kind === 'retry') this.retry = fate;
      else this.fates[this.left[i] as number] = fate;
    this.left = this.left.filter((at) => this.fates[at] === undefined);
    return this.fates.some((fate) => fate?.kind === 'fenced');
  }

  end(end: SendResult['end'], reason?: string): SendResult {
    if (this.#tries !== undefined && this.left.length > 0) keepTries(this.#tries, this.#waiting(), this.attempts);
    return { fates: this.fates, end, ...(reason === undefined ? {} : { reason }) };
  }
}

/** Repeats until each write was applied, superseded or refused; ends early at the fence, by the signal, or when stuck. */
export const sendAll = async (writes: readonly StampedWrite[], options: SendAllOptions): Promise<SendResult> => {
  const { runtime, onRetry, repeatForMs = Number.POSITIVE_INFINITY, patienceMs, tries, ...send } = options;
  const until = runtime.now() + repeatForMs;
  const sending = new Sending(writes, tries);
  while (sending.left.length > 0) {
    if (send.signal?.aborted) return sending.end('stopped');
    const next = sending.next();
    const fates = await sendPatiently(next, send, { runtime, patienceMs, attempts: sending.triedAtMost() });
    if (sending.take(fates)) return sending.end('fenced');
    const { retry } = sending;
    if (retry === undefined) continue;
    onRetry?.(retry);
    if (runtime.now() >= until) return sending.end('stuck', retry.reason);
    await sleep(runtime, retryDelayMs(retry, sending.attempts, runtime), send.signal);
  }
  return sending.end('done');
};
