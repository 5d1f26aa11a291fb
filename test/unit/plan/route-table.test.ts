import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Phase } from '../../../src/coordination/records.ts';
import { writeIndexOf } from '../../../src/proxy/route-table.ts';
import type { Resolution, RoutedIndex } from '../../../src/proxy/types.ts';
import { oneClusterTableOf, routeState, tableOf } from '../../support/routes.ts';

const now = new Date('2026-03-31T12:00:00Z');
const products = routeState();
const logs = routeState({
  slug: 'logs',
  indices: [
    { source: 'logs-2026.03', target: 'logs-new-2026.03' },
    { source: 'logs-2026.04', target: 'logs-new-2026.04' },
  ],
  aliases: [
    'logs',
    { name: 'logs-write', writeIndex: 'logs-2026.04' },
    { name: 'logs-old', indices: ['logs-2026.03'] },
  ],
});
const tenants = routeState({
  slug: 'tenants',
  indices: [{ source: 'tenants_v1', target: 'tenants_v1' }],
  aliases: [
    { name: 'tenant-a', routing: 'a' },
    { name: 'tenant-b', routing: 'b' },
  ],
});
const off = routeState({
  slug: 'idle',
  phase: 'off',
  indices: [{ source: 'idle', target: 'idle2' }],
  aliases: ['lazy'],
});
const table = oneClusterTableOf(products, logs, tenants, off);

const named = ({ state, ordinal, aliasRouting }: RoutedIndex) =>
  `${state.slug}/${ordinal}${aliasRouting === undefined ? '' : `?${aliasRouting}`}`;
const shown = (resolution: Resolution): string => {
  if (resolution.kind === 'none') return 'none';
  if (resolution.kind === 'route') return resolution.indices.map(named).join(' ');
  return `mixed ${resolution.states.map((state) => state.slug).join(' ')}${resolution.unrouted ? ' and others' : ''}`;
};

describe('names of routes', () => {
  it('are those of routes that are not off', () => {
    expect(table.states.map((state) => state.slug)).toEqual(['products', 'logs', 'tenants']);
    expect(table.lookup('idle')).toBeUndefined();
    expect(table.lookup('lazy')).toBeUndefined();
  });

  it.each([
    ['products_v1', ['products/0']],
    ['products_v2', ['products/0']],
    ['products', ['products/0']],
    ['logs', ['logs/0', 'logs/1']],
    ['logs-old', ['logs/0']],
    ['tenant-a', ['tenants/0?a']],
    ['tenants_v1', ['tenants/0']],
  ])('%s leads to %j', (name, expected) => {
    expect(table.lookup(name)?.map(named)).toEqual(expected);
  });

  it.each(['', 'product', '_all', '*', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'products*'])(
    '%j leads nowhere',
    (name) => {
      expect(table.lookup(name)).toBeUndefined();
    },
  );

  it('belong to the route whose source or alias they are before one whose target they are', () => {
    const first = routeState({ slug: 'first', indices: [{ source: 'a', target: 'b' }], aliases: [] });
    const second = routeState({ slug: 'second', indices: [{ source: 'b', target: 'c' }], aliases: [] });
    expect(tableOf(first, second).lookup('b')?.map(named)).toEqual(['second/0']);
    expect(tableOf(second, first).lookup('b')?.map(named)).toEqual(['second/0']);
  });

  it('stand for one index even when an alias repeats its name', () => {
    const odd = routeState({ indices: [{ source: 'a', target: 'b' }], aliases: ['a'] });
    expect(tableOf(odd).lookup('a')?.map(named)).toEqual(['products/0']);
  });
});

describe('index expressions against routes', () => {
  it.each([
    ['products', 'products/0'],
    ['products,products_v1', 'products/0'],
    ['<products_v{now/d{d}}>', 'none'],
    ['<products>', 'products/0'],
    ['<logs-{now/M{uuuu.MM}}>', 'logs/0'],
    ['<logs-{now+1d/M{uuuu.MM}}>,logs-2026.03', 'logs/1 logs/0'],
    ['<logs-{now{MMM}}>', 'mixed logs and others'],
    ['<other-{now{MMM}}>', 'none'],
    ['other', 'none'],
    ['other,more', 'none'],
    ['idle', 'none'],
    ['products,other', 'mixed products and others'],
    ['products,logs', 'mixed products logs'],
    ['products,,', 'products/0'],
    ['products,', 'products/0'],
    ['', 'mixed products logs tenants and others'],
    ['_all', 'mixed products logs tenants and others'],
    ['*', 'mixed products logs tenants and others'],
    ['prod*', 'mixed products and others'],
    ['*_v2', 'mixed products and others'],
    ['tenant-*', 'mixed tenants and others'],
    ['other*', 'none'],
    ['other*,products', 'mixed products and others'],
    ['*,-products*', 'mixed logs tenants and others'],
    ['prod*,-products_v1,-products_v2', 'none'],
    ['prod*,-products_v1', 'mixed products and others'],
    ['products_v1*,-products_v1', 'none'],
    ['prod*,-products', 'mixed products and others'],
    ['*,-tenant-*', 'mixed products logs and others'],
    ['-products', 'none'],
    ['products,-products', 'mixed products and others'],
    ['logs-*,-logs-old', 'mixed logs and others'],
    ['remote:products', 'none'],
    ['remote:*', 'none'],
    ['remote:products,products', 'mixed products and others'],
    ['tenant-a,tenants_v1', 'tenants/0'],
    ['tenant-a,tenant-b', 'tenants/0?a,b'],
    ['idle*', 'none'],
    ['__proto__', 'none'],
    ['constructor,products', 'mixed products and others'],
  ])('%j is %s', (expression, expected) => {
    expect(shown(table.resolve(expression, now))).toBe(expected);
  });

  it('are all unrouted while every route is off', () => {
    for (const expression of ['', '*', '_all', 'idle', 'idle*'])
      expect(tableOf(off).resolve(expression, now)).toEqual({ kind: 'none' });
  });

  it('never lose a route that an inclusion names and no exclusion covers', () => {
    const name = fc.constantFrom('products', 'products_v1', 'products_v2', 'prod*', '*_v1', '*', '_all');
    const other = fc.constantFrom('other', 'zzz*', 'remote:x', '<a-{now/d}>');
    const list = fc.tuple(name, fc.array(other), fc.array(other));
    fc.assert(
      fc.property(list, ([hit, before, after]) => {
        const resolution = table.resolve([...before, hit, ...after].join(','), now);
        const slugs = resolution.kind === 'mixed' ? resolution.states.map((state) => state.slug) : [];
        expect(resolution.kind === 'route' ? resolution.state.slug : slugs).toContain('products');
      }),
    );
  });
});

describe('the index of an alias that takes writes', () => {
  const writeIndex = (name: string) => {
    const index = writeIndexOf(name, table.lookup(name) ?? []);
    return index === undefined ? undefined : named(index);
  };

  it.each([
    ['products', 'products/0'],
    ['logs-write', 'logs/1'],
    ['logs-old', 'logs/0'],
    ['logs-2026.03', 'logs/0'],
    ['tenant-a', 'tenants/0?a'],
    ['logs', undefined],
    ['other', undefined],
  ])('of %s is %s', (name, expected) => {
    expect(writeIndex(name)).toBe(expected);
  });
});

describe('the name of a target', () => {
  const route = (phase: Phase, reign = 1, percentFloor = 0) => {
    const state = routeState({ phase, indices: [{ source: 'a', target: 'b' }], aliases: [] });
    return { ...state, phase: { ...state.phase, reign, percentFloor } };
  };
  const follower = (phase: Phase) =>
    routeState({ slug: 'next', phase, indices: [{ source: 'b', target: 'c' }], aliases: ['d'] });

  it.each([
    ['observe', 1],
    ['dual', 1],
    // An index that was made anew begins a reign without a switch.
    ['dual', 2],
  ] as const)(
    'is that of an index of the source, where the sides are two clusters and nothing has moved: %s in reign %i',
    (phase, reign) => {
      const two = tableOf(route(phase, reign));
      expect(two.lookup('b')).toBeUndefined();
      expect(shown(two.resolve('b', now))).toBe('none');
      expect(shown(two.resolve('b*', now))).toBe('none');
      expect(shown(two.resolve('a,b', now))).toBe('mixed products and others');
      expect(oneClusterTableOf(route(phase)).lookup('b')?.map(named)).toEqual(['products/0']);
    },
  );

  it.each([route('target', 2), route('final', 2), route('dual', 3, 17)])(
    'is the route’s once the target has had the authority, be it again or no more: case %#',
    (state) => {
      const two = tableOf(state);
      expect(two.lookup('b')?.map(named)).toEqual(['products/0']);
      expect(shown(two.resolve('b*', now))).toBe('mixed products and others');
    },
  );

  it('is never taken from a route that has it on its source, be it off, where the sides are two clusters', () => {
    for (const phase of ['off', 'observe'] as const) {
      const two = tableOf(route('target', 2), follower(phase));
      expect(two.lookup('b')?.map(named)).toEqual(phase === 'off' ? undefined : ['next/0']);
    }
    const alias = routeState({ phase: 'target', indices: [{ source: 'a', target: 'd' }], aliases: [] });
    expect(tableOf(alias, follower('off')).lookup('d')).toBeUndefined();
    expect(oneClusterTableOf(route('dual'), follower('off')).lookup('b')?.map(named)).toEqual(['products/0']);
  });
});
