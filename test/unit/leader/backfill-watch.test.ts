import { describe, expect, it } from 'vitest';
import { createBackfillWatch } from '../../../src/agent/leader/backfill-watch.ts';
import { createJobStore, newWork, saveWork } from '../../../src/agent/leader/job-state.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { MemoryWorkQueue } from '../../../src/coordination/memory-work-queue.ts';
import type { Store, WorkQueue } from '../../../src/coordination/ports.ts';
import { systemTimers } from '../../../src/coordination/timers.ts';
import { heardFrom, memberLine } from '../../support/heartbeats.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { engine } from '../agent/engine.ts';

const startedAt = (from: number): WorkQueue => new MemoryWorkQueue({ timers: systemTimers, ackWaitMs: 60_000, from });
const storeWith = (config: MemoryStore, queue: WorkQueue): Store =>
  ({ config: config.config, live: config.live, workQueue: () => queue }) as unknown as Store;

/** Somebody who is in phase and drained. */
const drained = heardFrom({ a: { products: memberLine({ phaseRevision: 1 }) } });

const lead = async (kept: MemoryStore, queue: WorkQueue) => {
  const { io, state, put } = engine();
  for (let i = 0; i < 30; i++) put(`d${i}`, { i });
  const store = storeWith(kept, queue);
  const job = createJobStore(store.config, state.slug);
  await job.load();
  const { clusters, runtime } = io;
  const deps = { slug: state.slug, store, clusters, runtime, job, members: () => drained, clock: () => '' };
  return { watch: createBackfillWatch(deps), job, state };
};

const begun = async (kept: MemoryStore, queue: WorkQueue) => {
  const leader = await lead(kept, queue);
  await leader.job.save({ work: newWork({ reign: 1, authority: 'source', epoch: 1 }) });
  await leader.watch.begin(leader.state, (ours) => ours());
  expect(leader.job.current().work?.backfill).toBe('running');
  return leader;
};

const workOff = async (queue: WorkQueue): Promise<void> => {
  while (((await queue.remaining()) ?? 0) > 0) await (await queue.next(0))?.ack();
};

describe('a backfill whose queue is empty', () => {
  it('is done when the queue is the one that was filled', async () => {
    const queue = startedAt(0);
    const { watch, job } = await begun(new MemoryStore(), queue);
    await watch.look();
    expect(job.current().work?.backfill).toBe('running');
    await workOff(queue);
    await watch.look();
    expect(job.current().work?.backfill).toBe('done');
    expect(watch.facts().record?.state).toBe('done');
  });

  it('is planned anew when the queue was lost with the process that held it', async () => {
    const kept = new MemoryStore();
    await begun(kept, startedAt(0));
    const queue = startedAt(1_000_000);
    const { watch, job, state } = await lead(kept, queue);
    await watch.look();
    expect(job.current().work?.backfill).toBe('none');
    await watch.begin(state, (ours) => ours());
    expect(await queue.remaining()).toBeGreaterThan(0);
    await workOff(queue);
    await watch.look();
    expect(job.current().work?.backfill).toBe('done');
  });

  it('is planned anew when the record of an older version tells no mark', async () => {
    const kept = new MemoryStore();
    const { job } = await begun(kept, startedAt(0));
    const key = 'job.products.backfill';
    const { mark: _, ...older } = JSON.parse((await kept.config.get(key))?.value ?? '{}') as { mark: number };
    await kept.config.put(key, JSON.stringify(older));
    await saveWork(job, { backfill: 'running' });
    const heir = await lead(kept, startedAt(1_000_000));
    await heir.watch.look();
    expect(heir.job.current().work?.backfill).toBe('none');
  });
});

describe('a backfill whose record', () => {
  it.each<[string, (kept: MemoryStore, key: string) => Promise<unknown>]>([
    ['was deleted', ({ config }, key) => config.delete(key)],
    ['cannot be read', ({ config }, key) => config.put(key, '{"schema":')],
    ['is of no known form', ({ config }, key) => config.put(key, '{"schema":9}')],
    [
      'is of another stay',
      async ({ config }, key) => {
        const { value = '{}' } = (await config.get(key)) ?? {};
        await config.put(key, JSON.stringify({ ...JSON.parse(value), reign: 9 }));
      },
    ],
  ])('%s is planned anew, because no worker takes its chunks', async (_, damage) => {
    const kept = new MemoryStore();
    const queue = startedAt(0);
    const { watch, job, state } = await begun(kept, queue);
    await damage(kept, keys.job(state.slug, 'backfill'));
    await watch.look();
    expect(job.current().work?.backfill).toBe('none');
    await watch.begin(state, (ours) => ours());
    await workOff(queue);
    await watch.look();
    expect(job.current().work?.backfill).toBe('done');
  });
});
