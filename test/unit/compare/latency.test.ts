import { describe, expect, it } from 'vitest';
import { wilson } from '../../../src/compare/evalue.ts';
import { judgeLatency, type Latencies, shapeLatencies } from '../../../src/compare/latency.ts';
import {
  addShape,
  emptyCounters,
  emptyLatency,
  emptySummary,
  type LatencyCounters,
  type ShapeSummary,
  type Summary,
  sumSummaries,
  Tally,
} from '../../../src/compare/summary.ts';
import type { QueryShape } from '../../../src/compare/types.ts';
import { judge } from '../../../src/compare/verdict.ts';
import { VerdictOptions } from '../../../src/compare/verdict-options.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';

const rules = { logThreshold: Math.log(1000), minPairs: 200 };
const counted = (more: Partial<LatencyCounters>): Latencies => ({ whole: { ...emptyLatency(), ...more }, later: [] });

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

describe('a query shape over a long step', () => {
  /** The shape's pairs slot by slot, with a look at the judgement after each. */
  const calledAt = (
    shareIn: (slot: number) => number,
    { slots, logThreshold }: { slots: number; logThreshold: number },
    random: () => number,
  ): number | undefined => {
    const pairsPerSlot = 20;
    let seen: ShapeSummary = { label: 's', counters: emptyCounters(), lately: [] };
    for (let slot = 0; slot < slots; slot++) {
      const slower = Array.from({ length: pairsPerSlot }, random).filter((one) => one < shareIn(slot)).length;
      const latency = { ...emptyLatency(), pairs: pairsPerSlot, slower };
      const counters = { ...emptyCounters(), latency };
      seen = addShape(seen, { label: 's', counters, lately: [{ slot, counters: latency }] });
      if (judgeLatency(shapeLatencies(seen), { logThreshold, minPairs: 200 }).isSlower) return slot;
    }
    return undefined;
  };
  const begins = 900;
  /** One shape of a hundred, as the verdict counts them. */
  const logThreshold = Math.log((2 * 18 * 100) / 0.01);

  it.each<[string, number, number]>([
    ['all pairs', 1, 2],
    ['nine pairs of ten', 0.9, 3],
    ['three pairs of four', 0.75, 15],
  ])('is called slower soon after it turns slow, however long all was well: %s', (_title, share, within) => {
    const found = calledAt((slot) => (slot < begins ? 0.1 : share), { slots: 1000, logThreshold }, seeded(5))!;
    expect(found).toBeGreaterThanOrEqual(begins);
    expect(found).toBeLessThanOrEqual(begins + within);
  });

  it('is wrongly called slower in surely less than alpha of the steps, though it is looked at in every slot', () => {
    const alpha = 0.1;
    const random = seeded(6);
    const steps = 80;
    // Two tests share alpha: the typical pair, and the slow tail.
    const rules = { slots: 120, logThreshold: Math.log(2 / alpha) };
    const wrong = Array.from({ length: steps }, () => calledAt(() => 0.5, rules, random)).filter(
      (slot) => slot !== undefined,
    );
    expect(wilson({ hits: wrong.length, trials: steps }).high).toBeLessThanOrEqual(alpha);
  });

  it('is judged by the evidence of all members together', () => {
    const member = (slow: boolean, slot: number): Summary => {
      const latency = { ...emptyLatency(), pairs: 300, slower: slow ? 300 : 0 };
      const counters = { ...emptyCounters(), compared: 300, latency };
      return {
        ...emptySummary('1'),
        lastAtMs: 1,
        shapes: { s: { label: 's', counters, lately: [{ slot, counters: latency }] } },
      };
    };
    const past = Array.from({ length: 20 }, () => member(false, 0));
    const judged = judge(sumSummaries([...past, member(true, 100)], '1'), VerdictOptions.parse({}), 1);
    expect(judged.shapes[0]?.latency).toMatchObject({
      verdict: 'slower',
      reason: expect.stringMatching(/^slower beyond the tolerated ratio in 300 of 300 pairs lately/),
    });
  });
});
