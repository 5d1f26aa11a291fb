/**
 * Brings the aliases of a side to what epochs.ts wants, in one atomic call, and makes sure the fence index stands before
 * anything points at it. Repeating is harmless. An unacknowledged change counts as failed: some node may still resolve
 * the old alias.
 */
import { aliasWildcard, fenceIndex } from '../../coordination/keys.ts';
import { CrossfadeError, isCrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { type Aliases, aliasActions, misplaced, type Wanted } from './epochs.ts';

export const currentAliases = async (cluster: ClusterControl, pattern: string): Promise<Aliases> => {
  const found = await cluster.getAliases(pattern);
  return Object.fromEntries(Object.entries(found).map(([index, aliases]) => [index, Object.keys(aliases)]));
};

/** @returns whether anything had to change. @throws UPSTREAM_REFUSED and transport errors */
export const applyAliases = async (cluster: ClusterControl, slug: string, wanted: Wanted): Promise<boolean> => {
  const actions = aliasActions(await currentAliases(cluster, aliasWildcard(slug)), wanted);
  if (actions.length === 0) return false;
  if (!(await cluster.updateAliases(actions)))
    throw new CrossfadeError('UPSTREAM_REFUSED', 'the alias change was not acknowledged by every node');
  return true;
};

/** Opens what nobody has used yet. @throws PHASE_REFUSED when one of the names is closed for ever */
export const openAliases = async (cluster: ClusterControl, slug: string, wanted: Wanted): Promise<void> => {
  await applyAliases(cluster, slug, wanted);
  const closed = misplaced(await currentAliases(cluster, aliasWildcard(slug)), wanted);
  if (closed.length > 0)
    throw new CrossfadeError(
      'PHASE_REFUSED',
      `${closed.join(', ')} cannot be opened, as an alias of an earlier migration of this name: name the route otherwise, or remove these aliases once no process of that migration runs`,
    );
};

const fenceSettings = {
  settings: {
    'index.number_of_shards': 1,
    'index.number_of_replicas': 0,
    'index.auto_expand_replicas': '0-1',
    'index.hidden': true,
    'index.blocks.write': true,
  },
};

/** The index that fenced aliases point at: empty, hidden, write-blocked, the same for all routes. */
export const ensureFence = async (cluster: ClusterControl): Promise<void> => {
  const found = await cluster.getIndex(fenceIndex);
  if (found === undefined) {
    await cluster.createIndex(fenceIndex, fenceSettings).catch((error: unknown) => {
      // Another leader may have been faster.
      if (
        !isCrossfadeError(error, 'UPSTREAM_REFUSED') ||
        error.details?.['upstreamType'] !== 'resource_already_exists_exception'
      )
        throw error;
    });
    return;
  }
  if (found.settings['index.blocks.write'] !== undefined && String(found.settings['index.blocks.write']) !== 'true')
    throw new CrossfadeError('PREFLIGHT_REFUSED', `${fenceIndex} is not write-blocked: somebody changed it`);
};
