import { expect, it } from 'vitest';
import { runLanes } from '../../../src/agent/lanes.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

/** Turns that take two seconds, of a backfill whose concurrency is changed. */
const setUp = () => {
  const runtime = manualRuntime();
  const stop = new AbortController();
  const now = { wanted: 1, busy: 0 };
  const turn = async (): Promise<void> => {
    now.busy++;
    await new Promise<void>((resolve) => runtime.after(2_000, resolve));
    now.busy--;
  };
  const ended = runLanes({ wanted: () => now.wanted, turn, runtime, signal: stop.signal });
  const busyAt = async (wanted: number): Promise<number> => {
    now.wanted = wanted;
    await runtime.advance(5_500);
    return now.busy;
  };
  return { runtime, stop, now, ended, busyAt };
};

it('as many lanes work as are wanted, also when that changes while they work', async () => {
  const { busyAt } = setUp();
  const seen: number[] = [];
  for (const wanted of [1, 4, 2, 3]) seen.push(await busyAt(wanted));
  expect(seen).toEqual([1, 4, 2, 3]);
});

it('lanes end once every turn has ended, and leave nothing behind', async () => {
  const { runtime, stop, now, ended, busyAt } = setUp();
  await busyAt(3);
  now.wanted = 2;
  stop.abort();
  await runtime.advance(2_000);
  await ended;
  expect([now.busy, runtime.pending()]).toEqual([0, 0]);
});
