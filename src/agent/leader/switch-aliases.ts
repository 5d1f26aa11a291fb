/**
 * The epoch aliases that one switch opens and closes on both sides, and the write tasks that may still come through a closed
 * one. Invariant: an epoch is closed on the authority and on the follower, or the step fails.
 */
import { aliasWildcard, copyAlias, epochAlias } from '../../coordination/keys.ts';
import { type Side, sides } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import type { ClusterControl } from '../cluster.ts';
import { namesTask } from '../control-answers.ts';
import { applyAliases, currentAliases, ensureFence, openAliases } from './alias-keeper.ts';
import { fenceThrough, prepareSwitch } from './epochs.ts';

export type SwitchAliasesDeps = {
  slug: string;
  spec: RouteSpec;
  clusters: Record<Side, ClusterControl>;
  /** The authority when the switch began. */
  from: Side;
  /** The epoch when the switch began, and that of its hold. */
  epochs: { start: number; hold: number };
};

export interface SwitchAliases {
  /** Opens those of the hold's epoch and of both possible next ones. */
  prepare(): Promise<void>;
  /** Closes those of all epochs up to this one. */
  fence(through: number): Promise<void>;
  /** Does a cluster still work on a write to the route's indices? */
  writeTaskRuns(): Promise<boolean>;
}

export const createSwitchAliases = (deps: SwitchAliasesDeps): SwitchAliases => {
  const { slug, spec, clusters, from, epochs } = deps;
  const onBothSides = async (act: (side: Side) => Promise<void>): Promise<void> => {
    await Promise.all(sides.map(act));
  };
  const oldEpochs = Array.from({ length: epochs.hold }, (_, i) => i + 1);
  const namesOf = (epoch: number, ordinal: number): string[] => [
    epochAlias(slug, epoch, ordinal),
    copyAlias(slug, epoch, ordinal),
  ];

  return {
    prepare: () =>
      onBothSides(async (side) => {
        await ensureFence(clusters[side]);
        await openAliases(clusters[side], slug, prepareSwitch(spec, epochs.start, { from, side }));
      }),
    fence: (through) =>
      onBothSides(async (side) => {
        const current = await currentAliases(clusters[side], aliasWildcard(slug));
        await applyAliases(clusters[side], slug, fenceThrough(current, slug, through));
      }),
    writeTaskRuns: async () => {
      // A write that was resolved and has not reached its shard shows under the alias only.
      const aliases = spec.indices.flatMap((_, ordinal) => oldEpochs.flatMap((epoch) => namesOf(epoch, ordinal)));
      const names = sides.map((side) => [...spec.indices.map((pair) => pair[side]), ...aliases]);
      const running = await Promise.all(sides.map((side) => clusters[side].listWriteTasks()));
      return running.some((tasks, i) => tasks.some((task) => namesTask(task, names[i] as string[])));
    },
  };
};
