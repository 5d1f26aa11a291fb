import { describe, expect, test } from 'vitest';
import { createRouteView } from '../../../src/app/route-view.ts';
import type { RouteStates } from '../../../src/coordination/ports.ts';
import type { Knowledge, WatcherStatus } from '../../../src/coordination/route-watcher.ts';
import { routeState } from '../../support/routes.ts';

/** A watcher moved by hand, and everything that admission was told. */
const world = (knowledge: Knowledge = 'unknown') => {
  const told: RouteStates[] = [];
  const listeners = new Set<(states: RouteStates) => void>();
  const status: WatcherStatus = {
    knowledge,
    stale: false,
    staleMs: 0,
    incarnation: 'i',
    cacheAgeMs: undefined,
    alarm: undefined,
    errors: [],
    withoutSpec: [],
  };
  let states: RouteStates = new Map();
  const watcher = {
    current: () => states,
    status: () => status,
    onChange: (listener: (states: RouteStates) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const view = createRouteView({ watcher, admission: { apply: (given) => told.push(given) }, sameCluster: false });
  const change = (next: RouteStates, now: Knowledge = 'live') => {
    states = next;
    status.knowledge = now;
    for (const listener of listeners) listener(next);
  };
  return { view, told, status, change };
};
const products = routeState();
const states: RouteStates = new Map([['products', products]]);

describe('the routes as a member serves them', () => {
  test('refuse every request until the store, its cache or the aliases have told something', () => {
    const { view } = world();
    expect(view.refusal()?.code).toBe('AUTHORITY_UNKNOWN');
    expect(view.table().states).toEqual([]);
  });

  test.each(['cached', 'live'] as const)('are served once they are %s', (knowledge) => {
    const { view, change } = world();
    change(states, knowledge);
    expect(view.refusal()).toBeUndefined();
    expect(view.state('products')).toBe(products);
    expect(view.table().lookup('products')).toHaveLength(1);
  });

  test('are known after the first listing of an empty store', () => {
    const { view, change } = world();
    expect(view.refusal()).toBeDefined();
    change(new Map());
    expect(view.refusal()).toBeUndefined();
  });

  test('are known to admission before the table holds them', () => {
    const { view, told, change } = world();
    const seen: number[] = [];
    view.onChange(() => seen.push(told.length));
    change(states);
    expect(told).toEqual([states]);
    expect(seen).toEqual([1]);
  });

  test('are refused again while a route is in force whose spec nobody knows', () => {
    const { view, status, change } = world('live');
    expect(view.refusal()).toBeUndefined();
    status.withoutSpec = ['orders'];
    change(states);
    expect(view.refusal()?.message).toContain('orders');
    status.withoutSpec = [];
    change(new Map(states));
    expect(view.refusal()).toBeUndefined();
  });
});

describe('a process that stands alone', () => {
  test('stays with what it knows, and serves it only if it may', () => {
    const { view, change } = world('cached');
    change(states);
    view.standAlone(true);
    change(new Map());
    expect(view.state('products')).toBe(products);
    expect(view.refusal()).toBeUndefined();
    expect(view.unknownAuthority()).toEqual([]);
    view.standAlone(false);
    expect(view.refusal()?.code).toBe('AUTHORITY_UNKNOWN');
    expect(view.unknownAuthority()).toEqual(['*']);
  });

  test('catches up with what has become known without following from there on', () => {
    const { view, change } = world('cached');
    view.standAlone(false);
    change(states);
    expect(view.state('products')).toBeUndefined();
    view.catchUp();
    expect(view.state('products')).toBe(products);
    expect(view.refusal()?.code).toBe('AUTHORITY_UNKNOWN');
    change(new Map());
    expect(view.state('products')).toBe(products);
    view.takePart();
    expect(view.state('products')).toBeUndefined();
    expect(view.refusal()).toBeUndefined();
  });

  test('keeps what the aliases tell until it catches up', () => {
    const { view } = world();
    view.standAlone(false);
    view.learnFromAliases({
      source: { products_v1: { aliases: { 'crossfade-products-e1': {}, products: {} } } },
      target: {},
    });
    expect(view.state('products')).toBeUndefined();
    view.catchUp();
    expect(view.state('products')?.phase.epoch).toBe(1);
  });
});

describe('the aliases of the clusters', () => {
  const source = { products_v1: { aliases: { 'crossfade-products-e1': {}, products: {} } } };

  test('tell the routes while nothing else has', () => {
    const { view, told } = world();
    view.learnFromAliases({ source, target: {} });
    expect(view.refusal()).toBeUndefined();
    expect(view.state('products')?.phase).toMatchObject({ phase: 'observe', epoch: 1 });
    expect(told).toHaveLength(1);
  });

  test('that show a switch under way leave every request refused', () => {
    const { view } = world();
    view.learnFromAliases({ source: { 'crossfade-fence': { aliases: { 'crossfade-products-e1': {} } } }, target: {} });
    expect(view.refusal()?.message).toContain('products');
  });

  test('give way to the store as soon as it has answered, and are not asked again', () => {
    const { view, change } = world();
    view.learnFromAliases({ source, target: {} });
    change(states);
    expect(view.state('products')).toBe(products);
    view.learnFromAliases({ source: {}, target: {} });
    expect(view.state('products')).toBe(products);
  });
});
