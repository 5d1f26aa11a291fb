import { describe, expect, it } from 'vitest';
import { createJobStore, newWork } from '../../../src/agent/leader/job-state.ts';
import { RouteWork, type RouteWorkDeps } from '../../../src/agent/leader/route-work.ts';
import { beginTail } from '../../../src/agent/tail.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { engine } from '../agent/engine.ts';
import { controls, noTransforms } from '../agent/route.ts';

describe('the work of a route that leaves dual or target', () => {
  it('ends its sweep and what it noticed of the copies, and keeps the rest', async () => {
    let stopped = 0;
    const sweeper = { stop: async () => void stopped++ };
    const work = new RouteWork({
      store: new MemoryStore(),
      runtime: manualRuntime(),
      sweeper,
    } as unknown as RouteWorkDeps);
    for (const name of [
      'tail',
      'counts',
      'follower',
      'foreign',
      'mappings',
      'pipelines',
      'namesakes',
      'backfill',
      'turn',
      'aliases',
    ])
      work.setAlarm(name, name);
    await work.leave();
    expect(work.alarms()).toEqual(['turn', 'aliases']);
    expect(stopped).toBe(1);
  });
});

describe('the lag of the tail', () => {
  const begin = async () => {
    const { io, direction, pair, state } = engine();
    const runtime = manualRuntime();
    const store = new MemoryStore();
    const begun = await beginTail('start', io);
    if (begun.kind !== 'ok') throw new Error(begun.detail);
    const job = createJobStore(store.config, 'products');
    const at = { reign: 1, authority: 'source', epoch: 1 } as const;
    await job.save({ work: { ...newWork(at), backfill: 'done', tail: begun.state } });
    const sweeper = { stop: async () => undefined, progress: () => ({}) };
    const work = new RouteWork({
      slug: 'products',
      store,
      clusters: controls(pair),
      runtime,
      transforms: noTransforms,
      job,
      sweeper,
    } as unknown as RouteWorkDeps);
    return { work, runtime, pair, run: () => work.tailTo(direction, state, 1_000), tail: () => work.facts().tail };
  };

  it('grows while the tail does not run, as nobody knows what it has missed', async () => {
    const { runtime, run, tail } = await begin();
    expect(await run()).toBe(true);
    expect(tail()).toMatchObject({ state: 'running', lagSeconds: 0 });
    await runtime.advance(60_000);
    expect(tail().lagSeconds).toBe(60);
    await run();
    expect(tail().lagSeconds).toBe(0);
  });

  it('does not grow by what else a turn does in some seconds', async () => {
    const { runtime, run, tail } = await begin();
    await run();
    await runtime.advance(9_000);
    expect(tail().lagSeconds).toBe(0);
  });

  it('is not known before a first step, and begins anew with each stay', async () => {
    const { work, runtime, run, tail } = await begin();
    await runtime.advance(60_000);
    expect(tail()).toMatchObject({ state: 'none', lagSeconds: 60 });
    await run();
    await runtime.advance(60_000);
    await work.leave();
    expect(tail()).toMatchObject({ state: 'none', lagSeconds: 0 });
  });

  it('of a stay whose first step does not catch up is that of this stay, however long ago the last one ended', async () => {
    const { work, runtime, run, tail, pair } = await begin();
    await run();
    await work.leave();
    await runtime.advance(7_200_000);
    await work.leave();
    pair.target.storage.indices.get('p2')!.blocked = true;
    pair.source.storage.write({ op: 'index', index: 'p1', id: '1', source: '{}' });
    const running = run();
    await runtime.advance(2_000);
    await running;
    expect(tail().lagSeconds).toBeLessThan(60);
  });
});
