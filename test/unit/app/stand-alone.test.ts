import { describe, expect, it } from 'vitest';
import { standAlone } from '../../../src/app/stand-alone.ts';
import { authorityMarker, copyAlias, epochAlias, fenceIndex } from '../../../src/coordination/keys.ts';
import { otherSide, type Phase, type Side } from '../../../src/coordination/records.ts';
import { CrossfadeError } from '../../../src/errors.ts';
import { silentLogger } from '../../../src/log.ts';
import { createFakeCluster } from '../../sim/fake-cluster.ts';
import { routeState } from '../agent/route.ts';

const names = { source: 'p1', target: 'p2' } as const;

/** Two clusters as in epoch 1 of a route in `phase`, and a process beside them that nobody has heard of. */
const setUp = (phase: Phase = 'dual') => {
  const state = routeState({ phase, epoch: 1 });
  const authority: Side = phase === 'target' ? 'target' : 'source';
  const clusters = {
    source: createFakeCluster({ now: () => 0, name: 'source' }),
    target: createFakeCluster({ now: () => 0, name: 'target' }),
  };
  const point = (side: Side, alias: string, index: string): void => {
    const { storage } = clusters[side];
    const remove = [...(storage.aliases.get(alias) ?? [])].map((held) => ({
      kind: 'remove' as const,
      index: held,
      alias,
    }));
    storage.updateAliases([...remove, { kind: 'add', index, alias }]);
  };
  for (const side of ['source', 'target'] as const) {
    clusters[side].storage.createIndex(fenceIndex, { blocked: true });
    for (const pair of state.spec.indices) clusters[side].storage.createIndex(pair[side]);
  }
  state.spec.indices.forEach((pair, ordinal) => {
    point(authority, epochAlias(state.slug, 1, ordinal), pair[authority]);
    point(otherSide(authority), copyAlias(state.slug, 1, ordinal), pair[otherSide(authority)]);
  });
  const log: string[] = [];
  let heard = false;
  let over = false;
  let unreadable = false;
  let release: (() => void) | undefined;
  const view = {
    states: () => new Map([[state.slug, state]]),
    inDoubt: () => [],
    standAlone: (mayServe: boolean) => void log.push(mayServe ? 'serves' : 'refuses'),
    catchUp: () => void log.push('catches up'),
    takePart: () => void log.push('takes part'),
  };
  const transports = { source: clusters.source.transport, target: clusters.target.transport };
  const deps = {
    view,
    transports,
    heard: () => heard,
    isRecent: false,
    isOver: () => over,
    refresh: async () => {
      if (unreadable) throw new CrossfadeError('STORE_UNAVAILABLE');
      log.push('looks at the phases');
    },
    pause: () => new Promise<void>((resolve) => (release = resolve)),
    logger: silentLogger(),
  };
  const turn = async (): Promise<void> => {
    release?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const given = () =>
    (clusters[authority].storage.indices.get(names[authority])?.shards ?? []).reduce(
      (sum, { nextSeq }) => sum + nextSeq,
      0,
    );
  const hear = (readable = true): void => {
    heard = true;
    unreadable = !readable;
  };
  return { deps, log, point, state, turn, given, hear, end: () => (over = true) };
};

describe('a process that nobody has heard of', () => {
  it('serves its epoch after it took a sequence number that nobody accounts for', async () => {
    const { deps, log, given } = setUp();
    await standAlone(deps);
    expect(log).toEqual(['refuses', 'catches up', 'serves']);
    expect(given()).toBe(1);
  });

  it('serves routes whose indices require a routing', async () => {
    const { deps, log } = setUp();
    const { source } = deps.transports;
    const request: typeof source.request = async (asked) =>
      asked.method === 'DELETE' && !asked.path.includes('routing=')
        ? { status: 400, headers: {}, body: Buffer.from('{"error":{"type":"routing_missing_exception"},"status":400}') }
        : source.request(asked);
    await standAlone({ ...deps, transports: { ...deps.transports, source: { request } } });
    expect(log.at(-1)).toBe('serves');
  });

  it.each([
    [
      'a switch has been prepared',
      (w: ReturnType<typeof setUp>) => w.point('source', epochAlias('products', 5, 0), names.source),
    ],
    [
      'its epoch is fenced',
      (w: ReturnType<typeof setUp>) => w.point('source', epochAlias('products', 1, 0), fenceIndex),
    ],
  ])('serves nothing when %s', async (_, prepare) => {
    const world = setUp();
    prepare(world);
    await standAlone(world.deps);
    expect(world.log.at(-1)).toBe('refuses');
  });

  it('serves nothing while the authority cannot be asked, and tries again', async () => {
    const { deps, log, turn } = setUp();
    let down = true;
    const { source } = deps.transports;
    const request: typeof source.request = (asked) =>
      down ? Promise.reject(new CrossfadeError('UPSTREAM_UNREACHABLE')) : source.request(asked);
    await standAlone({ ...deps, transports: { ...deps.transports, source: { request } } });
    expect(log.at(-1)).toBe('refuses');
    down = false;
    await turn();
    expect(log.at(-1)).toBe('serves');
  });

  it('stops serving when its epoch is over', async () => {
    const { deps, log, point, turn } = setUp();
    await standAlone(deps);
    point('source', epochAlias('products', 1, 0), fenceIndex);
    await turn();
    expect(log.at(-1)).toBe('refuses');
  });

  it('looks at the phases and takes part once it is heard', async () => {
    const { deps, log, turn, hear } = setUp();
    await standAlone(deps);
    hear();
    await turn();
    expect(log.slice(-2)).toEqual(['looks at the phases', 'takes part']);
  });

  it('stays with its refusal while it is heard and cannot read the phases, until it has read them', async () => {
    const { deps, log, point, turn, hear } = setUp('off');
    point('source', epochAlias('products', 3, 0), names.source);
    await standAlone(deps);
    hear(false);
    await turn();
    await turn();
    expect([log.at(-1), log.includes('takes part')]).toEqual(['refuses', false]);
    hear();
    await turn();
    expect(log.slice(-2)).toEqual(['looks at the phases', 'takes part']);
  });

  it('looks on whether its epoch is the present one while it is heard and cannot read the phases', async () => {
    const { deps, log, point, turn, hear } = setUp();
    await standAlone(deps);
    hear(false);
    point('source', epochAlias('products', 1, 0), fenceIndex);
    await turn();
    expect(log.at(-1)).toBe('refuses');
  });

  it('ends as it stands when the process does, and takes no part', async () => {
    const { deps, log, point, turn, end } = setUp('off');
    point('source', epochAlias('products', 3, 0), names.source);
    await standAlone(deps);
    const before = [...log];
    end();
    await turn();
    await turn();
    expect(log).toEqual(before);
    expect(before.at(-1)).toBe('refuses');
  });

  it('serves a route that is off for it only while no alias tells that it has left off', async () => {
    const quiet = setUp('off');
    await standAlone(quiet.deps);
    expect([quiet.log.at(-1), quiet.given()]).toEqual(['serves', 0]);
    const late = setUp('off');
    late.point('source', epochAlias('products', 3, 0), names.source);
    await standAlone(late.deps);
    expect(late.log.at(-1)).toBe('refuses');
  });

  it('stops serving a route that is off for it when that leaves off', async () => {
    const { deps, log, point, turn } = setUp('off');
    await standAlone(deps);
    expect(log.at(-1)).toBe('serves');
    point('source', epochAlias('products', 3, 0), fenceIndex);
    await turn();
    expect(log.at(-1)).toBe('refuses');
  });

  const strangers: [string, (world: ReturnType<typeof setUp>) => void][] = [
    ['has open writes', ({ point }) => point('source', epochAlias('orders', 1, 0), names.source)],
    [
      'has been cut over',
      ({ point }) => {
        point('source', epochAlias('orders', 1, 0), fenceIndex);
        point('target', epochAlias('orders', 4, 0), names.target);
        point('target', authorityMarker('orders', 4, 2), names.target);
      },
    ],
  ];
  it.each(strangers)('serves nothing where a route that it does not know %s', async (_, happen) => {
    const world = setUp();
    happen(world);
    await standAlone(world.deps);
    expect(world.log.at(-1)).toBe('refuses');
  });

  it.each(strangers)('serves nothing where it knows no routes and one %s', async (_, happen) => {
    const world = setUp();
    happen(world);
    await standAlone({ ...world.deps, view: { ...world.deps.view, states: () => new Map() } });
    expect(world.log.at(-1)).toBe('refuses');
  });

  it.each(strangers)(
    'serves what was true minutes ago, also where a route that it does not know %s',
    async (_, happen) => {
      const world = setUp();
      happen(world);
      await standAlone({ ...world.deps, isRecent: true });
      expect(world.log.at(-1)).toBe('serves');
    },
  );

  it.each(strangers)('stops serving when a route that it does not know %s', async (_, happen) => {
    const world = setUp();
    await standAlone(world.deps);
    expect(world.log.at(-1)).toBe('serves');
    happen(world);
    await world.turn();
    expect(world.log.at(-1)).toBe('refuses');
  });

  it('asks the target when that has the authority', async () => {
    const { deps, log, given } = setUp('target');
    await standAlone(deps);
    expect(log.at(-1)).toBe('serves');
    expect(given()).toBe(1);
  });
});
