/** A route on two clusters without agents: what the engine's parts need to run inside a benchmark, and its documents. */
import { type ClusterControl, createClusterControl } from '../../src/agent/cluster.ts';
import { ClusterConfig } from '../../src/config.ts';
import { copyAlias } from '../../src/coordination/keys.ts';
import type { RouteState } from '../../src/coordination/ports.ts';
import { initialPhase, type Side } from '../../src/coordination/records.ts';
import { RouteSpec } from '../../src/coordination/route-spec.ts';
import { silentLogger } from '../../src/log.ts';
import { createCluster } from '../../src/upstream/cluster.ts';
import type { Transport } from '../../src/upstream/types.ts';

export type Clusters = Record<Side, ClusterControl>;
export const names: Record<Side, string> = { source: 'crossfade-bench-v1', target: 'crossfade-bench-v2' };

/** `wrap` sees every request. */
export const connectSides = (
  [source, target]: readonly string[],
  wrap: (side: Side, transport: Transport) => Transport = (_side, transport) => transport,
): Clusters => {
  if (source === undefined || target === undefined) throw new Error('give SOURCE_URL and TARGET_URL');
  const connect = (side: Side, url: string) =>
    createClusterControl(
      wrap(side, createCluster(ClusterConfig.parse({ url }), { side, logger: silentLogger() }).transport),
    );
  return { source: connect('source', source), target: connect('target', target) };
};

/** In dual, epoch and reign 1. */
export const benchRoute = (backfill: Record<string, number> = {}): RouteState => ({
  slug: 'bench',
  spec: RouteSpec.parse({ route: 'bench', indices: [names], backfill }) as RouteState['spec'],
  specRevision: 1,
  phase: { ...initialPhase, phase: 'dual', epoch: 1 },
  phaseRevision: 1,
  percent: { read: 0, shadow: 0, write: 100 },
  stop: false,
  rate: undefined,
  errors: [],
});

export const dropIndex = async (clusters: Clusters, side: Side): Promise<void> => {
  await clusters[side].json('DELETE', `/${names[side]}?ignore_unavailable=true`);
};

/** Empty; the target's takes copies of epoch 1. */
export const freshIndex = async (clusters: Clusters, side: Side, shards: number): Promise<void> => {
  await dropIndex(clusters, side);
  const settings = { number_of_shards: shards, number_of_replicas: 0 };
  await clusters[side].createIndex(names[side], { settings });
  if (side === 'target')
    await clusters[side].updateAliases([
      { add: { index: names[side], alias: copyAlias('bench', 1, 0), is_write_index: true, is_hidden: true } },
    ]);
};

const pageDocs = 5000;

/** `doc-0` and so on, about `bytes` each, the same on whichever side. */
export const fillIndex = async (
  clusters: Clusters,
  side: Side,
  { documents, bytes }: { documents: number; bytes: number },
): Promise<void> => {
  const filler = 'x'.repeat(Math.max(0, bytes - 60));
  for (let at = 0; at < documents; at += pageDocs) {
    const lines = Array.from(
      { length: Math.min(pageDocs, documents - at) },
      (_, i) =>
        `{"index":{"_id":"doc-${at + i}"}}\n{"n":${at + i},"price":${i}.50,"text":"${filler}","tag":"t${i % 100}"}\n`,
    );
    const { status } = await clusters[side].bulk({
      path: `/${names[side]}/_bulk?`,
      body: Buffer.from(lines.join('')),
      aliases: [],
      timeoutMs: 120_000,
    });
    if (status !== 200) throw new Error(`filling the ${side}: ${status}`);
  }
  await clusters[side].refresh(names[side]);
};
