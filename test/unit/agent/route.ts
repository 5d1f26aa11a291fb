/** A route in a phase, as the engine is given it. */
import { createClusterControl } from '../../../src/agent/cluster.ts';
import { createTransforms } from '../../../src/agent/transform.ts';
import { copyAlias, epochAlias } from '../../../src/coordination/keys.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import { initialPhase, type PhaseRecord } from '../../../src/coordination/records.ts';
import { RouteSpec } from '../../../src/coordination/route-spec.ts';
import { createFakeCluster, type FakeCluster, type FakeOptions } from '../../sim/fake-cluster.ts';

export const routeState = (over: Partial<PhaseRecord> = {}, spec: Record<string, unknown> = {}): RouteState => ({
  slug: 'products',
  spec: RouteSpec.parse({
    route: 'products',
    indices: [{ source: 'p1', target: 'p2' }],
    ...spec,
  }) as RouteState['spec'],
  specRevision: 1,
  phase: { ...initialPhase, phase: 'dual', epoch: 1, ...over },
  phaseRevision: 1,
  percent: { read: 0, shadow: 0, write: 100 },
  stop: false,
  rate: undefined,
  errors: [],
});

export const noTransforms = createTransforms(() => Promise.reject(new Error('no transform in this test')));

export type Pair = { source: FakeCluster; target: FakeCluster };

/** Two fake clusters with the route's indices and the aliases of its epoch. */
export const fakePair = (state: RouteState, now: () => number = () => 0, source: Partial<FakeOptions> = {}): Pair => {
  const pair = {
    source: createFakeCluster({ now, name: 'source', shards: 2, ...source }),
    target: createFakeCluster({ now, name: 'target', shards: 3 }),
  };
  state.spec.indices.forEach((names, ordinal) => {
    pair.source.storage.createIndex(names.source);
    pair.target.storage.createIndex(names.target);
    openEpoch(pair, state, ordinal);
  });
  return pair;
};

export const openEpoch = ({ source, target }: Pair, { slug, spec, phase }: RouteState, ordinal = 0): void => {
  const names = spec.indices[ordinal] as RouteSpec['indices'][number];
  const forward = phase.phase === 'dual';
  const name = (authority: boolean) => (authority ? epochAlias : copyAlias)(slug, phase.epoch, ordinal);
  source.storage.updateAliases([{ kind: 'add', index: names.source, alias: name(forward) }]);
  target.storage.updateAliases([{ kind: 'add', index: names.target, alias: name(!forward) }]);
};

export const controls = ({ source, target }: Pair) => ({
  source: createClusterControl(source.transport),
  target: createClusterControl(target.transport),
});
