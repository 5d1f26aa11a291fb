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
import {
  createQuarantine,
  type DocAddressOf,
  docKeyText,
  type Quarantine,
  type QuarantineRecord,
} from './quarantine.ts';
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

const note = (quarantine: Quarantine, { doc, outcome }: Repaired): void => {
  switch (outcome.kind) {
    case 'copied':
    case 'deleted':
    case 'kept':
    case 'foreign':
      return quarantine.forget(doc);
    case 'refused':
      return quarantine.add(doc, outcome.stamp, outcome.reason);
    case 'failed':
      return;
    default:
      outcome satisfies never;
  }
};

const hasFailed = ({ outcome }: Repaired): boolean => outcome.kind === 'failed';

/** Tried ones go to the end, so that the next time begins with the others. */
const untriedFirst = (left: QuarantineRecord, tried: readonly DocAddressOf[]): QuarantineRecord => {
  const keys = new Set(tried.map(docKeyText));
  const isTried = (doc: DocAddressOf): boolean => keys.has(docKeyText(doc));
  return { ...left, docs: [...left.docs.filter((doc) => !isTried(doc)), ...left.docs.filter(isTried)] };
};

/** Few enough that one request of them is soon answered. */
const partDocs = 100;

export type Retried = {
  /** What is still refused. */
  record: QuarantineRecord;
  /** Ended before all were tried: nothing could be done for any of the last ones, or it was `enough`. */
  stopped: boolean;
};

/**
 * Tries refused documents again, as after a change of the follower's mapping. A cluster that answers nothing is not asked
 * again for each part of a long list.
 */
export const retryQuarantined = async (
  record: QuarantineRecord,
  io: RepairIo,
  enough: () => boolean = () => false,
): Promise<Retried> => {
  const quarantine = createQuarantine(record);
  let at = 0;
  let stopped = false;
  while (at < record.docs.length && !stopped) {
    const repaired = await repairIds(record.docs.slice(at, at + partDocs), io);
    for (const one of repaired) note(quarantine, one);
    at += partDocs;
    stopped = repaired.every(hasFailed) || enough();
  }
  return { record: untriedFirst(quarantine.record(), record.docs.slice(0, at)), stopped };
};
