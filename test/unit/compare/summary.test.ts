import { describe, expect, it } from 'vitest';
import {
  addLatency,
  type Counted,
  defaultTallyOptions,
  emptySummary,
  Summary,
  sumSummaries,
  Tally,
  totalCounters,
} from '../../../src/compare/summary.ts';
import type { Observation, Severity } from '../../../src/compare/types.ts';
import { judge } from '../../../src/compare/verdict.ts';
import { verdictOptionsFrom } from '../../../src/compare/verdict-options.ts';
import { slotMs } from '../../../src/compare/windows.ts';

const observation = (severity: Severity | 'none'): Observation => ({ severity, differences: [], counts: {} });
const counted = (severity: Severity | 'none', more: Partial<Counted> = {}): Counted => ({
  shape: { fingerprint: 'f1', label: 'search shop' },
  observation: observation(severity),
  authorityMs: 10,
  otherMs: 10,
  atMs: 1000,
  ...more,
});
const quick = { ...defaultTallyOptions, warmupPairs: 2 };

describe('a tally', () => {
  it('counts each comparison once, by its worst severity, for the route and for its shape', () => {
    const tally = new Tally('1');
    for (const severity of ['none', 'S4', 'S4', 'S8'] as const) tally.note(counted(severity));
    const summary = tally.snapshot();
    for (const counters of [totalCounters(summary), summary.shapes['f1']!.counters]) {
      expect(counters.compared).toBe(4);
      expect(counters.bySeverity).toEqual([0, 0, 0, 0, 2, 0, 0, 0, 1, 0]);
    }
    expect(Summary.parse(JSON.parse(JSON.stringify(summary)))).toEqual(summary);
  });

  it('counts which of both comparisons differs, per severity', () => {
    const tally = new Tally('1');
    tally.note(counted('S4', { baseline: observation('none') }));
    tally.note(counted('S4', { baseline: observation('S4') }));
    tally.note(counted('none', { baseline: observation('S5') }));
    tally.note(counted('S4', { baseline: observation('S5') }));
    const total = totalCounters(tally.snapshot());
    expect(total.pairs).toBe(4);
    expect(total.baseline).toEqual([0, 0, 0, 0, 1, 2, 0, 0, 0, 0]);
    expect(total.onlyOther).toEqual([0, 0, 0, 0, 2, 0, 0, 0, 0, 0]);
    expect(total.onlyBaseline).toEqual([0, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
  });

  it('takes a discarded baseline for none', () => {
    const tally = new Tally('1');
    tally.note(counted('S4', { baseline: { ...observation('none'), discard: 'authority_failed' } }));
    expect(totalCounters(tally.snapshot())).toMatchObject({ compared: 1, pairs: 0 });
  });

  it('leaves latencies of a cold start and of failures out', () => {
    const tally = new Tally('1', quick);
    for (const severity of ['none', 'none', 'none', 'S0', 'none'] as const)
      tally.note(counted(severity, { otherMs: 40 }));
    expect(totalCounters(tally.snapshot()).latency).toMatchObject({ pairs: 2, slower: 2 });
  });

  it('does not call jitter of a few milliseconds slow', () => {
    const tally = new Tally('1', { ...quick, warmupPairs: 0 });
    tally.note(counted('none', { authorityMs: 1, otherMs: 4 }));
    tally.note(counted('none', { authorityMs: 100, otherMs: 1500 }));
    expect(totalCounters(tally.snapshot()).latency).toMatchObject({
      pairs: 2,
      slower: 1,
      onlyOtherSlow: 1,
      onlyAuthoritySlow: 0,
    });
  });

  it('joins windows as they grow old, and counts what comes late in the newest', () => {
    const tally = new Tally('1', quick);
    for (const slot of [0, 1, 2, 3, 4, 3]) tally.note(counted('S4', { atMs: slot * slotMs }));
    expect(tally.snapshot().windows.map(({ slot, counters }) => [slot, counters.compared])).toEqual([
      [0, 2],
      [2, 1],
      [3, 1],
      [4, 2],
    ]);
  });

  it('does not take caches for cold again when the share of reads changes', () => {
    const tally = new Tally('1', quick);
    for (let i = 0; i < 3; i++) tally.note(counted('none'));
    tally.restart('2');
    tally.note(counted('none'));
    expect(totalCounters(tally.snapshot()).latency.pairs).toBe(1);
  });

  it('tells a bounded number of shapes apart, over all subjects', () => {
    const tally = new Tally('1', { ...quick, maxShapes: 2 });
    const note = (name: string) => tally.note(counted('S4', { shape: { fingerprint: name, label: name } }));
    for (const name of ['a', 'b', 'c', 'd', 'a']) note(name);
    const compared = () =>
      Object.entries(tally.snapshot().shapes).map(([name, { counters }]) => [name, counters.compared]);
    expect(compared()).toEqual([
      ['a', 2],
      ['b', 1],
      ['other', 2],
    ]);
    tally.restart('2');
    note('d');
    expect(compared()).toEqual([['other', 1]]);
  });

  it('keeps the latencies of each shape in few windows, however long a step is, and loses none', () => {
    const tally = new Tally('1', quick);
    const slots = 1000;
    for (let slot = 0; slot < slots; slot++)
      for (const otherMs of [10, 40]) tally.note(counted('none', { otherMs, atMs: slot * slotMs }));
    const { counters, lately } = tally.snapshot().shapes['f1']!;
    expect(lately.length).toBeLessThanOrEqual(24);
    expect(lately.at(-1)!.slot).toBe(slots - 1);
    expect(lately.map((window) => window.counters).reduce(addLatency)).toEqual(counters.latency);
  });

  it('counts samples that found no place, which are no comparisons', () => {
    const tally = new Tally('1');
    tally.note(counted('none'));
    tally.noteUnasked(1000);
    tally.noteUnasked(1000 + slotMs);
    const { windows, lastAtMs } = tally.snapshot();
    expect(windows.map(({ counters }) => [counters.compared, counters.unasked])).toEqual([
      [1, 1],
      [0, 1],
    ]);
    expect(lastAtMs).toBe(1000);
  });

  it.each([
    [600, 400, 'hold'],
    [600, 20, 'promote'],
  ])('%i equal and %i that say nothing are told apart', (equal, unstable, verdict) => {
    const tally = new Tally('1');
    for (let i = 0; i < equal; i++) tally.note(counted('none', { atMs: 1000 }));
    const { shape } = counted('none');
    for (let i = 0; i < unstable; i++) tally.noteUnstable({ ...shape, fingerprint: `f${i % 100}` }, 1000);
    const summary = tally.snapshot();
    expect(totalCounters(summary)).toMatchObject({ compared: equal, unstable });
    const options = verdictOptionsFrom({ requireBaseline: false, promoteAlpha: 0.2 });
    expect(judge(summary, options, 1000)).toMatchObject({ verdict });
  });

  it('starts again when the subject changes', () => {
    const tally = new Tally('1');
    tally.note(counted('S4'));
    tally.restart('1');
    expect(totalCounters(tally.snapshot()).compared).toBe(1);
    tally.restart('2');
    expect(tally.snapshot()).toEqual(emptySummary('2'));
  });
});

describe('summaries of several members', () => {
  const of = (subject: string, at: number, ...severities: (Severity | 'none')[]) => {
    const tally = new Tally(subject, quick);
    for (const severity of severities) tally.note(counted(severity, { atMs: at }));
    return tally.snapshot();
  };

  it('add up by window and by shape', () => {
    const sum = sumSummaries(
      [of('1', slotMs, 'S4', 'none'), of('1', slotMs + 200, 'S4'), of('1', 2 * slotMs, 'none')],
      '1',
    );
    expect(sum.windows.map(({ slot, counters }) => [slot, counters.compared, counters.bySeverity[4]])).toEqual([
      [1, 3, 2],
      [2, 1, 0],
    ]);
    expect(sum.shapes['f1']!.counters.compared).toBe(4);
    expect(sum.lastAtMs).toBe(2 * slotMs);
  });

  it('of another subject are left out', () => {
    expect(sumSummaries([of('1', 9000, 'S0'), of('2', 1000, 'none')], '2')).toMatchObject({
      subject: '2',
      lastAtMs: 1000,
      windows: [{ slot: 0 }],
    });
  });

  it('of nobody are empty', () => {
    expect(sumSummaries([], '0')).toEqual(emptySummary('0'));
  });
});
