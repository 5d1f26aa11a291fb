import { describe, expect, it } from 'vitest';
import { refreshFollowersFirst } from '../../../src/app/follower-refresh.ts';
import type { RouteState, RouteStates } from '../../../src/coordination/ports.ts';
import { createFailedRefreshes } from '../../../src/proxy/failed-refreshes.ts';
import { type RouteOptions, routeState } from '../../support/routes.ts';

const setUp = () => {
  const calls: string[] = [];
  let tell: (states: RouteStates) => void = () => undefined;
  const drained: (() => void)[] = [];
  const cluster = { refuses: false };
  const refreshes = refreshFollowersFirst({
    onStates: (listener) => {
      tell = listener;
    },
    copies: {
      settled: (slug, timeoutMs) => {
        calls.push(`settled ${slug} ${timeoutMs}`);
        return new Promise((resolve) => {
          drained.push(() => resolve(true));
        });
      },
    },
    refresh: (side, index) => {
      calls.push(`refresh ${side} ${index}`);
      return cluster.refuses ? Promise.reject(new Error('refused')) : Promise.resolve();
    },
    refreshes: createFailedRefreshes(() => 0),
  });
  const state: RouteState = routeState();
  return {
    calls,
    cluster,
    refreshes,
    index: { state, ordinal: 0 },
    become: (options: RouteOptions) => tell(new Map([[state.slug, routeState(options)]])),
    copiesArrive: async () => {
      drained.shift()?.();
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    },
  };
};

describe('searches when the follower begins to serve reads', () => {
  it('find what was written and refreshed before: they wait for copies and a refresh of the follower', async () => {
    const { calls, refreshes, index, become, copiesArrive } = setUp();
    become({ percent: { read: 0 } });
    expect([refreshes.has([index]), calls]).toEqual([false, []]);
    become({ percent: { read: 5 } });
    expect([refreshes.has([index]), calls]).toEqual([true, ['settled products 2000']]);
    await copiesArrive();
    expect([refreshes.has([index]), calls[1]]).toEqual([false, 'refresh target products_v2']);
    become({ percent: { read: 50 } });
    expect(calls).toHaveLength(2);
  });

  it('stay with the authority when that refresh fails, until one is carried out', async () => {
    const { cluster, refreshes, index, become, copiesArrive } = setUp();
    cluster.refuses = true;
    become({ phase: 'target', percent: { read: 0 } });
    become({ phase: 'target', percent: { read: 5 } });
    await copiesArrive();
    expect(refreshes.has([index])).toBe(true);
    refreshes.begin([index])(true);
    expect(refreshes.has([index])).toBe(false);
  });

  it('keep a refresh in mind that a client asked for meanwhile and that failed', async () => {
    const { refreshes, index, become, copiesArrive } = setUp();
    become({ percent: { read: 0 } });
    become({ percent: { read: 5 } });
    refreshes.begin([index])(false);
    await copiesArrive();
    expect(refreshes.has([index])).toBe(true);
  });

  it('wait for the last beginning when reads were home in between', async () => {
    const { refreshes, index, become, copiesArrive } = setUp();
    become({ percent: { read: 5 }, stop: true });
    become({ percent: { read: 5 } });
    become({ percent: { read: 5 }, stop: true });
    become({ percent: { read: 5 } });
    await copiesArrive();
    expect(refreshes.has([index])).toBe(true);
    await copiesArrive();
    expect(refreshes.has([index])).toBe(false);
  });

  it('go on at once in a process that starts while the follower serves reads already', () => {
    const { calls, refreshes, index, become } = setUp();
    become({ percent: { read: 5 } });
    expect([refreshes.has([index]), calls]).toEqual([false, []]);
  });
});
