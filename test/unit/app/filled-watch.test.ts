import { describe, expect, it } from 'vitest';
import { watchFilled } from '../../../src/app/filled-watch.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { RouteState, RouteStates } from '../../../src/coordination/ports.ts';
import type { Hold, Phase } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';

const hold: Hold = { to: 'target', rehearsal: true, budgetMs: 1000, graceMs: 1000 };
const inPhase = (phase: Phase, phaseRevision: number, held?: Hold): RouteState => {
  const state = routeState({ phase });
  return { ...state, phaseRevision, phase: { ...state.phase, ...(held === undefined ? {} : { hold: held }) } };
};

const setUp = (first: RouteState) => {
  const bucket = new MemoryBucket();
  const store = { isAway: false };
  let state = first;
  let tell: (states: RouteStates) => void = () => undefined;
  const states = () => new Map([[state.slug, state]]);
  const runtime = manualRuntime();
  const get = (key: string) =>
    store.isAway ? Promise.reject(new CrossfadeError('STORE_UNAVAILABLE')) : bucket.get(key);
  const watch = watchFilled({
    bucket: { get },
    states,
    onStates: (listener) => {
      tell = listener;
      return () => undefined;
    },
    runtime,
  });
  const look = () => runtime.advance(2_000);
  return {
    store,
    look,
    says: (backfill: string) => bucket.put(keys.job(first.slug, 'state'), backfill),
    isFilled: () => watch.isFilled(first.slug),
    mayServe: () => watch.mayServe(state),
    /** The answer to what is asked for at once comes without time passing. */
    moveTo: async (next: RouteState) => {
      state = next;
      tell(states());
      const before = watch.mayServe(next);
      await runtime.advance(0);
      return [before, watch.mayServe(next)];
    },
  };
};
const work = (backfill: string, coveredEvents = 0) => JSON.stringify({ work: { backfill, sweep: { coveredEvents } } });

describe('whether the follower is filled', () => {
  it('follows the record of the leader, and is no until it is known', async () => {
    const { look, says, isFilled, mayServe } = setUp(inPhase('dual', 2));
    const seen = [[isFilled(), mayServe()]];
    for (const text of [work('running'), work('done', -1), work('done'), '{"work":', work('done'), work('none')]) {
      await says(text);
      await look();
      seen.push([isFilled(), mayServe()]);
    }
    expect(seen).toEqual([false, false, false, true, false, true, false].map((is) => [is, is]));
  });

  it('is not asked where no backfill runs', async () => {
    const { look, says, isFilled } = setUp(inPhase('target', 2));
    await says(work('done'));
    await look();
    expect(isFilled()).toBe(false);
  });
});

describe('whether the follower may answer clients', () => {
  it('is asked again for each phase record, so that an earlier stay in dual never counts', async () => {
    const { look, says, mayServe, moveTo } = setUp(inPhase('dual', 2));
    await says(work('done'));
    await look();
    expect(mayServe()).toBe(true);
    await says(work('none'));
    expect(await moveTo(inPhase('dual', 4))).toEqual([false, false]);
    await says(work('done'));
    await look();
    expect(mayServe()).toBe(true);
  });

  it('is yes in a switch, which begins from a complete backfill only, and known at once after it', async () => {
    const { says, moveTo } = setUp(inPhase('dual', 2));
    await says(work('done'));
    expect(await moveTo(inPhase('dual', 3, hold))).toEqual([true, true]);
    expect(await moveTo(inPhase('dual', 4))).toEqual([false, true]);
  });

  it('is yes in target, where the follower had the authority', () => {
    expect(setUp(inPhase('target', 2)).mayServe()).toBe(true);
  });

  it('is no while the store has been away since the start, and stays yes when it goes away later', async () => {
    const { store, look, says, mayServe } = setUp(inPhase('dual', 2));
    await says(work('done'));
    store.isAway = true;
    await look();
    const seen = [mayServe()];
    for (const isAway of [false, true]) {
      store.isAway = isAway;
      await look();
      seen.push(mayServe());
    }
    expect(seen).toEqual([false, true, true]);
  });
});
