/**
 * The one retry rule of the engine: full jitter over an exponential ceiling, so that members that fail together do not
 * return together. Reads of the clusters repeat through `retrying`; copies, whose batches change between attempts, use
 * `backoffMs` on their own schedule. Only failures that can pass are repeated; a refusal of the request itself is final.
 */
import { CrossfadeError } from '../errors.ts';
import { type Runtime, sleep } from './runtime.ts';

export type Backoff = { baseMs: number; capMs: number };
export const usualBackoff: Backoff = { baseMs: 50, capMs: 5_000 };
/** For states that a person or another process must end: a write block, missing rights, a missing index. */
export const slowBackoff: Backoff = { baseMs: 1_000, capMs: 10_000 };

/** Delay before attempt `attempt` (the first repeat is 1): uniform between 0 and the ceiling. */
export const backoffMs = ({ baseMs, capMs }: Backoff, attempt: number, random: () => number): number =>
  random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30));

/** Statuses that mean "not now": overload, a node leaving, a shard without a primary. */
const passing = new Set([408, 429, 500, 502, 503, 504]);

export const isPassingStatus = (status: number): boolean => passing.has(status);

/** True for failures of one moment: the network, or a cluster that says it is busy or incomplete. */
export const isPassing = (error: unknown): boolean => {
  if (!(error instanceof CrossfadeError)) return false;
  switch (error.code) {
    case 'UPSTREAM_UNREACHABLE':
    case 'UPSTREAM_RESET':
    case 'UPSTREAM_TIMEOUT':
    case 'UPSTREAM_INVALID':
      return true;
    case 'UPSTREAM_REFUSED':
      return isPassingStatus(Number(error.details?.['upstreamStatus']));
    default:
      return false;
  }
};

export type RetryOptions = {
  runtime: Runtime;
  signal?: AbortSignal | undefined;
  backoff?: Backoff;
  /** Attempts in all, the first included; default 6. */
  attempts?: number;
};

/** Runs `attempt` until it succeeds, fails for good, the attempts are used up, or the signal fires. */
export const retrying = async <T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> => {
  const { runtime, signal, backoff = usualBackoff, attempts = 6 } = options;
  for (let n = 1; ; n++) {
    try {
      return await attempt();
    } catch (error) {
      if (n >= attempts || signal?.aborted || !isPassing(error)) throw error;
      await sleep(runtime, backoffMs(backoff, n, runtime.random), signal);
    }
  }
};
