import { describe, expect, it } from 'vitest';
import { keepAliases } from '../../../src/agent/leader/alias-watch.ts';
import type { Leading } from '../../../src/agent/leader/leading.ts';
import { epochAlias } from '../../../src/coordination/keys.ts';
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
