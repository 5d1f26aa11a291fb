/**
 * Replicas that copy segments lag behind their primaries, after a refresh too: what is read from one may lack a document that
 * the primary has, which a sweep would delete, a count miss and a repair leave. So documents and counts of such an index are
 * asked of its primaries, whoever asks; of any other index of all copies, as older clusters know no such preference.
 * Invariant: while it is not known how an index replicates, nothing is read of it.
 */
import type { ClusterControl } from './cluster.ts';
import type { CallOptions } from './control-calls.ts';
import type { Runtime } from './runtime.ts';

/** How an index replicates is fixed when it is made; it may be deleted and made anew. */
const knownForMs = 300_000;
type Known = { atMs: number; lags: boolean };
export type Lags = (cluster: ClusterControl, index: string, options?: CallOptions) => Promise<boolean>;

export const createLags = ({ now }: Pick<Runtime, 'now'>): Lags => {
  const known = new Map<string, Known>();
  return async (cluster, index, { signal, timeoutMs } = {}) => {
    const held = known.get(index);
    if (held !== undefined && now() - held.atMs < knownForMs) return held.lags;
    const info = await cluster.getIndex(index, { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
    const lags = info?.segmentReplication ?? false;
    if (info !== undefined) known.set(index, { atMs: now(), lags });
    return lags;
  };
};

export const askingPrimaries = (cluster: ClusterControl, lags: Lags): ClusterControl => ({
  ...cluster,
  within: (limits) => askingPrimaries(cluster.within(limits), lags),
  mget: async (get) => cluster.mget({ ...get, primary: await lags(cluster, get.index, get) }),
  source: async (get) => cluster.source({ ...get, primary: await lags(cluster, get.index, get) }),
  count: async (index, options) => cluster.count(index, { ...options, primary: await lags(cluster, index, options) }),
});
