import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Listing } from '../../../src/compare/listing.ts';
import {
  type Agrees,
  type Listings,
  movementOf,
  persistence,
  persistsBeside,
  stoodStill,
  toLeaveOut,
} from '../../../src/compare/movement.ts';
import type { Difference, PathSegment, Severity } from '../../../src/compare/types.ts';

/** `a3` = document a, written with number 3; the other side's copy of it has version 3. */
const listing = (text: string): Listing =>
  new Map(
    text
      .split(' ')
      .filter(Boolean)
      .map((entry) => [`shop\u0000\u0000${entry[0]}`, { seq: Number(entry[1]), term: 1, version: BigInt(entry[1]!) }]),
  );
/** `authority|other` */
const listings = (text: string): Listings => {
  const [authority = '', other = ''] = text.split('|');
  return { authority: listing(authority), other: listing(other) };
};
const agrees: Agrees = (a, b) => (BigInt(a.seq) === b.version ? 'same' : b.version === 0n ? 'unknown' : 'stale');
const ids = (keys: ReadonlySet<string>): string =>
  [...keys]
    .map((key) => key.at(-1))
    .sort()
    .join('');
const moved = (earlier: string, before: string, after: string) => {
  const { moving, apart } = movementOf(
    { earlier: listings(earlier), before: listings(before), after: listings(after) },
    agrees,
  );
  return [ids(moving), ids(apart)];
};

describe('a document', () => {
  it.each<[string, [string, string, string], [moving: string, apart: string]]>([
    ['that is the same on both sides stands', ['a1|a1', 'a1|a1', 'a1|a1'], ['', '']],
    ['that was copied meanwhile is settled', ['a1|', 'a1|a1', 'a1|a1'], ['', '']],
    ['that was written and copied meanwhile is settled', ['a1|a1', 'a2|a2', 'a2|a2'], ['', '']],
    ['that was written since and not yet copied moves', ['a1|a1', 'a2|a1', 'a2|a1'], ['a', '']],
    ['that came since and is not yet copied moves', ['|', 'a1|', 'a1|'], ['a', '']],
    ['that was deleted at the authority since moves', ['a1|a1', '|a1', '|a1'], ['a', '']],
    ['that was deleted on both sides since is settled', ['a1|a1', '|', '|'], ['', '']],
    ['that changed under the answers moves', ['a1|a1', 'a1|a1', 'a2|a2'], ['a', '']],
    ['that came under the answers moves', ['|', '|', '|a1'], ['a', '']],
    ['that stays away is apart', ['a1|', 'a1|', 'a1|'], ['', 'a']],
    ['that stays there alone is apart', ['|a1', '|a1', '|a1'], ['', 'a']],
    ['that stays an older state is apart', ['a2|a1', 'a2|a1', 'a2|a1'], ['', 'a']],
    ['whose version says nothing stands, as long as it does not change', ['a1|a0', 'a1|a0', 'a1|a0'], ['', '']],
    ['whose version says nothing moves once it has changed', ['a1|a0', 'a2|a0', 'a2|a0'], ['a', '']],
    ['is told from others', ['a1 b1|a1', 'a1 b1 c3|a1', 'a1 b1 c3|a1'], ['c', 'b']],
  ])('%s', (_title, look, expected) => {
    expect(moved(...look)).toEqual(expected);
  });

  const anyListing = fc
    .uniqueArray(fc.tuple(fc.constantFrom(...'abcdef'), fc.integer({ min: 0, max: 3 })), { selector: ([id]) => id })
    .map((docs) => docs.map(([id, n]) => `${id}${n}`).join(' '));
  const anySides = fc.tuple(anyListing, anyListing).map((sides) => sides.join('|'));

  it('never moves while nothing changes, and is never apart while both sides agree', () => {
    fc.assert(fc.property(anySides, (sides) => moved(sides, sides, sides)[0] === ''));
    fc.assert(
      fc.property(anySides, anyListing, (earlier, now) => {
        const sides = `${now.replaceAll('0', '1')}|${now.replaceAll('0', '1')}`;
        return moved(earlier, sides, sides).join() === ',';
      }),
    );
  });

  it('is moving or apart, never both', () => {
    fc.assert(
      fc.property(anySides, anySides, anySides, (earlier, before, after) => {
        const [moving = '', apart = ''] = moved(earlier, before, after);
        return [...moving].every((id) => !apart.includes(id));
      }),
    );
  });
});

const difference = (severity: Severity, ...path: PathSegment[]): Difference => ({ severity, kind: 'value', path });
const total = difference('S3', 'hits', 'total');
const contentOf = (key: string) => difference('S7', 'hits', 'hits', { key }, '_source', 'n');
const set = (text: string) => new Set([...text].map((id) => `shop\u0000\u0000${id}`));

describe('a mismatch persists', () => {
  it.each<[string, Difference[], [moving: string, apart: string], 'now' | 'at_last' | 'no']>([
    ['at once when no document explains it', [total], ['', ''], 'now'],
    ['at last when a document stays apart', [total], ['', 'a'], 'at_last'],
    ['at last when one stays apart, whatever else moves', [total], ['b', 'a'], 'at_last'],
    ['at last when it is about a document that stands', [contentOf('a')], ['b', ''], 'at_last'],
    ['never while only documents under way explain it', [total], ['b', ''], 'no'],
    [
      'at last when it is about a document that stands, whatever severity a rule gave it',
      [{ ...contentOf('a'), severity: 'S1' }],
      ['b', ''],
      'at_last',
    ],
    ['never when it is about a document under way', [contentOf('b')], ['b', ''], 'no'],
    [
      'at last when one of several documents read by id stands',
      [difference('S7', 'docs', { key: 'a' }, '_source')],
      ['b', ''],
      'at_last',
    ],
  ])('%s', (_title, differences, [moving, apart], expected) => {
    expect(persistence(differences, { moving: set(moving), apart: set(apart) })).toBe(expected);
  });

  const inItem = (item: number) => difference('S3', 'responses', item, 'hits', 'total');
  const brands = difference('S6', 'aggregations', 'brands', 'buckets', { key: 'acme' }, 'doc_count');
  it.each<[string, Difference[], Difference[], boolean]>([
    ['the authority did not change', [total], [], true],
    ['the authority changed in the same part', [total], [difference('S4', 'hits', 'hits', { key: 'a' })], false],
    [
      'the authority changed in another aggregation',
      [brands],
      [difference('S6', 'aggregations', 'tags', 'value')],
      true,
    ],
    [
      'the authority changed in this aggregation',
      [brands],
      [difference('S6', 'aggregations', 'brands', 'buckets')],
      false,
    ],
    ['the authority changed in another item', [inItem(0)], [inItem(1)], true],
    ['the authority changed in this item', [inItem(1)], [inItem(1)], false],
    ['the scores of the authority changed', [total], [difference('S8', 'hits', 'max_score')], true],
    ['only scores differ elsewhere', [total, difference('S8', 'suggest')], [total], false],
    ['the status differs', [difference('S1', 'status')], [total], true],
  ])('where documents cannot be listed: %s', (_title, differences, own, expected) => {
    expect(persistsBeside(differences, own)).toBe(expected);
  });
});

const lookAt = ([earlier, before, after]: [string, string, string]) => ({
  ...{ earlier: listings(earlier), before: listings(before), after: listings(after) },
});

describe('the documents to leave out', () => {
  it.each<[string, [string, string, string], string | undefined]>([
    ['are those that move', ['a1 b1 c1|a1 b1 c1', 'a1 b2 c1|a1 b1 c1', 'a1 b2 c1|a1 b1 c1'], 'b'],
    ['are not told where none moves', ['a1 b1|a1', 'a1 b1|a1 b1', 'a1 b1|a1 b1'], undefined],
    [
      'are not told while one stands apart',
      ['a1 b1 c1 d1|a1 c1 d1', 'a1 b1 c2 d1|a1 c1 d1', 'a1 b1 c2 d1|a1 c1 d1'],
      undefined,
    ],
    [
      'are too many where they are more than half',
      ['a1 b1 c1|a1 b1 c1', 'a2 b2 c1|a1 b1 c1', 'a2 b2 c1|a1 b1 c1'],
      undefined,
    ],
  ])('%s', (_title, look, expected) => {
    const found = toLeaveOut(lookAt(look), agrees);
    expect(found && ids(found)).toBe(expected);
  });

  it('leave a rest that stood still, unless another one moved meanwhile', () => {
    const look = lookAt(['a1 b1 c1|a1 b1 c1', 'a1 b2 c1|a1 b1 c1', 'a1 b3 c1|a1 b2 c1']);
    const leftOut = toLeaveOut(look, agrees)!;
    expect(stoodStill(look, leftOut, agrees)).toBe(true);
    expect(stoodStill({ ...look, after: listings('a1 b3 c2|a1 b2 c1') }, leftOut, agrees)).toBe(false);
    expect(stoodStill({ ...look, after: listings('a1 b3 c1 d1|a1 b2 c1') }, leftOut, agrees)).toBe(false);
  });
});
