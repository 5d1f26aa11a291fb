import { describe, expect, it } from 'vitest';
import { createJobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { RouteWork, type RouteWorkDeps } from '../../../src/agent/leader/route-work.ts';
import { type QuarantineRecord, emptyQuarantine } from '../../../src/agent/quarantine.ts';
import { isDue, movedBackTail } from '../../../src/agent/quarantine-overflow.ts';
import { saveQuarantine } from '../../../src/agent/quarantine-store.ts';
import { beginTail } from '../../../src/agent/tail.ts';
import { heardFrom } from '../../support/heartbeats.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { engine } from '../agent/engine.ts';

const listLength = 1_000;

/** A leader's work in `target` after a follower began to refuse documents; each step may try refused ones again. */
const inTarget = async () => {
  const made = engine({ phase: 'target', epoch: 4, reign: 2 }, { backfill: { maxPageDocs: 500 } });
  const { io, state, pair } = made;
  const store = new MemoryStore();
  const job = createJobStore(store.config, state.slug);
  made.put('before', { n: 1 });
  const begun = await beginTail('checkpoint', io);
  if (begun.kind !== 'ok') throw new Error(begun.detail);
  const at = { reign: 2, authority: 'target' as const, epoch: 4 };
  await job.save({
    work: { ...newWork(at), backfill: 'done', tail: begun.state, sweep: { coveredEvents: 0, removed: 0 } },
  });
  const runtime = manualRuntime();
  const work = new RouteWork({
    slug: state.slug,
    store,
    clusters: io.clusters,
    runtime: { ...runtime, after: io.runtime.after },
    transforms: { towards: async () => undefined, drops: async () => [] },
    job,
    sweeper: { start: () => undefined, stop: async () => undefined },
    members: () => heardFrom({}),
    clock: () => '',
  } as unknown as RouteWorkDeps);
  const step = async (): Promise<void> => {
    await runtime.advance(20_000);
    await work.step(state, { paused: false, pendingCopies: 0, signal: new AbortController().signal });
  };
  const refused = () => work.quarantines().reduce((sum, { docs, overflowed }) => sum + docs.length + overflowed, 0);
  return { ...made, pair, store, work, step, refused };
};

describe('more refused documents than a list holds', () => {
  it('bar a rollback only until what made the follower refuse them is mended', async () => {
    const { put, pair, step, refused, contents } = await inTarget();
    pair.source.storage.refusal = () => 'no number';
    for (let i = 0; i < listLength + 20; i++) put(`d${i}`, { i });
    await step();
    expect(refused()).toBe(listLength + 20);
    pair.source.storage.refusal = () => undefined;
    for (let turns = 0; turns < 3; turns++) await step();
    expect(refused()).toBe(0);
    // What the tail had passed before that is not read again.
    expect(Object.keys(contents('source'))).toHaveLength(listLength + 20);
    expect(contents('source')['before']).toBeUndefined();
  });

  it('of a chunk of the backfill are met again too', async () => {
    const { store, step, refused, contents } = await inTarget();
    for (const shard of [0, 1, 2])
      await saveQuarantine(
        store.config,
        { slug: 'products', owner: `chunk-0-${shard}-0` },
        { ...emptyQuarantine, overflowed: 1 },
      );
    await step();
    expect(refused()).toBe(3);
    await step();
    expect(refused()).toBe(0);
    expect(contents('source')['before']).toBeDefined();
  });
});

describe('where the tail goes back to', () => {
  const position = { uuid: 'u', histories: ['', ''] };
  const tail = {
    schema: 1 as const,
    authority: 'target' as const,
    reign: 2,
    indices: [
      { ...position, cursors: [50, 60] },
      { ...position, cursors: [70, 80] },
    ],
  };
  const counting = (over: Partial<QuarantineRecord> = {}) => ({ ...emptyQuarantine, overflowed: 1, ...over });
  const doc = { ordinal: 0, id: 'a', stamp: '1', reason: 'no' };

  it.each<[string, Record<string, QuarantineRecord>, number[][]]>([
    [
      'for the tail, where it stood',
      {
        tail: counting({
          from: [
            [40, 90],
            [10, 80],
          ],
        }),
      },
      [
        [40, 60],
        [10, 80],
      ],
    ],
    [
      'the beginning, where nobody knows',
      { tail: counting() },
      [
        [-1, -1],
        [-1, -1],
      ],
    ],
    [
      'the chunk that counted',
      { 'chunk-1-0-31': counting() },
      [
        [50, 60],
        [30, 80],
      ],
    ],
    [
      'the beginning for an owner that is unknown',
      { other: counting() },
      [
        [-1, -1],
        [-1, -1],
      ],
    ],
    [
      'the lowest of all',
      {
        'chunk-1-0-0': counting(),
        tail: counting({
          from: [
            [9, 60],
            [70, 80],
          ],
        }),
      },
      [
        [9, 60],
        [-1, 80],
      ],
    ],
    [
      'nowhere for a list that counts nothing',
      { 'chunk-1-0-0': emptyQuarantine },
      [
        [50, 60],
        [70, 80],
      ],
    ],
  ])('is %s', (_title, lists, cursors) => {
    expect(movedBackTail(tail, new Map(Object.entries(lists))).indices.map((one) => one.cursors)).toEqual(cursors);
  });

  it.each<[string, QuarantineRecord[], boolean]>([
    ['not gone to while one is still listed', [counting({ docs: [doc] })], false],
    ['not gone to while one is still listed elsewhere', [counting(), { ...emptyQuarantine, docs: [doc] }], false],
    ['not gone to where none was counted', [emptyQuarantine], false],
    ['gone to when only counted ones are left', [emptyQuarantine, counting()], true],
  ])('is %s', (_title, lists, due) => {
    expect(isDue(new Map(lists.map((list, i) => [String(i), list])))).toBe(due);
  });
});
