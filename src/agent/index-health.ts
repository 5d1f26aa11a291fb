/**
 * How whole named indices of one cluster are. Never asked of the cluster as a whole: there an index that nobody migrates,
 * or that is being created at this moment, looks like a primary that is lost.
 */
import type { ClusterControl } from './cluster.ts';
import { type IndexHealth, isWhole } from './control-answers.ts';

/** An index that is not there is red. */
export const indexHealth = async (cluster: ClusterControl, names: readonly string[]): Promise<IndexHealth> => {
  const path = `/_cluster/health/${names.map(encodeURIComponent).join(',')}?timeout=1s`;
  try {
    const { status, body } = await cluster.json('GET', path, undefined, { timeoutMs: 3000 });
    if (status === 401 || status === 403) return 'denied';
    const colour = (body as { status?: string } | undefined)?.status;
    return status === 200 && isWhole(colour) ? colour : 'red';
  } catch {
    return 'unreachable';
  }
};
