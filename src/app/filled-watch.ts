/**
 * Whether the backfill of a route is complete, for what is compared meanwhile: read from the leader's own record, by every
 * process, while a route is in `dual`. Invariant: until it is known, it is not complete.
 */
import { readLeaderRecord } from '../agent/leader-record.ts';
import { every, type Runtime } from '../agent/runtime.ts';
import type { Bucket, RouteStates } from '../coordination/ports.ts';

const lookEveryMs = 2_000;

export interface FilledWatch {
  isFilled(slug: string): boolean;
  stop(): void;
}
export type FilledWatchOptions = {
  bucket: Pick<Bucket, 'get'>;
  states: () => RouteStates;
  runtime: Runtime;
};

export const watchFilled = ({ bucket, states, runtime }: FilledWatchOptions): FilledWatch => {
  const filled = new Set<string>();

  const look = async (slug: string): Promise<void> => {
    if ((await readLeaderRecord(bucket, slug)).filled) filled.add(slug);
    else filled.delete(slug);
  };
  // Without the store what was known last holds.
  const lookAtAll = (): void => {
    for (const { slug, phase } of states().values()) if (phase.phase === 'dual') void look(slug).catch(() => undefined);
  };
  return { isFilled: (slug) => filled.has(slug), stop: every(runtime, lookEveryMs, lookAtAll) };
};
