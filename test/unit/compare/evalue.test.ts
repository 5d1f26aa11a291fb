import { describe, expect, it } from 'vitest';
import {
  logEAbove,
  logEAboveNoise,
  logEBelow,
  logEDiscordant,
  logMeanExp,
  wilson,
} from '../../../src/compare/evalue.ts';
import { seeded } from '../../fixtures/compare/catalog.ts';
import { median } from './simulation.ts';

const alpha = 0.01;
const threshold = Math.log(1 / alpha);

/** First look at which the evidence reaches the threshold. */
const firstAlarm = (
  rate: number,
  limit: number,
  { samples, random }: { samples: number; random: () => number },
): number | undefined => {
  let hits = 0;
  for (let trials = 1; trials <= samples; trials++) {
    if (random() < rate) hits++;
    if (trials % 10 === 0 && hits > 0 && logEAbove({ hits, trials }, limit) >= threshold) return trials;
  }
  return undefined;
};

const alarms = (rate: number, limit: number, { runs, samples }: { runs: number; samples: number }) => {
  const random = seeded(Math.round(rate * 1e6) + 17);
  const found = Array.from({ length: runs }, () => firstAlarm(rate, limit, { samples, random }));
  return found.filter((at) => at !== undefined);
};

describe('evidence against a limit, looked at all the time', () => {
  it('raises a false alarm in at most alpha of 2,000 runs exactly at the limit', () => {
    expect(alarms(0.01, 0.01, { runs: 2000, samples: 3000 }).length / 2000).toBeLessThanOrEqual(alpha);
  });

  it('raises none at half the limit', () => {
    expect(alarms(0.005, 0.01, { runs: 1000, samples: 3000 })).toEqual([]);
  });

  it.each([
    [0.03, 800],
    [0.05, 300],
    [0.1, 100],
    [0.5, 20],
  ])('finds a share of %d against a limit of 0.01 in fewer than %i comparisons, most of the time', (rate, expected) => {
    const found = alarms(rate, 0.01, { runs: 1000, samples: 3000 });
    expect(found.length).toBe(1000);
    expect(median(found)).toBeLessThanOrEqual(expected);
  });
});

describe('evidence of discordant pairs', () => {
  it('raises a false alarm in at most alpha of 2,000 runs when both sides are equally noisy', () => {
    const random = seeded(5);
    let false_ = 0;
    for (let run = 0; run < 2000; run++) {
      const counts = { onlyOther: 0, onlyBaseline: 0 };
      for (let pair = 0; pair < 1000; pair++) {
        counts[random() < 0.5 ? 'onlyOther' : 'onlyBaseline']++;
        if (logEDiscordant(counts) >= threshold) {
          false_++;
          break;
        }
      }
    }
    expect(false_ / 2000).toBeLessThanOrEqual(alpha);
  });

  it('needs about a dozen one-sided pairs', () => {
    expect(logEDiscordant({ onlyOther: 7, onlyBaseline: 0 })).toBeLessThan(threshold);
    expect(logEDiscordant({ onlyOther: 12, onlyBaseline: 0 })).toBeGreaterThan(threshold);
  });
});

describe('evidence beyond a noise that is itself measured', () => {
  const quiet = { baseline: { hits: 0, trials: 1000 }, maxNoise: 1 };
  const noisy = { baseline: { hits: 80, trials: 1000 }, maxNoise: 1 };

  it('is none without a baseline when any noise is possible', () => {
    const unknown = { baseline: { hits: 0, trials: 0 }, maxNoise: 1 };
    expect(logEAboveNoise({ hits: 100, trials: 1000 }, unknown, 0.005)).toBeLessThanOrEqual(0);
  });

  it('blames the other side for what the baseline does not show', () => {
    expect(logEAboveNoise({ hits: 100, trials: 1000 }, quiet, 0.005)).toBeGreaterThan(threshold);
    expect(logEAboveNoise({ hits: 80, trials: 1000 }, noisy, 0.005)).toBeLessThan(0);
    expect(logEAboveNoise({ hits: 300, trials: 1000 }, noisy, 0.005)).toBeGreaterThan(threshold);
  });

  it('grows with the mismatches and shrinks with the noise', () => {
    const at = (hits: number, noise: number) =>
      logEAboveNoise({ hits, trials: 1000 }, { baseline: { hits: noise, trials: 1000 }, maxNoise: 1 }, 0.005);
    expect(at(60, 0)).toBeGreaterThan(at(40, 0));
    expect(at(60, 5)).toBeLessThan(at(60, 0));
  });
});

describe('small print', () => {
  it('no evidence comes from no trials', () => {
    expect(logEAbove({ hits: 0, trials: 0 }, 0.01)).toBeCloseTo(0);
    expect(logEBelow({ hits: 0, trials: 0 }, 0.01)).toBeCloseTo(0);
    expect(logEDiscordant({ onlyOther: 0, onlyBaseline: 0 })).toBeCloseTo(0);
  });

  it('is finite for overwhelming evidence', () => {
    expect(logEAbove({ hits: 1_000_000, trials: 1_000_000 }, 0.001)).toBeGreaterThan(1e6);
    expect(Number.isFinite(logEAbove({ hits: 1_000_000, trials: 1_000_000 }, 0.001))).toBe(true);
    expect(logMeanExp([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])).toBe(Number.NEGATIVE_INFINITY);
  });

  it('evidence of being within a limit needs trials, and no hits help most', () => {
    expect(logEBelow({ hits: 0, trials: 1000 }, 0.01)).toBeGreaterThan(logEBelow({ hits: 3, trials: 1000 }, 0.01));
    expect(logEBelow({ hits: 20, trials: 1000 }, 0.01)).toBeLessThan(0);
  });

  it('Wilson intervals hold the share and stay in [0, 1]', () => {
    expect(wilson({ hits: 0, trials: 0 })).toEqual({ low: 0, high: 1 });
    const { low, high } = wilson({ hits: 10, trials: 1000 });
    expect(low).toBeGreaterThan(0.004);
    expect(high).toBeLessThan(0.022);
  });
});
