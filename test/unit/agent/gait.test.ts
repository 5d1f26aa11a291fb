import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gaitAt } from '../../../src/agent/gait.ts';
import { createSlots } from '../../../src/agent/slots.ts';

const kib = 1024;
const large = 4 * kib * kib;

describe('the gait of a backfill', () => {
  it.each([
    ['all of it, when nothing holds it back', 1, 2, { steps: Number.POSITIVE_INFINITY, duty: 1, pageBytes: large }],
    [
      'one small step at a time, without a rest, from half of two on',
      0.5,
      2,
      { steps: 1, duty: 1, pageBytes: 512 * kib },
    ],
    ['no second step before all of it is given', 0.97, 2, { steps: 1, duty: 1, pageBytes: 512 * kib }],
    ['rests, below one step at a time', 0.25, 2, { steps: 1, duty: 0.5, pageBytes: 512 * kib }],
    ['rests at once where there is but one lane', 0.5, 1, { steps: 1, duty: 0.5, pageBytes: 512 * kib }],
    ['half as many steps as there are lanes', 0.5, 8, { steps: 4, duty: 1, pageBytes: 512 * kib }],
  ])('%s', (_, share, concurrency, expected) => {
    expect(gaitAt(share, { concurrency, pageBytes: large })).toEqual(expected);
  });

  it('makes no page larger than it was configured', () => {
    expect(gaitAt(0.5, { concurrency: 2, pageBytes: 64 * kib }).pageBytes).toBe(64 * kib);
  });

  it('never stops, and never takes more than its share but for the last step', () => {
    const share = fc.double({ min: 0.02, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(share, fc.integer({ min: 1, max: 64 }), (given, concurrency) => {
        const { steps, duty } = gaitAt(given, { concurrency, pageBytes: large });
        return steps >= 1 && duty > 0 && duty <= 1 && steps * duty <= given * concurrency + 1e-9;
      }),
    );
  });
});

describe('slots', () => {
  /** Works that end when they are told to. */
  const works = (limit: () => number, count: number) => {
    const inSlot = createSlots(limit);
    const began: number[] = [];
    const ends: ((failure?: Error) => void)[] = [];
    const results = Array.from({ length: count }, (_, n) =>
      inSlot(
        () =>
          new Promise<void>((resolve, reject) => {
            began.push(n);
            ends[n] = (failure) => (failure === undefined ? resolve() : reject(failure));
          }),
      ).catch(() => undefined),
    );
    const end = async (n: number, failure?: Error): Promise<void> => {
      ends[n]?.(failure);
      await results[n];
      await Promise.resolve();
    };
    return { began, end };
  };

  it('come one after the other, in order, also after one that failed', async () => {
    const { began, end } = works(() => 1, 3);
    await Promise.resolve();
    expect(began).toEqual([0]);
    await end(0, new Error('no'));
    expect(began).toEqual([0, 1]);
    await end(1);
    expect(began).toEqual([0, 1, 2]);
  });

  it('become more or fewer when one ends and the limit has changed', async () => {
    let limit = 2;
    const { began, end } = works(() => limit, 5);
    await Promise.resolve();
    expect(began).toEqual([0, 1]);
    limit = 1;
    await end(0);
    expect(began).toEqual([0, 1]);
    limit = 3;
    await end(1);
    expect(began).toEqual([0, 1, 2, 3, 4]);
  });
});
