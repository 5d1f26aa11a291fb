import { describe, expect, it } from 'vitest';
import { Interruption } from '../../../src/agent/leader/interruption.ts';
import { beginLeading, type Leading, type RouteLeaderDeps } from '../../../src/agent/leader/leading.ts';
import { createSwitchAliases } from '../../../src/agent/leader/switch-aliases.ts';
import { runRouteSwitch } from '../../../src/agent/leader/switch-runner.ts';
import { turn } from '../../../src/agent/leader/turn.ts';
import { routesFromAliases } from '../../../src/coordination/authority-from-aliases.ts';
import { keys } from '../../../src/coordination/keys.ts';
import { switchEpochs } from '../../../src/coordination/phase-machine.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { otherSide, type Side } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import { heardFrom } from '../../support/heartbeats.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { controls, fakePair, noTransforms, routeState } from '../agent/route.ts';

const slug = 'products';

/** Leaders of one route, one after the other, over clusters that stay. */
const world = async (phase: 'dual' | 'target') => {
  const store = new MemoryStore();
  const begun = routeState({ phase, epoch: 4, reign: 2 });
  const pair = fakePair(begun);
  let state: RouteState = {
    ...begun,
    phaseRevision: await store.config.put(keys.phase(slug), JSON.stringify(begun.phase)),
  };
  const runtime = hastyRuntime();
  const lead = (): Promise<Leading> =>
    beginLeading({
      slug,
      member: 'a',
      store,
      clusters: controls(pair),
      members: { view: () => heardFrom({}), refresh: async () => undefined },
      lease: { isHeld: () => true },
      transforms: noTransforms,
      runtime,
      clock: () => '2026-01-01T00:00:00.000Z',
      logger: silentLogger(),
      state: () => state,
      onStep: (_: string, { record, revision }: { record: RouteState['phase']; revision: number }) => {
        state = { ...state, phase: record, phaseRevision: revision };
      },
    } as unknown as RouteLeaderDeps);
  const authority: Side = phase === 'dual' ? 'source' : 'target';
  const prepare = async (): Promise<void> => {
    const { epoch } = state.phase;
    const epochs = { start: epoch, hold: switchEpochs(epoch).hold };
    await createSwitchAliases({ slug, spec: state.spec, clusters: controls(pair), from: authority, epochs }).prepare();
  };
  const takeTurns = async (leading: Leading, count = 2): Promise<void> => {
    for (let i = 0; i < count; i++) await turn(leading, new Interruption(runtime)).catch(() => undefined);
  };
  /** As a process reads it that has nothing but the clusters. */
  const told = async () => {
    const [source, target] = await Promise.all(
      (['source', 'target'] as const).map(async (side) => {
        const found = await controls(pair)[side].getAliases('crossfade-*');
        return Object.fromEntries(Object.entries(found).map(([index, aliases]) => [index, { aliases }]));
      }),
    );
    return routesFromAliases({ source: source!, target: target! })[0];
  };
  return { pair, lead, prepare, takeTurns, told, authority, state: () => state };
};

describe('a switch that was prepared and never held', () => {
  it.each(['dual', 'target'] as const)(
    'leaves one side open for writes in %s once a new leader leads',
    async (phase) => {
      const { lead, prepare, takeTurns, told, authority, state } = await world(phase);
      await takeTurns(await lead());
      expect(await told()).toMatchObject({ authority, epoch: 4 });
      await prepare();
      expect(await told()).toMatchObject({ authority: 'unknown' });
      await takeTurns(await lead());
      expect(state().phase).toMatchObject({ phase, epoch: 8, reign: 2 });
      expect(await told()).toMatchObject({ authority, epoch: 8 });
      // The next one finds its names free.
      await prepare();
    },
  );

  it('leaves one side open for writes when its own leader could not prepare all of it', async () => {
    const { lead, pair, takeTurns, told, state } = await world('dual');
    const leading = await lead();
    await takeTurns(leading);
    const { request } = pair.target.transport;
    pair.target.transport.request = async (ask) => {
      if (ask.path.includes('_refresh')) throw new CrossfadeError('UPSTREAM_TIMEOUT');
      return request(ask);
    };
    await expect(runRouteSwitch(leading, { kind: 'rehearsal', reason: '' })).rejects.toMatchObject({
      code: 'UPSTREAM_TIMEOUT',
    });
    expect(await told()).toMatchObject({ authority: 'unknown' });
    await takeTurns(leading);
    expect(state().phase).toMatchObject({ phase: 'dual', epoch: 8, reign: 2 });
    expect(await told()).toMatchObject({ authority: 'source', epoch: 8 });
  });

  it('leaves one side open for writes though a leader that woke up late prepares it when that is over', async () => {
    const { lead, prepare, takeTurns, told, state, authority } = await world('dual');
    const leading = await lead();
    await takeTurns(leading);
    await prepare();
    await takeTurns(leading, 7);
    expect(await told()).toMatchObject({ authority, epoch: 8 });
    expect(state().phase.epoch).toBe(8);
  });

  it('is not passed over while the follower cannot open what the copies would go through', async () => {
    const { lead, prepare, pair, takeTurns, authority, state } = await world('dual');
    const { transport } = pair[otherSide(authority)];
    const { request } = transport;
    transport.request = async (ask) => {
      if (ask.method === 'POST' && ask.path.includes('_aliases')) throw new CrossfadeError('UPSTREAM_UNREACHABLE');
      return request(ask);
    };
    await expect(prepare()).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    const leading = await lead();
    await takeTurns(leading, 3);
    expect(state().phase.epoch).toBe(4);
    transport.request = request;
    await takeTurns(leading);
    expect(state().phase.epoch).toBe(8);
  });
});
