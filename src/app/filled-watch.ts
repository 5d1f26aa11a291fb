/**
 * Whether the backfill of a route is complete, for what is compared meanwhile: read from the leader's own record, by every
 * process, while a route is in `dual`. Invariant: until it is known, it is not complete.
 */
import * as z from 'zod';
import { keys } from '../coordination/keys.ts';
import { parseRecord } from '../coordination/parse-record.ts';
import type { Bucket, RouteStates } from '../coordination/ports.ts';
import { systemTimers, type Timers } from '../coordination/timers.ts';

const Work = z.object({ work: z.object({ backfill: z.string() }) });
const lookEveryMs = 2_000;

export interface FilledWatch {
  isFilled(slug: string): boolean;
  stop(): void;
}
export type FilledWatchOptions = {
  bucket: Pick<Bucket, 'get'>;
  states: () => RouteStates;
  timers?: Timers;
};

export const watchFilled = ({ bucket, states, timers = systemTimers }: FilledWatchOptions): FilledWatch => {
  const filled = new Set<string>();
  let cancel = (): void => undefined;
  let stopped = false;

  const look = async (slug: string): Promise<void> => {
    const entry = await bucket.get(keys.job(slug, 'state'));
    if (parseRecord(Work, entry?.value)?.work.backfill === 'done') filled.add(slug);
    else filled.delete(slug);
  };
  const again = (): void => {
    if (!stopped) cancel = timers.set(() => void lookAtAll().finally(again), lookEveryMs);
  };
  // Without the store what was known last holds.
  const lookAtAll = async (): Promise<void> => {
    const inDual = [...states().values()].filter(({ phase }) => phase.phase === 'dual');
    await Promise.all(inDual.map(({ slug }) => look(slug).catch(() => undefined)));
  };
  again();
  return {
    isFilled: (slug) => filled.has(slug),
    stop: () => {
      stopped = true;
      cancel();
    },
  };
};
