/** What is counted in plain numbers is exposed as prom-client would have exposed it. */
import fc from 'fast-check';
import { Counter, Histogram, type Metric, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { TalliedCounter, TalliedHistogram } from '../../../src/metric-tally.ts';

const histogram = {
  name: 'took_seconds',
  help: 'How long "it" took.\nIn \\ seconds.',
  labelNames: ['side', 'use'] as const,
  buckets: [0.0005, 0.001, 0.25, 1, 10],
};
const counter = { name: 'seen_total', help: 'What was seen.', labelNames: ['side', 'use'] as const };
const labels = fc.record({
  side: fc.constantFrom('source', 'target', 'a"b\\c\nd'),
  use: fc.constantFrom('client', 'background'),
});
const values = fc.oneof(
  fc.double({ min: -1, max: 20, noNaN: true }),
  fc.constantFrom(0, -0, 10, Number.MIN_VALUE, Number.MAX_VALUE, ...histogram.buckets),
);

const tallied = (registry: Registry): TalliedHistogram<'side' | 'use'> => {
  const made = new TalliedHistogram({ ...histogram, labelNames: [...histogram.labelNames] });
  registry.registerMetric(made as unknown as Metric);
  return made;
};

describe('a histogram counted in plain numbers', () => {
  it('is exposed as one of prom-client, whether its series are kept or looked up, at every scrape', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.tuple(labels, values, fc.boolean()))), async (scrapes) => {
        const [theirs, ours] = [new Registry(), new Registry()];
        const reference = new Histogram({ ...histogram, registers: [theirs] });
        const made = tallied(ours);
        for (const events of scrapes) {
          for (const [set, value, isKept] of events) {
            reference.observe(set, value);
            if (isKept) made.series(set).observe(value);
            else made.observe(set, value);
          }
          expect(await ours.metrics()).toBe(await theirs.metrics());
        }
      }),
    ));

  it('has no series before something was observed', async () => {
    const registry = new Registry();
    tallied(registry).series({ side: 'source', use: 'client' });
    expect(await registry.metrics()).not.toContain('source');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %s, and stays as it was', async (value) => {
    const registry = new Registry();
    const made = tallied(registry);
    expect(() => made.observe({ side: 'source', use: 'client' }, value)).toThrow(TypeError);
    expect(await registry.metrics()).not.toContain('source');
  });
});

describe('a counter counted in plain numbers', () => {
  it('is exposed as one of prom-client, by cells and by events, at every scrape', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.tuple(labels, fc.boolean()))), async (scrapes) => {
        const [theirs, ours] = [new Registry(), new Registry()];
        const reference = new Counter({ ...counter, registers: [theirs] });
        const made = new TalliedCounter({ ...counter, registers: [ours] });
        for (const events of scrapes) {
          for (const [set, isCell] of events) {
            reference.inc(set);
            if (isCell) made.cell(set).count++;
            else made.inc(set);
          }
          expect((await ours.metrics()).split('\n').sort()).toEqual((await theirs.metrics()).split('\n').sort());
        }
      }),
    ));
});
