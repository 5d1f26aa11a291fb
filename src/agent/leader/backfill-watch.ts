/**
 * Plans the backfill of a stay in `dual` once every member has drained into it, and watches the workers until no chunk is
 * left. Workers begin at the record it writes; that it runs is saved after that, so a leader that dies in between makes its
 * successor plan anew, which costs time and never a document.
 */
import { casError } from '../../coordination/cas.ts';
import { keys } from '../../coordination/keys.ts';
import { barrier, type Membership } from '../../coordination/membership.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { RouteState, Store } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import { BackfillRecord, backfillName, beginBackfill } from '../backfill.ts';
import type { ClusterControl } from '../cluster.ts';
import { directionOf } from '../direction.ts';
import type { Runtime } from '../runtime.ts';
import type { TailState } from '../tail.ts';
import { readProgress } from '../worker-progress.ts';
import { type JobStore, saveWork } from './job-state.ts';
import type { WorkFacts } from './status.ts';

export type BackfillWatchDeps = {
  slug: string;
  store: Store;
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  job: JobStore;
  members: () => Membership;
  clock: () => string;
};
export interface BackfillWatch {
  /**
   * `planned` runs before anything is queued; what it is given fails for a leader that has been succeeded.
   * @returns why it cannot be planned, if so
   */
  begin(state: RouteState, planned: (ours: () => Promise<void>) => Promise<void>): Promise<string | undefined>;
  look(): Promise<void>;
  facts(): WorkFacts['backfill'];
}

export const createBackfillWatch = (deps: BackfillWatchDeps): BackfillWatch => {
  const { slug, store, clusters, runtime, job, members, clock } = deps;
  let facts: WorkFacts['backfill'] = { record: undefined, remaining: 0, open: 0, rate: 0, state: 'running' };
  const key = keys.job(slug, backfillName);

  /** Only over the one that was read: another leader may have planned anew. */
  const put = async (record: BackfillRecord, over: number): Promise<void> => {
    const result = await store.config.update(key, JSON.stringify(record), over);
    if (!result.ok) throw casError(result.reason, `${key} could not be saved`);
  };
  const read = async (): Promise<{ record: BackfillRecord | undefined; revision: number }> => {
    const entry = await store.config.get(key);
    return { record: parseRecord(BackfillRecord, entry?.value), revision: entry?.revision ?? 0 };
  };

  /** Undefined when the queue that was filled is gone. */
  const remainingOf = ({ chunks, mark = Math.min(1, chunks) }: BackfillRecord): Promise<number | undefined> =>
    store.workQueue(slug).remaining(mark);

  const isOfWork = ({ reign, authority }: BackfillRecord): boolean => {
    const { work } = job.current();
    return work?.reign === reign && work.authority === authority;
  };

  return {
    facts: () => facts,
    begin: async (state, planned) => {
      const query = { slug, phaseRevision: state.phaseRevision, expect: 'drained' as const, nowMs: runtime.now() };
      if (!barrier(members(), query).ok) return undefined;
      const { chunkDocs } = state.spec.backfill;
      const queue = store.workQueue(slug);
      const direction = directionOf(state);
      const { revision } = await read();
      const ours = (tail: TailState): Promise<void> => planned(() => saveWork(job, { tail }, 'always'));
      const plan = await beginBackfill({ clusters, runtime, direction, queue, chunkDocs, at: clock(), ours });
      if (plan.kind !== 'ok') return plan.detail;
      await put(plan.record, revision);
      facts = { record: plan.record, remaining: plan.record.chunks, open: 0, rate: 0, state: 'running' };
      await saveWork(job, { backfill: 'running' });
      return undefined;
    },
    look: async () => {
      const [{ record, revision }, workers] = await Promise.all([read(), readProgress(store.live, slug)]);
      const remaining = record && isOfWork(record) ? await remainingOf(record) : undefined;
      // Without its record no worker takes a chunk, and without its queue there is none.
      if (record === undefined || remaining === undefined) {
        await saveWork(job, { backfill: 'none' });
        return;
      }
      const rate = workers.reduce((sum, worker) => sum + worker.rate, 0);
      const held = workers.find(({ state }) => state !== 'running')?.state;
      const open = workers.reduce((sum, { chunksDone = 0 }) => sum + chunksDone, 0);
      facts = { record, remaining, open, rate, state: held ?? 'running' };
      if (remaining > 0) return;
      const done: BackfillRecord = { ...record, state: 'done', finishedAt: clock() };
      await put(done, revision);
      facts = { record: done, remaining: 0, open: 0, rate: 0, state: 'running' };
      await saveWork(job, { backfill: 'done' });
    },
  };
};
