/** The two waits of a start: for the routes, and for being heard. */
import { beforeEach, describe, expect, it } from 'vitest';
import { join } from '../../../src/app/join.ts';
import { learnRoutes, storeWaitMs } from '../../../src/app/learn-routes.ts';
import type { AliasAnswers } from '../../../src/coordination/authority-from-aliases.ts';
import { pause } from '../../../src/coordination/timers.ts';
import type { StoreStatus } from '../../../src/coordination/ports.ts';
import type { Knowledge } from '../../../src/coordination/route-watcher.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import type { Transport } from '../../../src/upstream/types.ts';
import { ManualTime } from '../coordination/manual-time.ts';

let time: ManualTime;
beforeEach(() => {
  time = new ManualTime();
});

/** Clusters that answer, and a store that becomes fit when it is told to. */
const setUp = (knowledge: Knowledge) => {
  const status: StoreStatus = {
    connected: false,
    kind: 'nats',
    detail: '',
    incarnation: undefined,
    alarm: undefined,
  };
  const known = { knowledge };
  const log: string[] = [];
  const reach = async (what: string): Promise<void> => {
    if (!status.connected) throw new CrossfadeError('STORE_UNAVAILABLE');
    log.push(what);
  };
  const transport: Transport = {
    request: async () => ({ status: 200, headers: {}, body: Buffer.from('{}') }),
  } as Partial<Transport> as Transport;
  const offered: AliasAnswers[] = [];
  const deps = {
    store: { status: () => status },
    watcher: {
      status: () => ({
        ...known,
        stale: false,
        staleMs: 0,
        incarnation: '',
        cacheAgeMs: undefined,
        alarm: undefined,
        errors: [],
        withoutSpec: [],
      }),
      refresh: () => reach('reads the phases').then(() => void (known.knowledge = 'live')),
    },
    view: { learnFromAliases: (answers: AliasAnswers) => void offered.push(answers) },
    transports: { source: transport, target: transport },
    sameCluster: false,
    members: { join: () => reach('is heard') },
    isConnected: () => status.connected,
    mayWait: true,
    pause: (ms: number) => pause(time.timers, ms),
    logger: silentLogger(),
  };
  return { deps, status, log, known, offered };
};

/** What a promise has come to so far. */
const watch = <T>(promise: Promise<T>) => {
  const seen: { value?: T } = {};
  void promise.then((value) => (seen.value = value));
  return seen;
};

describe('a process that joins', () => {
  it('is heard first and reads the phases then', async () => {
    const { deps, status, log } = setUp('cached');
    status.connected = true;
    expect(await join(deps)).toBe(true);
    expect(log).toEqual(['is heard', 'reads the phases']);
  });

  it('waits for a store that is fit a little later', async () => {
    const { deps, status } = setUp('cached');
    const joined = watch(join(deps));
    await time.advance(200);
    expect(joined).toEqual({});
    status.connected = true;
    await time.advance(100);
    expect(joined).toEqual({ value: true });
  });

  it('gives up on a store that does not come in time', async () => {
    const { deps } = setUp('cached');
    const joined = watch(join(deps));
    await time.advance(storeWaitMs - 1);
    expect(joined).toEqual({});
    await time.advance(1);
    expect(joined).toEqual({ value: false });
  });

  it('gives up on one that does not answer', async () => {
    const { deps } = setUp('cached');
    const joined = watch(join({ ...deps, members: { join: () => new Promise(() => undefined) } }));
    await time.advance(storeWaitMs);
    expect(joined).toEqual({ value: false });
  });

  it('has not joined when it was heard and could not read the phases', async () => {
    const { deps, status } = setUp('cached');
    status.connected = true;
    const refresh = () => Promise.reject(new CrossfadeError('STORE_UNAVAILABLE'));
    const joined = watch(join({ ...deps, watcher: { refresh } }));
    await time.advance(storeWaitMs);
    expect(joined).toEqual({ value: false });
  });

  it('does not wait once more for a store that was waited for', async () => {
    const { deps } = setUp('unknown');
    expect(await join({ ...deps, mayWait: false })).toBe(false);
  });
});

describe('a process that learns its routes', () => {
  it('waits for nothing where its cached state tells them', async () => {
    const { deps, offered } = setUp('cached');
    await learnRoutes(deps);
    expect(offered).toEqual([]);
  });

  it('takes them from a store that is fit a little later', async () => {
    const { deps, status, known, offered } = setUp('unknown');
    const learned = watch(learnRoutes(deps).then(() => true));
    await time.advance(200);
    expect(learned).toEqual({});
    status.connected = true;
    await time.advance(100);
    expect(learned).toEqual({ value: true });
    expect([known.knowledge, offered]).toEqual(['live', []]);
  });

  it.each([
    ['that does not answer', false, storeWaitMs],
    ['that is being looked at', true, 10_000],
  ])('asks the clusters when a store %s was waited for, and again until it has answered', async (_, looked, waitMs) => {
    const { deps, status, known, offered } = setUp('unknown');
    status.beingLookedAt = looked;
    const learned = watch(learnRoutes(deps).then(() => true));
    await time.advance(waitMs - 1);
    expect([learned, offered]).toEqual([{}, []]);
    await time.advance(1);
    expect([learned, offered.length]).toEqual([{ value: true }, 1]);
    await time.advance(2_000);
    expect(offered).toHaveLength(2);
    known.knowledge = 'live';
    await time.advance(10_000);
    expect([offered.length, time.pending]).toEqual([3, 0]);
  });
});
