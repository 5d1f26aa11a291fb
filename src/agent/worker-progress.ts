/**
 * What the processes that work on a backfill tell each other and the leader, through the live bucket: how fast each is,
 * and how much it has of the work. A view for people and for sharing a rate; nothing is decided by it. Invariant: a rate
 * is shared among those that have chunks in hand, however many others stand by.
 */
import * as z from 'zod';
import { keys } from '../coordination/keys.ts';
import type { Bucket, Chunk } from '../coordination/ports.ts';
import type { Runtime } from './runtime.ts';

export const WorkerProgress = z.object({
  docs: z.int().min(0).describe('documents worked on since the process began'),
  rate: z.number().min(0).describe('documents per second over the last seconds'),
  state: z.enum(['running', 'paused', 'throttled']),
  chunks: z.int().min(0).optional().describe('chunks in hand'),
  chunksDone: z.number().min(0).optional().describe('how much of the chunks in hand is done, in chunks'),
});
export type WorkerProgress = z.infer<typeof WorkerProgress>;

const publishEveryMs = 2_000;
/** Several pages even of a slow worker: between two of them its rate would read as 0, and the time left as unknown. */
const rateOverMs = 10_000;

/** Progress of all live workers of a route. */
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

/** A worker that does not say has some, as those of before did not. */
const hasWork = ({ chunks }: WorkerProgress): boolean => chunks === undefined || chunks > 0;

/** One chunk in hand. */
export interface ChunkInHand {
  add(page: { docs: number; through: number }): void;
  end(): void;
}
export interface Progress {
  take(chunk: Pick<Chunk, 'fromSeq' | 'toSeq'>): ChunkInHand;
  /** Live workers of the route with chunks in hand, this one included. */
  workers(): number;
  /** Publishes until the returned function is called. */
  publish(state: () => WorkerProgress['state']): () => void;
}
export type ProgressOptions = { bucket: Bucket; slug: string; worker: string; runtime: Runtime };

export const createProgress = ({ bucket, slug, worker, runtime }: ProgressOptions): Progress => {
  let docs = 0;
  let workers = 1;
  const seen = [{ docs: 0, atMs: runtime.now() }];
  const inHand = new Map<ChunkInHand, number>();

  const rateNow = (): number => {
    const atMs = runtime.now();
    seen.push({ docs, atMs });
    while (seen.length > 2 && atMs - (seen[1] as (typeof seen)[0]).atMs >= rateOverMs) seen.shift();
    const [first] = seen as [(typeof seen)[0]];
    return (docs - first.docs) / Math.max(0.001, (atMs - first.atMs) / 1000);
  };
  const publishOnce = async (state: WorkerProgress['state']): Promise<void> => {
    const chunksDone = [...inHand.values()].reduce((sum, share) => sum + share, 0);
    const value: WorkerProgress = { docs, rate: rateNow(), state, chunks: inHand.size, chunksDone };
    await bucket.put(keys.progress(slug, worker), JSON.stringify(value));
    const others = (await readProgress(bucket, slug)).filter(hasWork).length - (value.chunks === 0 ? 0 : 1);
    workers = 1 + Math.max(0, others);
  };
  return {
    take: ({ fromSeq, toSeq }) => {
      const chunk: ChunkInHand = {
        add: (page) => {
          docs += page.docs;
          inHand.set(chunk, (page.through - fromSeq) / Math.max(1, toSeq - fromSeq));
        },
        end: () => void inHand.delete(chunk),
      };
      inHand.set(chunk, 0);
      return chunk;
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
