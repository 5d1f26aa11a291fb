/**
 * How whole named indices of one cluster are. Never asked of the cluster as a whole: there an index that nobody migrates,
 * or that is being created at this moment, looks like a primary that is lost.
 */
import type { ClusterControl } from './cluster.ts';
import { type IndexHealth, isDenied, isWhole } from './control-answers.ts';

const pathOf = (names: readonly string[], timeout: string): string =>
  `/_cluster/health/${names.map(encodeURIComponent).join(',')}?timeout=${timeout}`;
const timeoutMs = 3000;

/** An index that is not there is red. */
export const indexHealth = async (cluster: ClusterControl, names: readonly string[]): Promise<IndexHealth> => {
  try {
    const { status, body } = await cluster.json('GET', pathOf(names, '1s'), undefined, { timeoutMs });
    if (isDenied(status)) return 'denied';
    const colour = (body as { status?: string } | undefined)?.status;
    return status === 200 && isWhole(colour) ? colour : 'red';
  } catch {
    return 'unreachable';
  }
};

/** Whether the index is there and lacks a primary: a request that needs the primary would wait for it. */
export const lacksPrimary = async (cluster: ClusterControl, name: string): Promise<boolean> => {
  const { status, body } = await cluster.json('GET', pathOf([name], '0s'), undefined, { timeoutMs });
  const { status: colour, timed_out: isMissing } = (body ?? {}) as { status?: string; timed_out?: boolean };
  return status === 200 && colour === 'red' && isMissing === false;
};
