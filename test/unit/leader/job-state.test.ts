import { describe, expect, it } from 'vitest';
import { directionOf } from '../../../src/agent/direction.ts';
import { createJobStore, emptyJob, JobState, newWork, saveWork } from '../../../src/agent/leader/job-state.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../agent/route.ts';

describe("the leader's record", () => {
  it('can be read again when the work of a reign was begun from a direction', () => {
    const next = newWork(directionOf(routeState({ epoch: 3, reign: 2 })));
    const text = JSON.stringify({ ...emptyJob, next });
    expect(JobState.parse(JSON.parse(text)).next).toEqual(next);
  });

  it('does not bring back the work of a stay that was ended while a change of it waited', async () => {
    const job = createJobStore(new MemoryBucket(), 'products');
    await job.save({ work: newWork({ reign: 1, authority: 'source', epoch: 1 }) });
    const ended = job.save({ work: undefined });
    await Promise.all([ended, saveWork(job, { backfill: 'done' })]);
    expect(job.current().work).toBeUndefined();
  });

  it('shows by the write of a value that is there already that nobody else has written', async () => {
    const bucket = new MemoryBucket();
    const [late, successor] = [createJobStore(bucket, 'products'), createJobStore(bucket, 'products')];
    await late.save({ paused: true });
    await late.save({ paused: true }, 'always');
    await successor.load();
    await successor.save({ paused: false });
    await late.save({ paused: true });
    await expect(late.save({ paused: true }, 'always')).rejects.toMatchObject({ code: 'STORE_CONFLICT' });
  });

  it.each(['rubbish', '{"schema":1}', ''])(
    'that reads %j counts as absent, is told of and can be written over',
    async (text) => {
      const bucket = new MemoryBucket();
      await bucket.put('job.products.state', text);
      const told: string[] = [];
      const job = createJobStore(bucket, 'products', (key) => told.push(key));
      expect(await job.load()).toEqual(emptyJob);
      expect(told).toEqual(['job.products.state']);
      await job.save({ paused: true });
      await job.load();
      expect([job.current().paused, told.length]).toEqual([true, 1]);
    },
  );
});
