import { describe, expect, test } from 'vitest';
import { createLeaderQuarantine, type LeaderQuarantine } from '../../../src/agent/leader/leader-quarantine.ts';
import { loadQuarantines, saveQuarantine } from '../../../src/agent/quarantine-store.ts';
import type { ClusterControl } from '../../../src/agent/cluster.ts';
import { directionOf } from '../../../src/agent/direction.ts';
import { takePosition } from '../../../src/agent/positions.ts';
import type { RepairIo } from '../../../src/agent/repair.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { controls, fakePair, routeState } from '../agent/route.ts';

const slug = 'products';
const lead = async (bucket: MemoryBucket): Promise<LeaderQuarantine> => {
  const quarantine = createLeaderQuarantine({ slug, bucket, runtime: manualRuntime() });
  await quarantine.takeOver();
  return quarantine;
};
const refuse = (quarantine: LeaderQuarantine, id: string): void =>
  quarantine.own().add({ ordinal: 0, id, routing: undefined }, 7n, 'no');
const listed = async (bucket: MemoryBucket): Promise<string[]> =>
  [...(await loadQuarantines(bucket, slug)).values()].flatMap(({ record }) => record.docs.map(({ id }) => id));
const oursNoMore = async (): Promise<never> => {
  throw new Error('succeeded');
};

describe('the list of refused documents of a leader that has been succeeded', () => {
  test('takes the place of none that its successor wrote, and the other way round it goes on from there', async () => {
    const bucket = new MemoryBucket();
    const late = await lead(bucket);
    refuse(late, 'early');
    await late.save();
    const successor = await lead(bucket);
    refuse(successor, 'later');
    await successor.save();
    refuse(late, 'late');
    await expect(late.save()).rejects.toThrow();
    expect(await listed(bucket)).toEqual(['early', 'later']);
  });

  test('is removed by nobody who has not seen it', async () => {
    const bucket = new MemoryBucket();
    const late = await lead(bucket);
    const successor = await lead(bucket);
    refuse(successor, 'later');
    await successor.save();
    await expect(late.clear(oursNoMore)).rejects.toThrow('succeeded');
    const overtaken = late.clear(async () => {
      refuse(successor, 'last');
      await successor.save();
    });
    await expect(overtaken).rejects.toThrow();
    expect(await listed(bucket)).toEqual(['later', 'last']);
  });

  test('is cleared for a new backfill, and kept anew after that', async () => {
    const bucket = new MemoryBucket();
    const leader = await lead(bucket);
    refuse(leader, 'before');
    await leader.save();
    await leader.clear(async () => undefined);
    expect(await listed(bucket)).toEqual([]);
    refuse(leader, 'after');
    await leader.save();
    expect(await listed(bucket)).toEqual(['after']);
  });

  test('does not take the place of one that a worker of the backfill wrote while an older one was tried again', async () => {
    const bucket = new MemoryBucket();
    const worker = { slug, owner: 'chunk-0-0-0' };
    await saveQuarantine(bucket, worker, { schema: 1, docs: [], overflowed: 1 });
    const leader = await lead(bucket);
    await leader.keep();
    const { list } = bucket;
    bucket.list = async (prefix) => {
      const found = await list.call(bucket, prefix);
      const docs = [{ ordinal: 0, id: 'newer', stamp: '7', reason: 'no' }];
      await saveQuarantine(bucket, worker, { schema: 1, docs, overflowed: 0 });
      return found;
    };
    await expect(
      leader.retry(
        async () => ({ direction: { spec: { indices: [] } } }) as unknown as RepairIo,
        new AbortController().signal,
      ),
    ).rejects.toThrow();
    bucket.list = list;
    expect(await listed(bucket)).toEqual(['newer']);
  });
});

describe('documents that are tried again on a follower that hangs', () => {
  const owners = ['chunk-0-0-0', 'chunk-0-1-0'];
  const setUp = async () => {
    const bucket = new MemoryBucket();
    const runtime = manualRuntime();
    for (const owner of owners) {
      const docs = [{ ordinal: 0, id: owner, stamp: '7', reason: 'no' }];
      await saveQuarantine(bucket, { slug, owner }, { schema: 1, docs, overflowed: 0 });
    }
    const leader = createLeaderQuarantine({ slug, bucket, runtime });
    await leader.takeOver();
    await leader.keep();
    const state = routeState();
    const asked: string[] = [];
    const { source, target } = controls(fakePair(state));
    const hung: ClusterControl = {
      ...target,
      mget: ({ docs, signal }) => {
        asked.push(String(docs[0]?.id));
        return new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(new CrossfadeError('CLIENT_CLOSED')));
        });
      },
    };
    const taken = await takePosition('p1', 'checkpoint', { cluster: source, runtime });
    if (taken.kind !== 'ok') throw new Error(taken.detail);
    const pins = [taken.position];
    const clusters = { source, target: hung };
    const io = async () => ({ clusters, runtime, direction: directionOf(state), transform: undefined, pins });
    return { bucket, asked, runtime, retry: (signal: AbortSignal) => leader.retry(io, signal) };
  };

  test('keep the leader for seconds only, and the next time other ones are tried', async () => {
    const { bucket, asked, runtime, retry } = await setUp();
    for (const _time of owners) {
      let ended = false;
      const trying = retry(new AbortController().signal).then(() => (ended = true));
      await runtime.advance(10_000);
      expect(ended).toBe(true);
      await trying;
      await runtime.advance(10_000);
    }
    expect(asked).toEqual(owners);
    expect(await listed(bucket)).toEqual(owners);
  });

  test('give way at once to whoever wants the loop', async () => {
    const { asked, runtime, retry } = await setUp();
    const wanted = new AbortController();
    const trying = retry(wanted.signal);
    await runtime.settle();
    wanted.abort();
    await trying;
    expect(asked).toEqual(owners.slice(0, 1));
  });
});
