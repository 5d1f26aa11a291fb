/** Route states for tests of pure code: a valid spec with defaults, in the phase wanted. */
import type { RouteState } from '../../src/coordination/ports.ts';
import { initialPhase, type Percents, type Phase } from '../../src/coordination/records.ts';
import { RouteSpec } from '../../src/coordination/route-spec.ts';
import { createRouteTable } from '../../src/proxy/route-table.ts';
import type { RouteTable } from '../../src/proxy/types.ts';

export type RouteOptions = {
  slug?: string;
  phase?: Phase;
  indices?: readonly { source: string; target: string }[];
  aliases?: readonly unknown[];
  adminPolicy?: 'refuse' | 'authority';
  percent?: Partial<Percents>;
  stop?: boolean;
};

export const routeState = ({
  slug = 'products',
  phase = 'dual',
  indices = [{ source: 'products_v1', target: 'products_v2' }],
  aliases = ['products'],
  adminPolicy = 'refuse',
  percent = {},
  stop = false,
}: RouteOptions = {}): RouteState => ({
  slug,
  spec: RouteSpec.parse({ route: slug, indices, aliases, adminPolicy }),
  specRevision: 1,
  phase: { ...initialPhase, phase, epoch: 1 },
  phaseRevision: 2,
  percent: { read: 0, shadow: 0, write: 100, ...percent },
  stop,
  rate: undefined,
  errors: [],
});

const tableFor =
  (sameCluster: boolean) =>
  (...states: readonly RouteState[]): RouteTable =>
    createRouteTable(new Map(states.map((state) => [state.slug, state])), { sameCluster });

/** Where the sides are two clusters. */
export const tableOf = tableFor(false);
export const oneClusterTableOf = tableFor(true);
