import { describe, expect, it } from 'vitest';
import { watchFilled } from '../../../src/app/filled-watch.ts';
import { keys } from '../../../src/coordination/keys.ts';
import type { Phase } from '../../../src/coordination/records.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';
import { MemoryBucket } from '../../support/memory-store.ts';
import { routeState } from '../../support/routes.ts';

const setUp = (phase: Phase) => {
  const bucket = new MemoryBucket();
  const state = routeState({ phase });
  const runtime = manualRuntime();
  const watch = watchFilled({
    bucket: { get: (key) => bucket.get(key) },
    states: () => new Map([[state.slug, state]]),
    runtime,
  });
  const look = () => runtime.advance(2_000);
  const says = (text: string) => bucket.put(keys.job(state.slug, 'state'), text);
  return { watch, look, says, isFilled: () => watch.isFilled(state.slug) };
};
const work = (backfill: string) => JSON.stringify({ work: { backfill } });

describe('whether the backfill is complete', () => {
  it('follows the record of the leader, and is no until it is known', async () => {
    const { look, says, isFilled } = setUp('dual');
    const seen = [isFilled()];
    for (const text of [work('running'), work('done'), '{"work":', work('done'), work('none')]) {
      await says(text);
      await look();
      seen.push(isFilled());
    }
    expect(seen).toEqual([false, false, true, false, true, false]);
  });

  it('is not asked where no backfill runs', async () => {
    const { look, says, isFilled } = setUp('target');
    await says(work('done'));
    await look();
    expect(isFilled()).toBe(false);
  });
});
