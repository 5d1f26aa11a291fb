/**
 * By-query and reindex tasks that outlive the process which began them: the cluster runs them on when the process has
 * ended, and nobody follows them any more. Members say in their last report how many they left behind; whether one still
 * runs, the authority tells. Asked for only then, and until none runs. Invariant: whoever has left a task behind is not
 * forgotten before the authority was seen without one.
 */
import { parseEpochAlias } from '../../coordination/keys.ts';
import type { Membership } from '../../coordination/membership.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Heartbeat, type Side } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import { namesTask, type WriteTask, wordsOfTask } from '../control-answers.ts';

type Left = { boot: string; member: string };
export interface LeftTasks {
  /** Members that have gone and left something running; empty while nothing of theirs runs. */
  look(view: Membership, state: RouteState): Promise<{ member: string; running: number }[]>;
}

const lastReports = ({ departed, replaced, lost }: Membership): Heartbeat[] => {
  const unheard = [...lost.values()].map(({ heartbeat }) => heartbeat);
  return [...departed.values(), ...replaced.values(), ...unheard].filter((one) => one !== undefined);
};

/** Pure: who had requests of this kind under way when it was last heard. */
const leftBehind = (view: Membership, slug: string): Left[] =>
  lastReports(view)
    .filter(({ routes }) => (routes[slug]?.byQuery ?? 0) > 0)
    .map(({ boot, member }) => ({ boot, member }));

export const isByQuery = ({ action, parent }: WriteTask): boolean =>
  parent === undefined && /^indices:data\/write\/(update\/byquery|delete\/byquery|reindex)$/.test(action);

/** A route of the name `<slug>-…` has aliases that begin alike. */
const isThroughAlias = (task: WriteTask, slug: string): boolean =>
  [...wordsOfTask(task)].some((word) => parseEpochAlias(word)?.slug === slug);

const timeoutMs = 3_000;

export type LeftTasksDeps = {
  clusters: Record<Side, Pick<ClusterControl, 'listWriteTasks'>>;
  /** None of these processes has anything running any more. */
  onEnded: (boots: readonly string[]) => Promise<void>;
};

export const createLeftTasks = ({ clusters, onEnded }: LeftTasksDeps): LeftTasks => {
  const ended = new Set<string>();
  return {
    look: async (view, { slug, spec, phase }) => {
      const left = leftBehind(view, slug).filter(({ boot }) => !ended.has(boot));
      if (left.length === 0) return [];
      const side = authorityIn(phase.phase);
      const names = spec.indices.map((pair) => pair[side]);
      const isOurs = (task: WriteTask): boolean =>
        isByQuery(task) && (namesTask(task, names) || isThroughAlias(task, slug));
      // While the authority cannot be asked, all of them may run.
      const running = await clusters[side].listWriteTasks({ timeoutMs }).then(
        (tasks) => tasks.filter(isOurs).length,
        () => left.length,
      );
      if (running > 0) {
        const member = `${[...new Set(left.map((one) => one.member))].sort().join(', ')}, which has gone`;
        return [{ member, running }];
      }
      const boots = left.map(({ boot }) => boot);
      await onEnded(boots);
      for (const boot of boots) ended.add(boot);
      return [];
    },
  };
};
