import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Origins } from '../../../src/upstream/origins.ts';

const times = { firstDelayMs: 100, maxDelayMs: 1000, probeMs: 5000 };
const picks = (origins: Origins, nowMs: number, count: number): number[] =>
  Array.from({ length: count }, () => origins.pick(nowMs, []));

describe('the URLs of a cluster', () => {
  it('take turns while all are well', () => {
    expect(picks(new Origins(3, times), 0, 6)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('leave out one that could not be reached', () => {
    const origins = new Origins(3, times);
    origins.failed(1, 0);
    expect(picks(origins, 99, 4)).toEqual([0, 2, 0, 2]);
  });

  it('try a failed one with a single request once its time is over', () => {
    const origins = new Origins(2, times);
    origins.failed(1, 0);
    expect(picks(origins, 100, 4)).toEqual([0, 1, 0, 0]);
  });

  it('wait twice as long after each failure, up to a limit', () => {
    const origins = new Origins(2, times);
    for (let failures = 0; failures < 10; failures++) origins.failed(0, 0);
    expect(picks(origins, 999, 2)).toEqual([1, 1]);
    expect(picks(origins, 1000, 1)).toEqual([0]);
  });

  it('are all well again after an answer', () => {
    const origins = new Origins(2, times);
    expect(origins.failed(0, 0)).toBe(true);
    expect(origins.failed(0, 0)).toBe(false);
    expect(origins.worked(0)).toBe(true);
    expect(origins.worked(0)).toBe(false);
    expect(picks(origins, 1, 2)).toEqual([0, 1]);
  });

  it('are tried even when all are out of reach, the one that is due first', () => {
    const origins = new Origins(2, times);
    origins.failed(0, 0);
    origins.failed(0, 0);
    origins.failed(1, 0);
    expect(picks(origins, 1, 2)).toEqual([1, 1]);
  });

  it('leave one out that was silent, as if it could not be reached', () => {
    const origins = new Origins(2, times);
    expect(origins.silent(1, origins.newsOf(1), 0)).toBe(true);
    expect(picks(origins, 99, 2)).toEqual([0, 0]);
    expect(picks(origins, 100, 2)).toEqual([1, 0]);
    expect(origins.silent(1, origins.newsOf(1), 200)).toBe(false);
    expect(picks(origins, 399, 2)).toEqual([0, 0]);
    expect(picks(origins, 400, 2)).toEqual([1, 0]);
  });

  it.each<[string, (origins: Origins) => unknown]>([
    ['it has answered another one since', (origins) => origins.worked(1)],
    ['another one was silent since, which was counted', (origins) => origins.silent(1, origins.newsOf(1), 0)],
    ['it could not be reached since', (origins) => origins.failed(1, 0)],
  ])('do not count it against one that a request heard nothing, when %s', (_, since) => {
    const origins = new Origins(2, times);
    const news = origins.newsOf(1);
    since(origins);
    const before = picks(origins, 99, 4);
    expect(origins.silent(1, news, 99)).toBe(false);
    expect(picks(origins, 99, 4)).toEqual(before);
  });

  it('keep the last that is well, whatever it does not answer', () => {
    const origins = new Origins(2, times);
    origins.failed(0, 0);
    expect(origins.silent(1, origins.newsOf(1), 0)).toBe(false);
    expect(picks(origins, 1, 2)).toEqual([1, 1]);
    const only = new Origins(1, times);
    expect(only.silent(0, only.newsOf(0), 0)).toBe(false);
  });

  it('try one that goes on failing no more often than it may fail', () => {
    const origins = new Origins(2, { ...times, probeMs: 300 });
    for (let failures = 0; failures < 10; failures++) origins.failed(0, 0);
    expect(picks(origins, 1000, 2)).toEqual([0, 1]);
    expect(picks(origins, 1999, 2)).toEqual([1, 1]);
    expect(picks(origins, 2000, 1)).toEqual([0]);
  });

  it('never give one that was tried, and -1 when all were', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.nat(4), fc.nat(3000))),
        fc.array(fc.nat(4)),
        (count, failures, tried) => {
          const origins = new Origins(count, times);
          for (const [index, nowMs] of failures) if (index < count) origins.failed(index, nowMs);
          const index = origins.pick(3000, tried);
          const allTried = Array.from({ length: count }, (_, i) => i).every((i) => tried.includes(i));
          expect(index === -1).toBe(allTried);
          expect(tried.includes(index)).toBe(false);
        },
      ),
    );
  });
});
