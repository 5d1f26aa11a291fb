import { beforeEach, describe, expect, it } from 'vitest';
import { createProcessList, listProcesses, strikeProcesses } from '../../../src/coordination/process-list.ts';
import { ManualTime } from './manual-time.ts';
import { MemoryBucket } from './memory-bucket.ts';

let bucket: MemoryBucket;
const listed = async (slug = 'p') => (await listProcesses(bucket, slug)).map(({ boot }) => boot);
const list = (boot: string) => createProcessList({ bucket, member: `pod-${boot}`, boot });

beforeEach(() => {
  bucket = new MemoryBucket(new ManualTime());
});

describe('the list of processes', () => {
  it('has a process for each of its routes from the first write on, until it leaves', async () => {
    const own = list('b1');
    expect(own.has('p')).toBe(false);
    await own.enlist(['p', 'q'], true);
    await list('b2').enlist(['p'], true);
    expect([own.has('p'), await listed(), await listed('q')]).toEqual([true, ['b1', 'b2'], ['b1']]);
    await own.leave();
    expect([await listed(), await listed('q')]).toEqual([['b2'], []]);
  });

  it('takes a route for listed only when the store has it', async () => {
    const own = list('b1');
    bucket.offline = true;
    await expect(own.enlist(['p'], false)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(own.has('p')).toBe(false);
    bucket.offline = false;
    await own.enlist(['p'], false);
    expect(own.has('p')).toBe(true);
  });

  it('is written once, and again by whoever may have been struck off', async () => {
    const own = list('b1');
    await own.enlist(['p'], false);
    await strikeProcesses(bucket, 'p', ['b1']);
    await own.enlist(['p'], false);
    expect(await listed()).toEqual([]);
    await own.enlist(['p'], true);
    expect(await listed()).toEqual(['b1']);
  });

  it('is written again for a route that was gone meanwhile', async () => {
    const own = list('b1');
    await own.enlist(['p'], false);
    await own.enlist([], false);
    await bucket.delete('job.p.boot.b1');
    await own.enlist(['p'], false);
    expect(await listed()).toEqual(['b1']);
  });

  it('is left by a process also for a route that was deleted before', async () => {
    const own = list('b1');
    await own.enlist(['p'], false);
    await own.enlist([], false);
    expect(await listed()).toEqual(['b1']);
    await own.leave();
    expect(await listed()).toEqual([]);
  });

  it('does not take back who has left, and survives what cannot be read', async () => {
    const own = list('b1');
    await own.leave();
    await own.enlist(['p'], true);
    await bucket.put('job.p.boot.b2', 'rubbish');
    expect(await listProcesses(bucket, 'p')).toEqual([{ boot: 'b2', member: '' }]);
  });
});
