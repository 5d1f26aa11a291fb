/**
 * By-query and reindex tasks that write to the authority's indices past the sidecars, which use its epoch aliases: no fence
 * stops one that runs, so a switch would hold the writes and give up. Looked for every few seconds, for the status, and anew
 * before a switch. Invariant: what was seen counts until a look shows that it is over.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { isDenied, namesTask, type WriteTask } from '../control-answers.ts';
import { isByQuery } from './left-tasks.ts';

export interface ForeignTasks {
  /** How many run, as seen no longer ago than `maxAgeMs`. */
  look(state: RouteState, maxAgeMs: number): Promise<number>;
}
export type ForeignTasksDeps = {
  clusters: Record<Side, Pick<ClusterControl, 'listWriteTasks'>>;
  /** Monotonic milliseconds. */
  now: () => number;
};

const timeoutMs = 3_000;
/** Each refusal is a line in the cluster's log. */
const refusedForMs = 600_000;

/** Pure. The application's aliases stand on the source. */
export const foreignTasks = (tasks: readonly WriteTask[], { spec, phase }: RouteState): WriteTask[] => {
  const side = authorityIn(phase.phase);
  const aliases = side === 'source' ? spec.aliases.map(({ name }) => name) : [];
  const names = [...spec.indices.map((pair) => pair[side]), ...aliases];
  return tasks.filter((task) => isByQuery(task) && namesTask(task, names));
};

const isRefused = (error: unknown): boolean =>
  isCrossfadeError(error, 'UPSTREAM_REFUSED') && isDenied(Number(error.details?.['upstreamStatus']));

export const createForeignTasks = ({ clusters, now }: ForeignTasksDeps): ForeignTasks => {
  let seen = { running: 0, authority: 'source' as Side, atMs: Number.NEGATIVE_INFINITY };
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  return {
    look: async (state, maxAgeMs) => {
      const authority = authorityIn(state.phase.phase);
      if (authority !== seen.authority) seen = { running: 0, authority, atMs: Number.NEGATIVE_INFINITY };
      if (now() - seen.atMs < maxAgeMs || now() < quietUntilMs) return seen.running;
      try {
        const tasks = await clusters[authority].listWriteTasks({ timeoutMs });
        seen = { running: foreignTasks(tasks, state).length, authority, atMs: now() };
      } catch (error) {
        // That the cluster is out of reach, its health tells.
        if (isRefused(error)) quietUntilMs = now() + refusedForMs;
      }
      return seen.running;
    },
  };
};
