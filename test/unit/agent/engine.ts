/** The engine's inputs and outputs over two fake clusters, and writes as an application would make them. */
import type { CopyIo } from '../../../src/agent/copy-page.ts';
import { type Direction, directionOf } from '../../../src/agent/direction.ts';
import { createQuarantine } from '../../../src/agent/quarantine.ts';
import type { RouteState } from '../../../src/coordination/ports.ts';
import type { FakeOptions } from '../../sim/fake-cluster.ts';
import { hastyRuntime } from '../../support/manual-runtime.ts';
import { controls, fakePair, type Pair, routeState } from './route.ts';

export type Engine = {
  state: RouteState;
  pair: Pair;
  direction: Direction;
  io: Omit<CopyIo, 'onPage'>;
  /** On the authority, as clients do. */
  put(id: string, source: unknown, routing?: string): void;
  remove(id: string, routing?: string): void;
  contents(side: 'source' | 'target'): Record<string, string>;
};

export const engine = (
  phase: Parameters<typeof routeState>[0] = {},
  spec: Record<string, unknown> = {},
  source: Partial<FakeOptions> = {},
): Engine => {
  const state = routeState(phase, spec);
  const pair = fakePair(state, undefined, source);
  const direction = directionOf(state);
  const authority = pair[direction.authority].storage;
  const name = (side: 'source' | 'target') => state.spec.indices[0]?.[side] as string;
  const index = name(direction.authority);
  return {
    state,
    pair,
    direction,
    io: {
      clusters: controls(pair),
      runtime: hastyRuntime(),
      direction,
      transform: undefined,
      limits: { pageBytes: 2000, maxPageDocs: 10 },
      quarantine: createQuarantine(),
    },
    put: (id, source, routing) => {
      authority.write({
        op: 'index',
        index,
        id,
        routing,
        source: typeof source === 'string' ? source : JSON.stringify(source),
      });
    },
    remove: (id, routing) => {
      authority.write({ op: 'delete', index, id, routing });
    },
    contents: (side) =>
      Object.fromEntries([...pair[side].storage.contents(name(side))].map(([id, doc]) => [id, doc.source])),
  };
};
