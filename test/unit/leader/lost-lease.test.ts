import { describe, expect, test, vi } from 'vitest';
import { startRouteLeader } from '../../../src/agent/leader/route-leader.ts';
import type { RouteLeaderDeps } from '../../../src/agent/leader/leading.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

const hangs = (): Promise<never> => new Promise(() => undefined);

describe('a leader whose turn hangs', () => {
  test('says that it leads no longer as soon as the lease is gone, so that an alert can tell that nobody does', async () => {
    let isHeld = true;
    let lose = (): void => undefined;
    const runtime = manualRuntime();
    const onStatus = vi.fn();
    startRouteLeader({
      slug: 'products',
      member: 'gateway-0',
      runtime,
      onStatus,
      store: { config: { get: hangs } },
      lease: {
        isHeld: () => isHeld,
        onChange: (listener: (held: boolean) => void) => {
          lose = () => {
            isHeld = false;
            listener(false);
          };
          return () => undefined;
        },
      },
      logger: { warn: () => undefined },
    } as unknown as RouteLeaderDeps);
    await runtime.settle();
    expect(onStatus).not.toHaveBeenCalled();
    lose();
    expect(onStatus).toHaveBeenCalledWith('products', undefined);
  });
});
