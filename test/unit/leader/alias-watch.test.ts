import { describe, expect, it } from 'vitest';
import { keepAliases } from '../../../src/agent/leader/alias-watch.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import { epochAlias } from '../../../src/coordination/keys.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { controls, fakePair, routeState } from '../agent/route.ts';

/** A route in final, after the application's alias has moved to the target. */
const inFinal = () => {
  const state = routeState({ phase: 'final', epoch: 4, reign: 2 }, { aliases: ['products'] });
  const pair = fakePair({ ...state, phase: { ...state.phase, phase: 'target' } });
  pair.source.storage.createIndex('another');
  pair.source.storage.updateAliases([{ kind: 'add', index: 'another', alias: 'products' }]);
  const alarms = new Map<string, string | undefined>();
  const work = { setAlarm: (name: string, text: string | undefined) => alarms.set(name, text) };
  const leading = { deps: { slug: state.slug, clusters: controls(pair) }, work } as unknown as Leading;
  const watch = async () => {
    for (let turns = 0; turns < 6; turns++) await keepAliases(leading, state);
    return alarms.get('aliases');
  };
  return { pair, state, watch };
};

/** A route in observe, whose application uses an alias. */
const observed = (spec: Record<string, unknown> = { aliases: ['products'] }) => {
  const state = routeState({ phase: 'observe', epoch: 1 }, spec);
  const pair = fakePair({ ...state, phase: { ...state.phase, phase: 'dual' } });
  pair.source.storage.createIndex('another');
  const alarms = new Map<string, string | undefined>();
  const work = { setAlarm: (name: string, text: string | undefined) => alarms.set(name, text) };
  const leading = { deps: { slug: state.slug, clusters: controls(pair) }, work } as unknown as Leading;
  return { pair, state, leading, alarms };
};

describe('the aliases of a route in final', () => {
  it('are left alone on the source, where the application takes its own away', async () => {
    expect(await inFinal().watch()).toBeUndefined();
  });

  it('are watched while the source is switched off', async () => {
    const { pair, watch } = inFinal();
    pair.source.transport.request = () => Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE'));
    expect(await watch()).toBeUndefined();
  });

  it('are watched on the target, where writes go', async () => {
    const { pair, state, watch } = inFinal();
    const alias = epochAlias(state.slug, 4, 0);
    pair.target.storage.createIndex('another');
    pair.target.storage.updateAliases([
      { kind: 'remove', index: 'p2', alias },
      { kind: 'add', index: 'another', alias },
    ]);
    expect(await watch()).toContain(alias);
  });
});

describe('an index of the source that is called like the target', () => {
  const inPhase = async (phase: 'dual' | 'target') => {
    const state = routeState({ phase, epoch: 4, reign: phase === 'dual' ? 1 : 2 });
    const pair = fakePair(state);
    const alarms = new Map<string, string | undefined>();
    const work = { setAlarm: (name: string, text: string | undefined) => alarms.set(name, text) };
    const job = { current: () => ({}) };
    const leading = { deps: { slug: state.slug, clusters: controls(pair) }, work, job } as unknown as Leading;
    const watch = async () => {
      for (let turns = 0; turns < 6; turns++) await keepAliases(leading, state);
      return alarms.get('namesakes');
    };
    return { pair, watch };
  };

  it('bars the cutover, which would put it out of the application’s reach, and not the way back', async () => {
    const before = await inPhase('dual');
    expect(await before.watch()).toBeUndefined();
    before.pair.source.storage.createIndex('p2');
    expect(await before.watch()).toContain('p2');
    const after = await inPhase('target');
    after.pair.source.storage.createIndex('p2');
    expect(await after.watch()).toBeUndefined();
  });
});

describe('the alarm of moved aliases', () => {
  const watched = async () => {
    const { pair, state, leading, alarms } = observed();
    pair.source.storage.updateAliases([{ kind: 'add', index: 'another', alias: 'products' }]);
    const turns = async (now: RouteState, count = 6) => {
      for (let turn = 0; turn < count; turn++) await keepAliases(leading, now);
      return alarms.get('aliases');
    };
    expect(await turns(state)).toBe('somebody moved products on the source');
    return { state, turns };
  };

  it('ends when the route goes off', async () => {
    const { state, turns } = await watched();
    expect(await turns({ ...state, phase: { ...state.phase, phase: 'off' }, phaseRevision: 2 })).toBeUndefined();
  });

  it('ends with the record under which it was seen, and comes back with the look after that', async () => {
    const { state, turns } = await watched();
    const next = { ...state, phaseRevision: 2 };
    expect(await turns(next, 1)).toBeUndefined();
    expect(await turns(next, 1)).toBeDefined();
  });
});

describe('an alias of the application on the source', () => {
  it.each([
    [
      'another write index',
      { is_write_index: true },
      'it takes writes on b1, and through the route they would go to a1',
    ],
    ['a routing', { is_write_index: false, index_routing: 'r', search_routing: 'r' }, 'it carries on b1 the routing r'],
    ['a filter', { is_write_index: false, filter: { term: { a: 1 } } }, 'it has a filter'],
  ])('is an alarm when it is given %s while the route runs', async (_what, ofB, text) => {
    let b: Record<string, unknown> = { is_write_index: false };
    const indices = [
      { source: 'a1', target: 'a2' },
      { source: 'b1', target: 'b2' },
    ];
    const { leading, state, alarms } = observed({ indices, aliases: [{ name: 'products', writeIndex: 'a1' }] });
    const { getAliases } = leading.deps.clusters.source;
    const told = async (name: string) =>
      name === 'products'
        ? { a1: { products: { is_write_index: b['is_write_index'] !== true } }, b1: { products: b } }
        : getAliases(name);
    leading.deps.clusters.source.getAliases = told;
    leading.deps.clusters.source.within = () => leading.deps.clusters.source;
    const turns = async () => {
      for (let turn = 0; turn < 6; turn++) await keepAliases(leading, state);
      return alarms.get('aliases');
    };
    expect(await turns()).toBeUndefined();
    b = ofB;
    expect(await turns()).toContain(`somebody changed products on the source: ${text}`);
    b = { is_write_index: false };
    expect(await turns()).toBeUndefined();
  });
});
