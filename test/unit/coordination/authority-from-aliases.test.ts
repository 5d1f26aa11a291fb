import { describe, expect, it } from 'vitest';
import {
  type AliasAnswer,
  routesFromAliases,
  routesUnknownTo,
  statesFromAliases,
} from '../../../src/coordination/authority-from-aliases.ts';
import { authorityMarker, epochAlias, fenceIndex } from '../../../src/coordination/keys.ts';

/** `{index: [alias, ...]}` in the shape of `GET /_alias`. */
const answer = (indices: Record<string, string[]>): AliasAnswer =>
  Object.fromEntries(
    Object.entries(indices).map(([index, aliases]) => [
      index,
      { aliases: Object.fromEntries(aliases.map((alias) => [alias, {}])) },
    ]),
  );
const e = (epoch: number, ordinal = 0, slug = 'products') => epochAlias(slug, epoch, ordinal);
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
    ['dual', { p1: [e(1)] }, { p2: [e(1)] }, { epoch: 1, authority: 'source' }],
    [
      'target, both sides open for the new epoch',
      { p1: [e(2)], [fenceIndex]: [e(1)] },
      { p2: [e(2), marker(2, 2)], [fenceIndex]: [e(1)] },
      { epoch: 2, authority: 'target' },
    ],
    ['final', {}, { p2: [e(2), marker(2, 2)] }, { epoch: 2, authority: 'target' }],
    [
      'rolled back to the source, the older marker still on the target',
      { p1: [e(3), marker(3, 3)] },
      { p2: [e(3), marker(2, 2)] },
      { epoch: 3, authority: 'source' },
    ],
    [
      'an aborted attempt whose successor epoch is open again',
      { p1: [e(3)] },
      { p2: [e(2), e(3)] },
      { epoch: 3, authority: 'source' },
    ],
  ] as const)('in %s is plain', (_, source, target, expected) => {
    expect(authorities(source as never, target as never)).toEqual([{ slug: 'products', ...expected }]);
  });

  it.each([
    ['the next epoch prepared on the target, nothing fenced yet', { p1: [e(1)] }, { p2: [e(1), e(2)] }],
    ['the source fenced, no marker yet', { [fenceIndex]: [e(1)] }, { p2: [e(2)] }],
    ['both sides fenced', { [fenceIndex]: [e(1)] }, { [fenceIndex]: [e(1)] }],
    ['a marker of one reign on both sides', { p1: [e(2), marker(2, 2)] }, { p2: [e(2), marker(2, 2)] }],
    ['a rollback prepared', { p1: [e(3)] }, { p2: [e(2), marker(2, 2)] }],
  ])('is unknown with %s', (_, source, target) => {
    expect(authorities(source as never, target as never)).toMatchObject([{ authority: 'unknown' }]);
  });

  it('is unknown when both sides are one cluster', () => {
    const one = answer({ p1: [e(1)], p2: [e(1)] });
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
    p1: [e(2), 'Products', 'shared'],
    q1: [e(2, 1), 'shared'],
    other: ['elsewhere'],
    [fenceIndex]: [e(1), e(1, 1)],
  });
  const target = answer({ p2: [e(2), marker(2, 2), 'new-name'], q2: [e(2, 1)], [fenceIndex]: [e(1)] });

  it('serve the authority alone, under its epoch and reign, with the application aliases of both sides', () => {
    const state = statesFromAliases({ source, target }).states.get('products');
    expect(state).toMatchObject({
      phase: { phase: 'final', epoch: 2, reign: 2 },
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
