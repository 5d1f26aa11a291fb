import { describe, expect, it } from 'vitest';
import { judgeLatency } from '../../../src/compare/latency.ts';
import { emptyCounters, type LatencyCounters, Tally } from '../../../src/compare/summary.ts';
import type { QueryShape } from '../../../src/compare/types.ts';
import { judge } from '../../../src/compare/verdict.ts';
import { VerdictOptions } from '../../../src/compare/verdict-options.ts';

const rules = { logThreshold: Math.log(1000), minPairs: 200 };
const counted = (more: Partial<LatencyCounters>): LatencyCounters => ({ ...emptyCounters().latency, ...more });

describe('the latencies of many pairs', () => {
  it.each<[string, Partial<LatencyCounters>, 'slower' | 'not_slower' | 'too_few']>([
    ['none', {}, 'too_few'],
    ['all of few slower', { pairs: 199, slower: 199 }, 'too_few'],
    ['all of enough slower', { pairs: 200, slower: 200 }, 'slower'],
    ['two thirds slower', { pairs: 600, slower: 400 }, 'slower'],
    ['a little more than half slower', { pairs: 600, slower: 310 }, 'not_slower'],
    ['half slower, however many', { pairs: 100_000, slower: 50_000 }, 'not_slower'],
    ['a slow tail there only', { pairs: 600, slower: 60, onlyOtherSlow: 30 }, 'slower'],
    [
      'the same slow tail on both sides',
      { pairs: 600, slower: 60, onlyOtherSlow: 30, onlyAuthoritySlow: 28 },
      'not_slower',
    ],
    ['a slow tail at the authority', { pairs: 600, onlyAuthoritySlow: 200 }, 'not_slower'],
  ])('%s', (_title, counters, verdict) => {
    const judged = judgeLatency(counted(counters), rules);
    expect([judged.verdict, judged.isSlower]).toEqual([verdict, verdict === 'slower']);
  });

  it('have a middle ratio, rounded up to the edge of its class', () => {
    const ratios = [0, 0, 0, 0, 400, 0, 0, 0, 0, 600, 0, 0, 0];
    expect(judgeLatency(counted({ pairs: 1000, ratios }), rules).medianRatio).toBe(3);
    expect(judgeLatency(counted({}), rules).medianRatio).toBeUndefined();
  });
});

describe('one slow query shape among quick ones', () => {
  const shapes = {
    quick: { fingerprint: 'q', label: 'term(sku)' },
    slow: { fingerprint: 's', label: 'agg:terms(brand)' },
  };
  const tallied = (slowPairs: number, otherMs: number) => {
    const tally = new Tally('1');
    const note = (shape: QueryShape, ms: number) =>
      tally.note({
        shape,
        observation: { severity: 'none', differences: [], counts: {} },
        baseline: { severity: 'none', differences: [], counts: {} },
        ...{ authorityMs: 10, otherMs: ms, atMs: 1 },
      });
    for (let i = 0; i < 3000; i++) note(shapes.quick, 10);
    for (let i = 0; i < slowPairs; i++) note(shapes.slow, otherMs);
    return tally.snapshot();
  };
  const options = VerdictOptions.parse({});

  it('is named, bars promote, and leaves the whole not slower', () => {
    const judged = judge(tallied(600, 40), options, 1);
    expect(judged.latency.isSlower).toBe(false);
    expect(judged.shapes.filter(({ latency }) => latency.isSlower).map(({ label }) => label)).toEqual([
      'agg:terms(brand)',
    ]);
    expect(judged.verdict).toBe('hold');
    expect(judged.reason).toMatch(/^slower beyond .* in queries of the shape agg:terms\(brand\)$/);
  });

  it('is a reason to roll back only when asked to', () => {
    const strict = VerdictOptions.parse({ latency: { rollback: true } });
    expect(judge(tallied(600, 40), strict, 1).verdict).toBe('rollback');
  });

  it.each<[string, number, number]>([
    ['before it has enough pairs beyond its cold start', 249, 40],
    ['while it is slower by less than the tolerated ratio', 600, 14],
    ['while the difference is jitter', 600, 14.9],
  ])('is not called slower %s', (_title, pairs, otherMs) => {
    expect(judge(tallied(pairs, otherMs), options, 1)).toMatchObject({ verdict: 'promote' });
  });
});
