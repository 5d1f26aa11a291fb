/**
 * Learns from the source itself whether mapping types in paths mean something there: Elasticsearch 7.10 and OpenSearch 1.x
 * read `/i/_doc/_bulk` as a bulk, later versions as a document, and `/i/t/1` as nothing at all. Until it has answered,
 * the later meaning is assumed, and a type is still taken for one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterControl } from '../agent/cluster.ts';
import type { ClusterInfo } from '../agent/control-answers.ts';
import type { MappingTypes } from '../proxy/classify.ts';

const retryMs = 5000;

/** OpenSearch can be told to call itself 7.10, whichever version it is: such a one stays unknown. */
export const mappingTypesOf = ({ distribution, major }: Pick<ClusterInfo, 'distribution' | 'major'>): MappingTypes => {
  if (distribution === 'elasticsearch') return major <= 7 ? 'native' : 'none';
  if (major >= 7) return 'fallback';
  return major === 1 ? 'native' : 'none';
};

/** Calls `onTypes` once; asks until the source answers or `signal` fires. */
export const learnDialect = async (
  source: Pick<ClusterControl, 'info'>,
  { onTypes, signal }: { onTypes: (types: MappingTypes) => void; signal: AbortSignal },
): Promise<void> => {
  while (!signal.aborted) {
    try {
      onTypes(mappingTypesOf(await source.info({ signal })));
      return;
    } catch {
      await delay(retryMs, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }
};
