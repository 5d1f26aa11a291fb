import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLiveWatchOptions, LiveWatch } from '../../../src/agent/live-watch.ts';
import { createPacer } from '../../../src/agent/pacer.ts';
import type { Runtime } from '../../../src/agent/runtime.ts';

const { windowMs, minAnswers, maxWindows, cut, step, firstShare, leastShare } = defaultLiveWatchOptions;
type Window = { tailMs: number; share: number; answers?: number; slow?: number };

/** Lives through the windows, each with a few answers of `tailMs`, and says after each which share work may take. */
const after = (windows: Window[]): number[] => {
  const watch = new LiveWatch();
  let nowMs = 0;
  watch.share(nowMs);
  return windows.map(({ tailMs, share, answers = 100, slow = 4 }) => {
    for (let i = 0; i < answers; i++) watch.answered(i < slow ? tailMs : 1, nowMs + 1);
    watch.worked(share * windowMs, nowMs + 1);
    nowMs += windowMs;
    return watch.share(nowMs);
  });
};
const quiet = (tailMs: number): Window => ({ tailMs, share: 0 });
const busy = (tailMs: number, slow?: number): Window => ({ tailMs, share: 0.9, ...(slow && { slow }) });

describe('the watch over live traffic', () => {
  it.each<[string, Window[], number[]]>([
    ['begins with a part where there are clients', [quiet(10), quiet(10)], [firstShare, firstShare]],
    [
      'gives more step by step while they are at ease',
      [quiet(10), busy(15), busy(12)],
      [firstShare, firstShare + step, firstShare + 2 * step],
    ],
    [
      'stays where so few are slow that it may be chance',
      [quiet(10), busy(16, 1), busy(100, 1)],
      [firstShare, firstShare, firstShare],
    ],
    [
      'cuts it when they suffer',
      [quiet(10), busy(16), busy(30)],
      [firstShare, firstShare * cut, firstShare * cut * cut],
    ],
    [
      'gives it back step by step',
      [quiet(10), busy(30), busy(11), busy(11)],
      [firstShare, firstShare * cut, firstShare * cut + step, firstShare * cut + 2 * step],
    ],
    ['does not mind a millisecond or two', [quiet(1), busy(3)], [firstShare, firstShare + step]],
    ['blames nobody before it has seen how it is without the work', [busy(10), busy(1000)], [1, 1]],
    ['never blames work that hardly ran', [quiet(10), quiet(1000)], [firstShare, firstShare]],
    [
      'blames nobody for a window with too few answers',
      [quiet(10), { ...busy(1000), answers: minAnswers - 1 }],
      [firstShare, firstShare],
    ],
  ])('%s', (_, windows, expected) => {
    expect(after(windows).map((share) => share.toFixed(6))).toEqual(expected.map((share) => share.toFixed(6)));
  });

  it('never stops the work, however clients suffer', () => {
    const shares = after([quiet(10), ...Array.from({ length: 50 }, () => busy(1000))]);
    expect(Math.min(...shares)).toBe(leastShare);
  });

  it('gives time back when hardly any clients are left', () => {
    const silent = Array.from({ length: maxWindows }, () => ({ ...busy(30), answers: 1 }));
    expect(after([quiet(10), busy(30), ...silent]).at(-1)).toBeCloseTo(firstShare * cut + step);
  });

  it('gives all of it in the end to work that clients do not feel', () => {
    expect(after([quiet(10), ...Array.from({ length: 50 }, () => busy(10))]).at(-1)).toBe(1);
  });

  it('takes a load that stays slow without the work for the new normal', () => {
    const windows = [quiet(10), busy(100), ...Array.from({ length: 30 }, () => quiet(100)), busy(100)];
    expect(after(windows).at(-1)).toBeGreaterThan(firstShare);
  });

  it('blames nobody for pauses that clients knew before', () => {
    const pause = { ...quiet(100), slow: 20 };
    const seen = after([...Array.from({ length: 9 }, () => quiet(1)), pause, busy(100, 20)]);
    expect(seen.at(-1)).toBeCloseTo(firstShare + step);
  });

  it('keeps its share in bounds after any windows, and cuts nothing for work below the quiet share', () => {
    const window = (max: number) =>
      fc.record({ tailMs: fc.integer({ min: 1, max: 10_000 }), share: fc.double({ min: 0, max, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(window(2), { maxLength: 30 }), (windows) =>
        after(windows).every((share) => share >= leastShare && share <= 1),
      ),
    );
    fc.assert(
      fc.property(fc.array(window(0.1), { maxLength: 20 }), (windows) => after(windows).every((s) => s === firstShare)),
    );
  });
});

describe('the pace of a backfill', () => {
  const paced = async (share: number) => {
    let nowMs = 0;
    const worked: number[] = [];
    const runtime: Runtime = {
      now: () => nowMs,
      random: () => 0,
      after: (delayMs, run) => {
        nowMs += delayMs;
        queueMicrotask(run);
        return () => undefined;
      },
    };
    const live = { worked: (ms: number) => void worked.push(ms), share: () => share };
    const pacer = createPacer({ runtime, rate: () => undefined, live });
    for (let page = 0; page < 5; page++) await pacer.wait({ docs: 100, sendMs: 100, retried: false });
    return { worked, state: pacer.state(), restedMs: nowMs };
  };

  it('slows down while clients suffer, and tells how long it worked', async () => {
    const { worked, state, restedMs } = await paced(0.5);
    expect([worked, state, restedMs]).toEqual([[100, 100, 100, 100, 100], 'throttled', 500]);
  });

  it('rests for nobody when no client suffers', async () => {
    expect(await paced(1)).toMatchObject({ state: 'running', restedMs: 0 });
  });
});
