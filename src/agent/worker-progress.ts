/**
 * What the processes that work on a backfill tell each other and the leader, through the live bucket: how fast each is,
 * and so how many there are. A view for people and for sharing a rate; nothing is decided by it.
 */
import * as z from 'zod';
import { keys } from '../coordination/keys.ts';
import type { Bucket } from '../coordination/ports.ts';
import type { Runtime } from './runtime.ts';

export const WorkerProgress = z.object({
  docs: z.int().min(0).describe('documents worked on since the process began'),
  rate: z.number().min(0).describe('documents per second over the last interval'),
  state: z.enum(['running', 'paused', 'throttled']),
});
export type WorkerProgress = z.infer<typeof WorkerProgress>;

const publishEveryMs = 2_000;

/** Progress of all live workers of a route, by their key. */
export const readProgress = async (bucket: Bucket, slug: string): Promise<WorkerProgress[]> => {
  const entries = await bucket.list(keys.progress(slug, ''));
  return entries.flatMap(({ value }) => {
    const parsed = WorkerProgress.safeParse(safeJson(value));
    return parsed.success ? [parsed.data] : [];
  });
};

const safeJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export interface Progress {
  add(page: { docs: number }): void;
  /** Live workers of the route, this one included. */
  workers(): number;
  /** Publishes until the returned function is called. */
  publish(state: () => WorkerProgress['state']): () => void;
}
export type ProgressOptions = { bucket: Bucket; slug: string; worker: string; runtime: Runtime };

export const createProgress = ({ bucket, slug, worker, runtime }: ProgressOptions): Progress => {
  let docs = 0;
  let workers = 1;
  let last = { docs: 0, atMs: runtime.now() };

  const publishOnce = async (state: WorkerProgress['state']): Promise<void> => {
    const atMs = runtime.now();
    const seconds = Math.max(0.001, (atMs - last.atMs) / 1000);
    const value: WorkerProgress = { docs, rate: (docs - last.docs) / seconds, state };
    last = { docs, atMs };
    await bucket.put(keys.progress(slug, worker), JSON.stringify(value));
    workers = Math.max(1, (await readProgress(bucket, slug)).length);
  };
  return {
    add: (page) => {
      docs += page.docs;
    },
    workers: () => workers,
    publish: (state) => {
      let stopped = false;
      let cancel = (): void => undefined;
      const tick = async (): Promise<void> => {
        // A progress report that is lost is replaced by the next.
        await publishOnce(state()).catch(() => undefined);
        if (!stopped) cancel = runtime.after(publishEveryMs, () => void tick());
      };
      void tick();
      return () => {
        stopped = true;
        cancel();
      };
    },
  };
};
