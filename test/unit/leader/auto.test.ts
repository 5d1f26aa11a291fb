import { describe, expect, it } from 'vitest';
import { type AutoDecision, type AutoEvidence, decideAuto } from '../../../src/agent/leader/auto.ts';
import { addCounters, type Counters, emptyCounters } from '../../../src/compare/summary.ts';
import type { AutoSettings } from '../../../src/coordination/route-spec.ts';

/** A latency histogram with all pairs in one bucket: 4 = up to as slow, 8 = up to twice, 9 = up to three times. */
const at = (bucket: number, pairs: number): Counters => ({
  ...emptyCounters(),
  compared: pairs,
  latency: {
    ...emptyCounters().latency,
    pairs,
    ratios: Array.from({ length: 13 }, (_, i) => (i === bucket ? pairs : 0)),
  },
});
const failing = (hits: number, compared: number): Counters => ({
  ...emptyCounters(),
  compared,
  bySeverity: [hits, 0, 0, 0, 0, 0, 0, 0, 0, 0],
});

const good: AutoEvidence = {
  readPercent: 1,
  sinceChangeMs: 700_000,
  verdict: 'promote',
  verdictReason: 'n=5000',
  homes: 0,
  recent: [at(4, 5000)],
  shapes: [],
  alpha: 0.01,
  severity: undefined,
  lagSeconds: 0,
  quarantined: 0,
  barrier: undefined,
};
const ramp: AutoSettings = { ramp: { steps: [1, 10, 50, 100], dwellSeconds: 600 } };
const limits: AutoSettings = {
  ...ramp,
  rollback: { errorRatePercent: 1, latencyWorsePercent: 50, severity: 'S4', lagSeconds: 30, quarantined: 0 },
};

const rows: [string, AutoSettings, Partial<AutoEvidence>, Partial<AutoDecision>][] = [
  ['does nothing without an auto block', {}, {}, { kind: 'none' }],
  ['raises to the next step after the dwell', ramp, {}, { kind: 'raise', to: 10 }],
  ['starts with the first step', ramp, { readPercent: 0 }, { kind: 'raise', to: 1 }],
  ['goes on from a value that a person chose between two steps', ramp, { readPercent: 25 }, { kind: 'raise', to: 50 }],
  [
    'takes the lowest step above the share, in whatever order they stand',
    { ramp: { steps: [50, 10, 5, 100], dwellSeconds: 600 } },
    {},
    { kind: 'raise', to: 5 },
  ],
  [
    'rounds a step to what a percentage can say',
    { ramp: { steps: [100 / 3, 100], dwellSeconds: 600 } },
    {},
    { kind: 'raise', to: 33.333 },
  ],
  [
    'does not take a step again that was rounded down to the share',
    { ramp: { steps: [1.0001], dwellSeconds: 600 } },
    {},
    { kind: 'none', reason: 'the last step is reached' },
  ],
  ['raises nothing while something bars it', ramp, { barrier: 'paused' }, { kind: 'none', reason: 'paused' }],
  [
    'brings reads home whatever bars a raise',
    limits,
    { barrier: 'paused', quarantined: 1 },
    { kind: 'home', reason: '1 copies are in quarantine' },
  ],
  ['waits for the dwell', ramp, { sinceChangeMs: 599_999 }, { kind: 'none' }],
  ['stops at the last step', ramp, { readPercent: 100 }, { kind: 'none' }],
  ['holds when the verdict holds', ramp, { verdict: 'hold' }, { kind: 'none' }],
  ['holds when there is no evidence', ramp, { verdict: 'inconclusive' }, { kind: 'none' }],
  [
    'ignores limits that are not given',
    ramp,
    { recent: [failing(4500, 5000)], severity: 'S0', quarantined: 9 },
    { kind: 'raise', to: 10 },
  ],
  ['brings reads home on the error rate', limits, { recent: [failing(100, 5000)] }, { kind: 'home' }],
  [
    'sees a new failure behind a long good past',
    limits,
    { recent: [failing(20, 100_000), failing(20, 100)] },
    { kind: 'home' },
  ],
  ['waits until the error rate is surely too high', limits, { recent: [failing(2, 100)] }, { kind: 'raise' }],
  [
    'brings reads home on the first error where none is tolerated',
    { rollback: { errorRatePercent: 0 } },
    { recent: [failing(1, 5000)] },
    { kind: 'home' },
  ],
  ['brings reads home on a severity at the limit', limits, { severity: 'S4' }, { kind: 'home' }],
  ['lets a milder severity pass', limits, { severity: 'S5' }, { kind: 'raise' }],
  ['brings reads home on latency', limits, { recent: [at(9, 200)] }, { kind: 'home' }],
  ['lets a tolerated ratio pass', limits, { recent: [at(7, 200)] }, { kind: 'raise' }],
  [
    'brings reads home on latency behind a long good past',
    limits,
    { recent: [at(4, 100_000), at(9, 40)] },
    { kind: 'home', reason: 'latency: answers are more than 50 % slower in 100.00 % of 40 pairs' },
  ],
  [
    'names the shape with most slow pairs',
    limits,
    {
      recent: [at(9, 200)],
      shapes: [
        { label: 'search match(title)', counters: at(4, 100), lately: [] },
        { label: 'agg:terms(brand)', counters: at(9, 30), lately: [] },
      ],
    },
    { kind: 'home', reason: expect.stringMatching(/^latency: .* most of all in queries of the shape agg:terms/) },
  ],
  [
    'brings reads home when the queries of one shape alone are slower',
    limits,
    { shapes: [{ label: 'agg:terms(brand)', counters: at(9, 100), lately: [] }] },
    { kind: 'home', reason: expect.stringMatching(/% of 100 pairs in queries of the shape agg:terms\(brand\)$/) },
  ],
  [
    'brings reads home when the queries of one shape turn slower behind a long good past',
    limits,
    {
      shapes: [
        {
          label: 'agg:terms(brand)',
          counters: addCounters(at(4, 10_000), at(9, 50)),
          lately: [
            { slot: 0, counters: at(4, 10_000).latency },
            { slot: 64, counters: at(9, 50).latency },
          ],
        },
      ],
    },
    { kind: 'home', reason: expect.stringMatching(/% of 50 pairs in queries of the shape agg:terms\(brand\)$/) },
  ],
  [
    'does not judge a shape on a handful of pairs',
    limits,
    { shapes: [{ label: 'agg:terms(brand)', counters: at(9, 15), lately: [] }] },
    { kind: 'raise' },
  ],
  ['does not judge latency on a handful of pairs', limits, { recent: [at(9, 5)] }, { kind: 'raise' }],
  ['waits twice as long after reads came home once', ramp, { homes: 1 }, { kind: 'none', reason: 'dwelling' }],
  ['raises after the doubled dwell', ramp, { homes: 1, sinceChangeMs: 1_200_000 }, { kind: 'raise', to: 10 }],
  ['brings reads home on lag', limits, { lagSeconds: 31 }, { kind: 'home' }],
  ['brings reads home on quarantine', limits, { quarantined: 1 }, { kind: 'home' }],
  [
    'brings reads home at once, without waiting for the dwell',
    limits,
    { quarantined: 1, sinceChangeMs: 0 },
    { kind: 'home' },
  ],
  [
    'takes missing figures for no reason to roll back',
    limits,
    { recent: [], lagSeconds: undefined },
    { kind: 'raise' },
  ],
  [
    'has nothing to bring home at 0 %, and does not raise either',
    limits,
    { readPercent: 0, quarantined: 1 },
    { kind: 'none' },
  ],
];

describe('automatic ramp and rollback of reads', () => {
  for (const [title, auto, seen, decision] of rows) {
    it(title, () => expect(decideAuto(auto, { ...good, ...seen })).toMatchObject(decision));
  }
});
