import { describe, expect, it } from 'vitest';
import { RouteWork, type RouteWorkDeps } from '../../../src/agent/leader/route-work.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

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
