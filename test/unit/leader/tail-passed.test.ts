import { describe, expect, it } from 'vitest';
import type { IndexShards } from '../../../src/agent/control-answers.ts';
import { directionOf } from '../../../src/agent/direction.ts';
import { emptyJob, newWork } from '../../../src/agent/leader/job-state.ts';
import { createTailPassed, hasPassed } from '../../../src/agent/leader/tail-passed.ts';
import { beginTail, tailStep } from '../../../src/agent/tail.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { engine } from '../agent/engine.ts';

const goal = {
  uuid: 'u',
  shards: [
    { shard: 0, maxSeqNo: 5 },
    { shard: 1, maxSeqNo: -1 },
  ],
} as unknown as IndexShards;
const work = (cursors: number[], over: { reign?: number; uuid?: string } = {}) => ({
  ...newWork({ reign: 1, authority: 'source', epoch: 1 }),
  tail: {
    schema: 1 as const,
    authority: 'source' as const,
    reign: over.reign ?? 1,
    indices: [{ uuid: over.uuid ?? 'u', cursors, histories: ['', ''] }],
  },
});

describe('the tail', () => {
  it.each([
    ['has passed at the goal', [goal], work([5, -1]), true],
    ['has passed beyond it', [goal], work([7, 3]), true],
    ['has not while one shard is behind', [goal], work([4, -1]), false],
    ['has not in another reign', [goal], work([9, 9], { reign: 2 }), false],
    ['has not on another index', [goal], work([9, 9], { uuid: 'v' }), false],
    ['has not on an index that is gone', [undefined], work([9, 9]), false],
    ['has not before it began', [goal], newWork({ reign: 1, authority: 'source', epoch: 1 }), false],
    ['has not when nobody wrote it down', [goal], undefined, false],
  ])('%s', (_title, goals, done, expected) => {
    expect(hasPassed(goals, done, { reign: 1 })).toBe(expected);
  });

  it('is waited for until the leader has written that it came so far, or nobody waits any more', async () => {
    const made = engine();
    const bucket = new MemoryBucket();
    const { clusters, runtime } = made.io;
    const passed = createTailPassed({ clusters, runtime, bucket });
    const begun = await beginTail('start', made.io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const save = (tail: typeof begun.state) =>
      bucket.put(
        keys.job(made.state.slug, 'state'),
        JSON.stringify({ ...emptyJob, work: { ...newWork(directionOf(made.state)), tail } }),
      );
    made.put('a', { n: 1 });
    await save(begun.state);
    let done = false;
    const waiting = passed(made.state, new AbortController().signal).then(() => void (done = true));
    const turns = async () => {
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    };
    await turns();
    expect(done).toBe(false);
    await bucket.put(keys.job(made.state.slug, 'state'), 'no record at all');
    await turns();
    expect(done).toBe(false);
    await save((await tailStep(begun.state, made.io)).state);
    await waiting;
    made.put('b', { n: 2 });
    await passed(made.state, AbortSignal.abort());
  });
});
