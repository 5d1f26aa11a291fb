import { describe, expect, it } from 'vitest';
import { casAndConfirm } from '../../../src/coordination/cas.ts';
import { ManualTime } from './manual-time.ts';
import { MemoryBucket, type WriteFate } from './memory-bucket.ts';

const setUp = (fates: WriteFate[] = []) => {
  const time = new ManualTime();
  const bucket = new MemoryBucket(time);
  bucket.fates = fates;
  const write = (value: string, expected: number) =>
    casAndConfirm(
      bucket,
      { key: 'k', value, expected },
      { now: time.now, deadlineMs: time.nowMs + 1_000, timers: time.timers },
    );
  return { time, bucket, write };
};

describe('a confirmed compare-and-set', () => {
  it.each<[string, WriteFate[]]>([
    ['no trouble', []],
    ['a time-out of a write that was applied', ['applied']],
    ['a time-out of a write that was lost', ['lost']],
    ['several lost writes', ['lost', 'lost', 'lost']],
    ['a lost write and an applied one', ['lost', 'applied']],
  ])('succeeds once after %s', async (_, fates) => {
    const { time, bucket, write } = setUp(fates);
    const result = write('mine', 0);
    await time.advance(500);
    const entry = await bucket.get('k');
    expect(await result).toEqual({ ok: true, revision: entry?.revision });
    expect(entry).toEqual({ key: 'k', value: 'mine', revision: 1 });
  });

  it('is not done twice by a late write: only one of both can follow the expected revision', async () => {
    const { time, bucket, write } = setUp(['late']);
    const result = write('mine', 0);
    await time.advance(500);
    expect(await result).toEqual({ ok: true, revision: 1 });
    bucket.deliverLate();
    expect(await bucket.get('k')).toEqual({ key: 'k', value: 'mine', revision: 1 });
  });

  it('recognises its own late write that came before the repetition', async () => {
    const { time, bucket, write } = setUp(['late']);
    const result = write('mine', 0);
    await time.settle();
    bucket.deliverLate();
    await time.advance(500);
    expect(await result).toEqual({ ok: true, revision: 1 });
  });

  it('is a conflict when a rival was first, whatever became of the write', async () => {
    const { time, bucket, write } = setUp(['late']);
    const result = write('mine', 0);
    await time.settle();
    await bucket.put('k', 'theirs');
    await time.advance(500);
    expect(await result).toEqual({ ok: false, reason: 'conflict' });
    bucket.deliverLate();
    expect((await bucket.get('k'))?.value).toBe('theirs');
  });

  it('is unknown only when the deadline passed in doubt', async () => {
    const { time, write } = setUp(Array(100).fill('lost'));
    const result = write('mine', 0);
    await time.advance(2_000);
    expect(await result).toEqual({ ok: false, reason: 'unknown' });
  });

  it('stays in doubt while the store is out of reach after a time-out, and at once unavailable before one', async () => {
    const first = setUp();
    first.bucket.offline = true;
    expect(await first.write('mine', 0)).toEqual({ ok: false, reason: 'unavailable' });

    const { time, bucket, write } = setUp(['late']);
    const result = write('mine', 0);
    await time.settle();
    bucket.offline = true;
    await time.advance(2_000);
    expect(await result).toEqual({ ok: false, reason: 'unknown' });
  });
});
