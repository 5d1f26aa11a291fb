import { describe, expect, it } from 'vitest';
import { MemoryWorkQueue } from '../../../src/coordination/memory-work-queue.ts';
import type { Chunk } from '../../../src/coordination/ports.ts';
import { ManualTime } from './manual-time.ts';

const chunk = (fromSeq: number): Chunk => ({ index: 0, shard: 0, fromSeq, toSeq: fromSeq + 9 });
const setUp = () => {
  const time = new ManualTime();
  return { time, queue: new MemoryWorkQueue({ timers: time.timers, ackWaitMs: 1_000 }) };
};

describe('the work queue of one process', () => {
  it('wakes a waiting taker, the longest waiting first', async () => {
    const { queue } = setUp();
    const takers = [queue.next(5_000), queue.next(5_000)];
    await queue.add([chunk(0), chunk(10)]);
    expect((await Promise.all(takers)).map((delivery) => delivery?.chunk.fromSeq)).toEqual([0, 10]);
  });

  it('gives up waiting in time', async () => {
    const { time, queue } = setUp();
    const taker = queue.next(500);
    await time.advance(500);
    expect(await taker).toBeUndefined();
    await queue.add([chunk(0)]);
    expect(await queue.remaining()).toBe(1);
  });

  it('ignores what a taker says about a delivery that went to somebody else', async () => {
    const { time, queue } = setUp();
    await queue.add([chunk(0)]);
    const slow = await queue.next(0);
    await time.advance(1_000);
    const fast = await queue.next(0);
    expect(fast?.deliveries).toBe(2);
    await slow?.ack();
    slow?.working();
    await slow?.retry(1);
    await time.advance(500);
    expect(await queue.remaining()).toBe(1);
    await fast?.ack();
    expect(await queue.remaining()).toBe(0);
    await time.advance(5_000);
    expect(await queue.remaining()).toBe(0);
  });

  it('is empty after a purge, also of what was handed out', async () => {
    const { time, queue } = setUp();
    await queue.add([chunk(0), chunk(10)]);
    const taken = await queue.next(0);
    await queue.purge();
    await taken?.ack();
    await time.advance(5_000);
    expect(await queue.remaining()).toBe(0);
    expect(time.pending).toBe(0);
  });

  it('tells a queue that was worked off from one that never held what another process had planned', async () => {
    const { time, queue } = setUp();
    await queue.add([chunk(0)]);
    const mark = await queue.mark();
    await (await queue.next(0))?.ack();
    expect(await queue.remaining(mark)).toBe(0);
    const heir = new MemoryWorkQueue({ timers: time.timers, ackWaitMs: 1_000, from: 1_000 });
    await heir.add([chunk(0), chunk(10)]);
    expect(await heir.remaining(mark)).toBeUndefined();
    expect(await queue.remaining(await heir.mark())).toBeUndefined();
  });
});
