/**
 * Asks both clusters what the preflight needs. Each question that is refused names the privilege it stands for, so that
 * `crossfade doctor` lists what to grant instead of failing at the first 403. Reads only; creates nothing.
 */
import type { RouteSpec, Side } from '../../coordination/records.ts';
import { sides } from '../../coordination/records.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import type { ClusterFacts, IndexFacts, PreflightFacts, StoreFacts } from './facts.ts';

type Clusters = Record<Side, ClusterControl>;
export type GatherOptions = {
  clusters: Clusters;
  spec: RouteSpec;
  store: StoreFacts;
  byQuerySeen: number;
  nowMs: number;
};

const refused = (status: number): boolean => status === 401 || status === 403;

/** Value of one column of a `_cat` answer's first row. */
const cell = (body: unknown, column: string): string | undefined =>
  (body as Record<string, string>[] | undefined)?.[0]?.[column];

const privileges: readonly { privilege: string; method: string; path: (index: string) => string; body?: unknown }[] = [
  { privilege: 'cluster:monitor/health', method: 'GET', path: () => '/_cluster/health' },
  { privilege: 'cluster:monitor/tasks/lists', method: 'GET', path: () => '/_tasks?actions=indices:data/write/*' },
  { privilege: 'indices:monitor/stats', method: 'GET', path: (index) => `/${index}/_stats/docs` },
  { privilege: 'indices:admin/get', method: 'GET', path: (index) => `/${index}` },
  { privilege: 'indices:admin/aliases/get', method: 'GET', path: () => '/_alias/crossfade-*' },
  { privilege: 'indices:data/read/search', method: 'POST', path: (index) => `/${index}/_search`, body: { size: 0 } },
  {
    privilege: 'indices:data/read/mget',
    method: 'POST',
    path: (index) => `/${index}/_mget`,
    body: { ids: ['crossfade-preflight'] },
  },
  // An empty change is refused as invalid by those who may make it, and as forbidden by those who may not.
  { privilege: 'indices:admin/aliases', method: 'POST', path: () => '/_aliases', body: { actions: [] } },
];

const missingPrivileges = async (cluster: ClusterControl, index: string): Promise<string[]> => {
  const answers = await Promise.all(
    privileges.map(async ({ privilege, method, path, body }) => ({
      privilege,
      status: (await cluster.json(method, path(encodeURIComponent(index)), body)).status,
    })),
  );
  return answers.filter(({ status }) => refused(status)).map(({ privilege }) => privilege);
};

const freeDisk = (body: unknown): number | undefined => {
  const free = (body as { 'disk.avail'?: string | null }[] | undefined)
    ?.map((row) => Number(row['disk.avail'] ?? Number.NaN))
    .filter(Number.isFinite);
  return free === undefined || free.length === 0 ? undefined : free.reduce((sum, bytes) => sum + bytes, 0);
};

const unreachable = (problem: string): ClusterFacts => ({
  info: undefined,
  problem,
  health: 'unreachable',
  freeDiskBytes: undefined,
  clockSkewSeconds: undefined,
  missingPrivileges: [],
});

const clusterFacts = async (cluster: ClusterControl, index: string, nowMs: number): Promise<ClusterFacts> => {
  try {
    const info = await cluster.info();
    const [health, allocation] = await Promise.all([
      cluster.json('GET', '/_cat/health?format=json'),
      cluster.json('GET', '/_cat/allocation?format=json&bytes=b'),
    ]);
    const epoch = Number(cell(health.body, 'epoch'));
    return {
      info,
      problem: undefined,
      health: cell(health.body, 'status') ?? 'unknown',
      freeDiskBytes: allocation.status === 200 ? freeDisk(allocation.body) : undefined,
      clockSkewSeconds: Number.isFinite(epoch) ? epoch - Math.floor(nowMs / 1000) : undefined,
      missingPrivileges: await missingPrivileges(cluster, index),
    };
  } catch (error) {
    return unreachable(error instanceof Error ? error.message : String(error));
  }
};

const count = async (cluster: ClusterControl, index: string, query: unknown): Promise<number> => {
  const { body } = await cluster.json('POST', `/${encodeURIComponent(index)}/_count`, { query });
  return (body as { count?: number }).count ?? 0;
};

const storeBytes = async (cluster: ClusterControl, index: string): Promise<number> => {
  const path = `/${encodeURIComponent(index)}/_stats/store?filter_path=_all.primaries.store.size_in_bytes`;
  const { body } = await cluster.json('GET', path);
  return (
    (body as { _all?: { primaries?: { store?: { size_in_bytes?: number } } } })?._all?.primaries?.store
      ?.size_in_bytes ?? 0
  );
};

/** Whether `_seq_no` can be searched, tried on the first shard that has documents; and the versions of what it found. */
const probeSeq = async (
  cluster: ClusterControl,
  index: string,
): Promise<Pick<IndexFacts, 'seqSearchable' | 'largestVersion' | 'maxSeqNo'>> => {
  const shards = (await cluster.shardStats(index))?.shards ?? [];
  const maxSeqNo = Math.max(0, ...shards.map((shard) => shard.maxSeqNo));
  const shard = shards.find(({ globalCheckpoint }) => globalCheckpoint >= 0);
  if (shard === undefined) return { seqSearchable: true, largestVersion: 0n, maxSeqNo };
  try {
    const docs = await cluster.searchBySeq({
      index,
      shard: shard.shard,
      node: shard.primaryNode,
      after: -1,
      upTo: shard.globalCheckpoint,
      size: 100,
      source: false,
    });
    const versions = docs.map(({ version }) => version ?? 0n);
    return { seqSearchable: true, largestVersion: versions.reduce((a, b) => (a > b ? a : b), 0n), maxSeqNo };
  } catch (error) {
    if (isCrossfadeError(error, 'UPSTREAM_REFUSED')) return { seqSearchable: false, largestVersion: 0n, maxSeqNo };
    throw error;
  }
};

const indexFacts = async (cluster: ClusterControl, name: string): Promise<IndexFacts | undefined> => {
  const info = await cluster.getIndex(name);
  if (info === undefined) return undefined;
  const [seq, terms, bytes, routedDocs] = await Promise.all([
    probeSeq(cluster, info.name),
    cluster.primaryTerms(info.name),
    storeBytes(cluster, info.name),
    count(cluster, info.name, { exists: { field: '_routing' } }),
  ]);
  const { uuid, shards, mappings, settings, aliases } = info;
  return {
    concreteName: info.name,
    uuid,
    shards,
    mappings,
    settings,
    aliases,
    ...seq,
    primaryTerm: terms && Math.max(1, ...terms),
    storeBytes: bytes,
    routedDocs,
  };
};

export const gatherFacts = async ({
  clusters,
  spec,
  store,
  byQuerySeen,
  nowMs,
}: GatherOptions): Promise<PreflightFacts> => {
  const first = spec.indices[0] ?? { source: '*', target: '*' };
  const [source, target] = await Promise.all(sides.map((side) => clusterFacts(clusters[side], first[side], nowMs)));
  const facts = { source: source as ClusterFacts, target: target as ClusterFacts };
  const reachable = sides.every((side) => facts[side].info !== undefined);
  const pairs = await Promise.all(
    spec.indices.map(async (pair) => {
      if (!reachable) return { source: undefined, target: undefined };
      const [onSource, onTarget] = await Promise.all(sides.map((side) => indexFacts(clusters[side], pair[side])));
      return { source: onSource, target: onTarget };
    }),
  );
  const sameCluster = reachable && facts.source.info?.uuid === facts.target.info?.uuid;
  return { spec, sameCluster, clusters: facts, pairs: reachable ? pairs : [], store, byQuerySeen };
};
