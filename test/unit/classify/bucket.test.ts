import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, buckets, isSelected, sampled } from '../../../src/proxy/bucket.ts';

/** Chi-square of `count` draws over equal classes, scaled so that a fair source gives a standard normal value. */
const unevenness = (draws: Iterable<number>, classes: number): number => {
  const counts = new Array<number>(classes).fill(0);
  let total = 0;
  for (const draw of draws) {
    counts[Math.floor((draw * classes) / buckets)]! += 1;
    total += 1;
  }
  const expected = total / classes;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  return (chiSquare - (classes - 1)) / Math.sqrt(2 * (classes - 1));
};

describe('sticky buckets', () => {
  it.each<[string, (i: number) => string]>([
    ['numbers', (i) => `${i}`],
    ['tenants', (i) => `header:x-tenant=tenant-${i}`],
    ['long ids', (i) => `user-${'0'.repeat(40)}${i}`],
    ['hexadecimal ids', (i) => i.toString(16).padStart(32, '0')],
  ])('are uniform over %s', (_, keyOf) => {
    const draws = Array.from({ length: 100_000 }, (_, i) => bucketOf('products', keyOf(i)));
    expect(Math.abs(unevenness(draws, 1000))).toBeLessThan(4);
    expect(Math.min(...draws.slice(0, 10_000))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws.slice(0, 10_000))).toBeLessThan(buckets);
  });

  it('are the same in every process and release', () => {
    const shown = [bucketOf('products', 'a'), bucketOf('products', 'b'), bucketOf('orders', 'a'), bucketOf('', 'café')];
    expect(shown).toMatchInlineSnapshot(`
      [
        68974,
        4087,
        70168,
        53971,
      ]
    `);
  });

  it('keep salt and key apart, and two salts independent', () => {
    expect(bucketOf('ab', 'c')).not.toBe(bucketOf('a', 'bc'));
    const both = Array.from({ length: 20_000 }, (_, i) => [bucketOf('one', `${i}`), bucketOf('two', `${i}`)] as const);
    const first = both.filter(([one]) => isSelected(one, 10));
    const overlap = first.filter(([, two]) => isSelected(two, 10)).length / first.length;
    expect(overlap).toBeGreaterThan(0.07);
    expect(overlap).toBeLessThan(0.13);
  });

  const percent = fc.integer({ min: 0, max: 100_000 }).map((thousandths) => thousandths / 1000);

  it('select exactly their share, in steps of 0.001 %', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (thousandths) => {
        const share = thousandths / 1000;
        if (thousandths > 0) expect(isSelected(thousandths - 1, share)).toBe(true);
        expect(isSelected(thousandths, share)).toBe(false);
      }),
    );
  });

  it('only gain keys as the percentage grows', () => {
    fc.assert(
      fc.property(fc.string(), percent, percent, (key, a, b) => {
        const bucket = bucketOf('products', key);
        if (isSelected(bucket, Math.min(a, b))) expect(isSelected(bucket, Math.max(a, b))).toBe(true);
      }),
    );
  });
});

describe('draws', () => {
  it.each([
    [0, 0, false],
    [0, 0.001, true],
    [0.00001, 0.001, false],
    [0.2499, 25, true],
    [0.25, 25, false],
    [0.99999999, 100, true],
  ])('the random number %d at %d % is taken: %j', (random, percent, expected) => {
    expect(sampled(() => random, percent)).toBe(expected);
  });
});
