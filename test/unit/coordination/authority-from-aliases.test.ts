import { describe, expect, it } from 'vitest';
import {
  type AliasAnswer,
  hasLaterStay,
  isPresentEpoch,
  routesFromAliases,
  routesUnknownTo,
  sameRoutes,
  statesFromAliases,
} from '../../../src/coordination/authority-from-aliases.ts';
import { authorityMarker, copyAlias, epochAlias, fenceIndex } from '../../../src/coordination/keys.ts';

/** `{index: [alias, ...]}` in the shape of `GET /_alias`. */
const answer = (indices: Record<string, string[]>): AliasAnswer =>
  Object.fromEntries(
    Object.entries(indices).map(([index, aliases]) => [
      index,
      { aliases: Object.fromEntries(aliases.map((alias) => [alias, {}])) },
    ]),
  );
const e = (epoch: number, ordinal = 0, slug = 'products') => epochAlias(slug, epoch, ordinal);
const c = (epoch: number, ordinal = 0, slug = 'products') => copyAlias(slug, epoch, ordinal);
const marker = (epoch: number, reign: number, slug = 'products') => authorityMarker(slug, epoch, reign);
const authorities = (source: Record<string, string[]>, target: Record<string, string[]>) =>
  routesFromAliases({ source: answer(source), target: answer(target) }).map(({ slug, epoch, authority }) => ({
    slug,
    epoch,
    authority,
  }));

describe('the authority read from aliases', () => {
  it.each([
    ['observe', { p1: [e(1)] }, {}, { epoch: 1, authority: 'source' }],
    ['dual', { p1: [e(1)] }, { p2: [c(1)] }, { epoch: 1, authority: 'source' }],
    [
      'target, with copies going back',
      { p1: [c(4)], [fenceIndex]: [e(1), e(5)] },
      { p2: [e(4), marker(4, 2)], [fenceIndex]: [c(1), c(3), c(5)] },
      { epoch: 4, authority: 'target' },
    ],
    ['final', {}, { p2: [e(4), marker(4, 2)] }, { epoch: 4, authority: 'target' }],
    [
      'dual again after a rollback, the older marker still on the target',
      { p1: [e(7), marker(7, 3)], [fenceIndex]: [e(1), c(4), c(6), c(8)] },
      { p2: [c(7), marker(4, 2)], [fenceIndex]: [e(4), e(8)] },
      { epoch: 7, authority: 'source' },
    ],
    [
      'dual after an aborted attempt that was settled',
      { p1: [e(1), e(5)], [fenceIndex]: [c(4)] },
      { p2: [c(1), c(3), c(5)], [fenceIndex]: [e(4)] },
      { epoch: 5, authority: 'source' },
    ],
  ] as const)('in %s is plain', (_, source, target, expected) => {
    expect(authorities(source as never, target as never)).toEqual([{ slug: 'products', ...expected }]);
  });

  it.each([
    ['a switch prepared', { p1: [e(1), c(4), e(5)] }, { p2: [c(1), c(3), e(4), c(5)] }],
    ['the source fenced, no marker yet', { [fenceIndex]: [e(1), e(5)] }, { p2: [e(4)] }],
    ['a commit not yet settled on the source', { p1: [e(1), e(5)] }, { p2: [e(4), marker(4, 2)] }],
    ['a release not yet settled', { p1: [e(1), e(5)] }, { p2: [c(5), e(4)] }],
    ['both sides fenced', { [fenceIndex]: [e(1)] }, { [fenceIndex]: [e(1)] }],
    ['a marker of one reign on both sides', { p1: [e(4), marker(4, 2)] }, { p2: [marker(4, 2)] }],
    ['a marker on the side that is closed', { p1: [e(7)] }, { p2: [c(7), marker(4, 2)] }],
  ])('is unknown with %s', (_, source, target) => {
    expect(authorities(source as never, target as never)).toMatchObject([{ authority: 'unknown' }]);
  });

  it('is unknown when both sides are one cluster', () => {
    const one = answer({ p1: [e(1)], p2: [c(1)] });
    expect(statesFromAliases({ source: one, target: one })).toEqual({
      states: new Map(),
      unknown: [{ slug: 'products', reason: expect.any(String) }],
    });
  });

  it('keeps routes apart whose slugs look like parts of an alias', () => {
    const slugs = ['a', 'a-e1', 'a-authority', 'a-e1-2', 'a-authority-e1-r1'];
    const source = Object.fromEntries(
      slugs.map((slug, i) => [`index${i}`, [e(4, 0, slug), e(4, 1, slug), marker(4, 3, slug)]]),
    );
    expect(authorities(source, {})).toEqual([...slugs].sort().map((slug) => ({ slug, epoch: 4, authority: 'source' })));
  });

  it('ignores aliases of the application, and answers that hold none', () => {
    expect(authorities({ p1: ['products', 'crossfade', 'crossfade-x', 'crossfade-Y-e1'], p3: [] }, {})).toEqual([]);
  });
});

describe('the present epoch on a cluster', () => {
  it.each([
    ['it is open and the newest', { p1: [e(1), e(5), c(4)] }, true],
    ['a switch has been prepared', { p1: [e(5), e(9)] }, false],
    ['it is fenced', { [fenceIndex]: [e(5)] }, false],
    ['it is not there', { p1: [e(1)] }, false],
    ['another route is further on', { p1: [e(5)], q1: [e(9, 0, 'other')] }, true],
  ])('is told when %s', (_, aliases, present) => {
    expect(isPresentEpoch(answer(aliases as never), { slug: 'products', epoch: 5 })).toBe(present);
  });
});

describe('an epoch of a later stay', () => {
  it.each<[string, number, Record<string, string[]>, boolean]>([
    ['nothing was ever prepared', 0, {}, false],
    ['the first stay began', 0, { p1: [e(1)] }, true],
    ['the release of the last switch did not come', 7, { p1: [e(7)], [fenceIndex]: [e(1), c(4), c(6), c(8)] }, false],
    ['the next stay began', 7, { p1: [e(7), e(9)], [fenceIndex]: [e(1), c(8)] }, true],
    ['the next stay is behind a fence', 7, { [fenceIndex]: [e(1), c(8), e(9)] }, true],
    ['another route is further on', 7, { p1: [e(7)], q1: [e(9, 0, 'other')] }, false],
  ])('is told when %s', (_, epoch, aliases, later) => {
    expect(hasLaterStay(answer(aliases), { slug: 'products', epoch })).toBe(later);
  });
});

describe('two looks at one cluster', () => {
  it.each([
    ['nothing happened', { p1: [e(1)] }, { p1: [e(1)] }, true],
    ['only the application changed an alias', { p1: [e(1), 'a'] }, { p1: [e(1), 'b'] }, true],
    ['a switch was prepared', { p1: [e(1)] }, { p1: [e(1), e(5)] }, false],
    ['an alias was fenced', { p1: [e(1)] }, { [fenceIndex]: [e(1)] }, false],
  ])('agree or not when %s', (_, before, after, same) => {
    expect(sameRoutes(answer(before as never), answer(after as never))).toBe(same);
  });
});

describe('a store that lost its routes', () => {
  const source = answer({ a1: [e(1, 0, 'a')], [fenceIndex]: [e(1, 0, 'c')] });
  const target = answer({ b2: [e(2, 0, 'b'), marker(2, 2, 'b')], c2: [e(2, 0, 'c')] });

  it('is found out by routes whose authority is the target or in doubt', () => {
    const slugs = (known: string[]) => routesUnknownTo(new Set(known), { source, target }).map((route) => route.slug);
    expect(slugs([])).toEqual(['b', 'c']);
    expect(slugs(['b'])).toEqual(['c']);
    expect(slugs(['a', 'b', 'c'])).toEqual([]);
  });
});

describe('states made from aliases', () => {
  const source = answer({
    p1: [c(4), 'Products', 'shared'],
    q1: [c(4, 1), 'shared'],
    other: ['elsewhere'],
    [fenceIndex]: [e(1), e(1, 1)],
  });
  const target = answer({ p2: [e(4), marker(4, 2), 'new-name'], q2: [e(4, 1)], [fenceIndex]: [c(1)] });

  it('serve the authority alone, under its epoch and reign, with the application aliases of both sides', () => {
    const state = statesFromAliases({ source, target }).states.get('products');
    expect(state).toMatchObject({
      phase: { phase: 'final', epoch: 4, reign: 2 },
      phaseRevision: 0,
      percent: { read: 0, shadow: 0, write: 100 },
      spec: {
        route: 'products',
        indices: [
          { source: 'p1', target: 'p2' },
          { source: 'q1', target: 'q2' },
        ],
        aliases: [
          { name: 'Products', indices: ['p1'] },
          { name: 'shared', indices: ['p1', 'q1'] },
          { name: 'new-name', indices: ['p1'] },
        ],
      },
    });
  });

  it('use the one name that is known where the other side shows none', () => {
    const { states } = statesFromAliases({ source: answer({ p1: [e(1)] }), target: {} });
    expect(states.get('products')).toMatchObject({
      phase: { phase: 'observe', epoch: 1, reign: 1 },
      spec: { indices: [{ source: 'p1', target: 'p1' }] },
    });
  });
});
