/**
 * Learns from the source itself whether mapping types in paths mean something there: Elasticsearch 7.10 and OpenSearch 1.x
 * read `/i/_doc/_bulk` as a bulk, later versions as a document. Until it has answered, the later meaning is assumed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterControl } from '../agent/cluster.ts';
import type { ClusterInfo } from '../agent/control-answers.ts';

const retryMs = 5000;

export const knowsMappingTypes = ({ distribution, major }: Pick<ClusterInfo, 'distribution' | 'major'>): boolean =>
  distribution === 'elasticsearch' ? major <= 7 : major === 1;

/** Calls `onTypes` once, if the source is such a version; asks until it answers or `signal` fires. */
export const learnDialect = async (
  source: Pick<ClusterControl, 'info'>,
  { onTypes, signal }: { onTypes: () => void; signal: AbortSignal },
): Promise<void> => {
  while (!signal.aborted) {
    try {
      const info = await source.info({ signal });
      if (knowsMappingTypes(info)) onTypes();
      return;
    } catch {
      await delay(retryMs, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }
};
