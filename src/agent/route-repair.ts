/**
 * Repair of given documents of a route, for whoever knows only ids: a delete by query, an operator, a quarantine that is
 * tried again. Pins the authority's indices at first use under a phase record, so that a later recreation cannot pass for
 * deletes; a stay in `dual` that begins after one has a record of its own.
 */
import type { RouteState } from '../coordination/ports.ts';
import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import type { ClusterControl } from './cluster.ts';
import { type Direction, directionOf } from './direction.ts';
import { type IndexPosition, takePosition } from './positions.ts';
import type { DocAddressOf, QuarantineRecord } from './quarantine.ts';
import { createQuarantine } from './quarantine.ts';
import { type Overwrite, type Repaired, type RepairIo, repairIds } from './repair.ts';
import type { Runtime } from './runtime.ts';
import type { Transforms } from './transform.ts';

export type RouteRepairOptions = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  transforms: Transforms;
};
export interface RouteRepair {
  /**
   * An outcome per document; never throws for what a cluster does to one document.
   * @throws CrossfadeError when the route's indices cannot be looked up or the transform cannot be loaded.
   */
  repair(state: RouteState, docs: readonly DocAddressOf[], options?: RepairCall): Promise<Repaired[]>;
}
export type RepairCall = { overwrite?: Overwrite | undefined; signal?: AbortSignal };

type SideIo = { clusters: Record<Side, ClusterControl>; runtime: Runtime; direction: Direction };

const pinAuthority = async ({ clusters, runtime, direction }: SideIo): Promise<IndexPosition[]> => {
  const { authority, spec } = direction;
  return Promise.all(
    spec.indices.map(async (pair) => {
      const taken = await takePosition(pair[authority], 'checkpoint', { cluster: clusters[authority], runtime });
      if (taken.kind !== 'ok') throw new CrossfadeError('UPSTREAM_REFUSED', taken.detail);
      return taken.position;
    }),
  );
};

export const createRouteRepair = ({ clusters, runtime, transforms }: RouteRepairOptions): RouteRepair => {
  const known = new Map<string, { revision: number; pins: Promise<IndexPosition[]> }>();
  const pinsFor = (direction: Direction, revision: number): Promise<IndexPosition[]> => {
    const { slug } = direction;
    const held = known.get(slug);
    if (held?.revision === revision) return held.pins;
    const pins = pinAuthority({ clusters, runtime, direction });
    known.set(slug, { revision, pins });
    // A failed look-up is not kept: the next call tries again.
    pins.catch(() => known.delete(slug));
    return pins;
  };
  return {
    repair: async (state, docs, { overwrite, signal } = {}) => {
      const direction = directionOf(state);
      const transform = await transforms.towards(state.spec.transform, direction.follower);
      return repairIds(docs, {
        clusters,
        runtime,
        direction,
        transform,
        overwrite,
        signal,
        pins: await pinsFor(direction, state.phaseRevision),
      });
    },
  };
};

/** Tries refused documents again, as after a change of the follower's mapping; returns what is still refused. */
export const retryQuarantined = async (record: QuarantineRecord, io: RepairIo): Promise<QuarantineRecord> => {
  const quarantine = createQuarantine(record);
  for (const { doc, outcome } of await repairIds(record.docs, io))
    switch (outcome.kind) {
      case 'copied':
      case 'deleted':
      case 'kept':
      case 'foreign':
        quarantine.forget(doc);
        break;
      case 'refused':
        quarantine.add(doc, outcome.stamp, outcome.reason);
        break;
      case 'failed':
        break;
      default:
        outcome satisfies never;
    }
  return quarantine.record();
};
