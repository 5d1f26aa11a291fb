/**
 * Counts the requests with copies that this process sent and got no answer to, by route. Such a request may arrive late:
 * the stamp makes that harmless while the follower remembers what came after, and a fence makes it harmless for good. So
 * each member tells its count, and a switch that finds it grown since the last proof fences first (I10). Cumulative over
 * the life of the process.
 */
import { parseEpochAlias } from '../coordination/keys.ts';
import { isCrossfadeError } from '../errors.ts';
import type { ClusterControl } from './cluster.ts';

export interface UnclearCopies {
  count(slug: string): number;
  /** The same cluster; whatever becomes unclear through it is counted. */
  watch(cluster: ClusterControl): ClusterControl;
}

/** Something in between gave up waiting, or the cluster failed inside. */
const unclearStatuses: ReadonlySet<number> = new Set([500, 502, 504]);

const mayArrive = (error: unknown): boolean => !isCrossfadeError(error) || !error.notSent;

export const createUnclearCopies = (): UnclearCopies => {
  const counts = new Map<string, number>();
  const note = (aliases: readonly string[]): void => {
    for (const alias of aliases) counts.set(alias, (counts.get(alias) ?? 0) + 1);
  };
  const watch = (cluster: ClusterControl): ClusterControl => ({
    ...cluster,
    within: (limits) => watch(cluster.within(limits)),
    bulk: async (call) => {
      try {
        const answer = await cluster.bulk(call);
        if (unclearStatuses.has(answer.status)) note(call.aliases);
        return answer;
      } catch (error) {
        if (mayArrive(error)) note(call.aliases);
        throw error;
      }
    },
  });
  return {
    watch,
    count: (slug) =>
      [...counts].reduce((sum, [alias, count]) => (parseEpochAlias(alias)?.slug === slug ? sum + count : sum), 0),
  };
};
