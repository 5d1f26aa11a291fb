import { expect, it } from 'vitest';
import { createRefresher } from '../../../src/proxy/shadow/refresher.ts';
import type { UpstreamRequest } from '../../../src/upstream/types.ts';
import { routeState } from '../../support/routes.ts';

const start = () => {
  const asked: string[] = [];
  const timers: { atMs: number; run: () => void }[] = [];
  const clock = { nowMs: 0 };
  const transport = (side: string) => ({
    request: async ({ path }: UpstreamRequest) => {
      asked.push(`${side} ${path}`);
      if (side === 'target') throw new Error('unreachable');
      return { status: 200, headers: {}, body: Buffer.alloc(0) };
    },
  });
  const refresh = createRefresher({
    transports: { source: transport('source'), target: transport('target') },
    now: () => clock.nowMs,
    timers: {
      set: (run, delayMs) => {
        timers.push({ atMs: clock.nowMs + delayMs, run });
        return () => undefined;
      },
    },
    stopping: new AbortController().signal,
    intervalMs: 1000,
  });
  const advance = (ms: number) => {
    clock.nowMs += ms;
    for (const timer of timers.splice(0)) timer.run();
  };
  return { asked, refresh, advance, timers };
};

it('both sides are refreshed under their own names, and a side that fails is no failure', async () => {
  const { asked, refresh } = start();
  await refresh(routeState());
  expect(asked).toEqual(['source /products_v1/_refresh', 'target /products_v2/_refresh']);
});

it('samples that come together share one refresh; the next one waits for its turn', async () => {
  const { asked, refresh, advance, timers } = start();
  await Promise.all([refresh(routeState()), refresh(routeState())]);
  expect(asked).toHaveLength(2);
  const later = [refresh(routeState()), refresh(routeState()), refresh(routeState())];
  expect(timers.map(({ atMs }) => atMs)).toEqual([1000]);
  advance(1000);
  await Promise.all(later);
  expect(asked).toHaveLength(4);
});

it('routes do not wait for each other', async () => {
  const { asked, refresh } = start();
  await Promise.all([refresh(routeState()), refresh(routeState({ slug: 'other' }))]);
  expect(asked).toHaveLength(4);
});
