import { describe, expect, it } from 'vitest';
import { Interruption, sparedMs } from '../../../src/agent/leader/interruption.ts';
import { sleep } from '../../../src/agent/runtime.ts';
import { manualRuntime } from '../../support/manual-runtime.ts';

/** A step that takes so long unless it is cut short. */
const stepOf = (ms: number) => {
  const runtime = manualRuntime();
  const interruption = new Interruption(runtime);
  let finished = 0;
  let running = Promise.resolve();
  const begin = (before = (): void => undefined) => {
    interruption.begin();
    before();
    running = interruption.step(async (signal) => {
      await sleep(runtime, ms, signal);
      if (!signal.aborted) finished++;
    });
  };
  return { runtime, interruption, begin, finished: () => finished, ended: () => running };
};

describe('a step of the leader that somebody interrupts', () => {
  it('is cut short at once by the first one, which need not wait for it', async () => {
    const { interruption, begin, finished, ended } = stepOf(1_000);
    begin();
    interruption.want();
    await ended();
    expect({ finished: finished(), gaveWay: interruption.gaveWay }).toEqual({ finished: 0, gaveWay: true });
  });

  it('gets done in spite of one request after the other', async () => {
    const { runtime, interruption, begin, finished, ended } = stepOf(1_500);
    for (let requests = 1; requests <= 4; requests++) {
      begin();
      interruption.want();
      await runtime.advance(8_000);
      await ended();
    }
    expect({ finished: finished(), gaveWay: interruption.gaveWay }).toEqual({ finished: 1, gaveWay: false });
  });

  it('is spared though somebody wanted the loop before it began', async () => {
    const { runtime, interruption, begin, finished, ended } = stepOf(400);
    begin();
    interruption.want();
    await ended();
    begin(() => interruption.want());
    await runtime.advance(400);
    await ended();
    expect(finished()).toBe(1);
  });

  it('is not spared any more once one has run whole', async () => {
    const { runtime, interruption, begin, finished, ended } = stepOf(400);
    begin();
    interruption.want();
    await ended();
    begin();
    await runtime.advance(400);
    await ended();
    begin();
    interruption.want();
    await ended();
    expect(finished()).toBe(1);
  });

  it('is spared nothing when the lead ends, also when it has not begun yet', async () => {
    const { interruption, begin, finished, ended } = stepOf(400);
    begin();
    interruption.want();
    await ended();
    begin();
    interruption.end();
    await ended();
    begin(() => interruption.end());
    await ended();
    expect(finished()).toBe(0);
  });

  it('is spared for eight seconds at most', () => {
    expect([0, 1, 2, 3, 10].map(sparedMs)).toEqual([0, 500, 1_000, 2_000, 8_000]);
  });
});
