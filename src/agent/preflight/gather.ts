/**
 * Asks both clusters what the preflight needs. Rights are asked for first, so that `crossfade doctor` lists what to grant
 * instead of failing at the first 403. Changes nothing.
 */
import type { Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { sides } from '../../coordination/records.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { isDenied, noneAssigned, type ShardSeq } from '../control-answers.ts';
import { indexHealth, lacksPrimary } from '../index-health.ts';
import type { AliasHolders, ClusterFacts, IndexFacts, PairFacts, PreflightFacts, StoreFacts } from './facts.ts';
import { findMissing, probesFor } from './privileges.ts';

type Clusters = Record<Side, ClusterControl>;
export type GatherOptions = {
  clusters: Clusters;
  spec: RouteSpec;
  store: StoreFacts;
  byQuerySeen: number;
  nowMs: number;
  transform?: PreflightFacts['transform'];
};

/** Value of one column of a `_cat` answer's first row. */
const cell = (body: unknown, column: string): string | undefined =>
  (body as Record<string, string>[] | undefined)?.[0]?.[column];

const freeDisk = (body: unknown): number | undefined => {
  const free = (body as { 'disk.avail'?: string | null }[] | undefined)
    ?.map((row) => Number(row['disk.avail'] ?? Number.NaN))
    .filter(Number.isFinite);
  return free === undefined || free.length === 0 ? undefined : free.reduce((sum, bytes) => sum + bytes, 0);
};

/** A connection that cannot be made tells why in its causes only: a name, a certificate, a port. */
const withCauses = (error: unknown): string => {
  const texts: string[] = [];
  for (let at = error; at instanceof Error && texts.length < 4; at = at.cause)
    if (at.message !== '' && !texts.includes(at.message)) texts.push(at.message);
  return texts.length === 0 ? String(error) : texts.join(' ');
};

const unreachable = (problem: string): ClusterFacts => ({
  info: undefined,
  problem,
  health: 'unreachable',
  freeDiskBytes: undefined,
  clockSkewSeconds: undefined,
  missingPrivileges: [],
});

/** Whoever waits sits before a terminal: a cluster that does not say its name by then is not asked for more. */
const firstContactMs = 5_000;

type Asked = { cluster: ClusterControl; spec: RouteSpec; side: Side; nowMs: number };

const withPrimaries = async ({ cluster, spec, side }: Omit<Asked, 'nowMs'>): Promise<string[]> => {
  const names = spec.indices.map((pair) => pair[side]);
  const lost = await Promise.all(names.map((name) => lacksPrimary(cluster, name)));
  return names.filter((_, i) => lost[i] === false);
};

const clusterFacts = async ({ cluster, spec, side, nowMs }: Asked): Promise<ClusterFacts> => {
  try {
    const info = await cluster.info({ timeoutMs: firstContactMs });
    const [health, allocation] = await Promise.all([
      cluster.json('GET', '/_cat/health?format=json'),
      cluster.json('GET', '/_cat/allocation?format=json&bytes=b'),
    ]);
    const epoch = Number(cell(health.body, 'epoch'));
    return {
      info,
      problem: undefined,
      health: isDenied(health.status) ? 'denied' : (cell(health.body, 'status') ?? 'unknown'),
      freeDiskBytes: allocation.status === 200 ? freeDisk(allocation.body) : undefined,
      clockSkewSeconds: Number.isFinite(epoch) ? epoch - Math.floor(nowMs / 1000) : undefined,
      missingPrivileges: await findMissing(
        cluster,
        probesFor(spec, side, await withPrimaries({ cluster, spec, side })),
      ),
    };
  } catch (error) {
    return unreachable(withCauses(error));
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

/** Without any shard that is assigned an index is red, which its health tells. */
const assignedShards = async (cluster: ClusterControl, index: string): Promise<readonly ShardSeq[]> => {
  try {
    return (await cluster.shardStats(index))?.shards ?? [];
  } catch (error) {
    if (isCrossfadeError(error, 'UPSTREAM_REFUSED') && error.details?.['upstreamType'] === noneAssigned) return [];
    throw error;
  }
};

/** Whether `_seq_no` can be searched, tried on the first shard that has documents; and the versions of what it found. */
const probeSeq = async (
  cluster: ClusterControl,
  index: string,
): Promise<Pick<IndexFacts, 'seqSearchable' | 'largestVersion' | 'maxSeqNo'>> => {
  const shards = await assignedShards(cluster, index);
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
  const [health, seq, terms, bytes, routedDocs] = await Promise.all([
    indexHealth(cluster, [info.name]),
    probeSeq(cluster, info.name),
    cluster.primaryTerms(info.name),
    storeBytes(cluster, info.name),
    count(cluster, info.name, { exists: { field: '_routing' } }),
  ]);
  const { uuid, shards, mappings, settings, aliases } = info;
  return {
    concreteName: info.name,
    uuid,
    health,
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

const pairFacts = (clusters: Clusters, spec: RouteSpec): Promise<PairFacts[]> =>
  Promise.all(
    spec.indices.map(async (pair) => {
      const [source, target] = await Promise.all(sides.map((side) => indexFacts(clusters[side], pair[side])));
      return { source, target };
    }),
  );

const aliasFacts = async (source: ClusterControl, spec: RouteSpec): Promise<Map<string, AliasHolders>> => {
  const holdersOf = async (name: string): Promise<AliasHolders> => {
    const found = Object.entries(await source.getAliases(name));
    return Object.fromEntries(found.map(([index, bodies]) => [index, bodies[name] ?? {}]));
  };
  return new Map(await Promise.all(spec.aliases.map(async ({ name }) => [name, await holdersOf(name)] as const)));
};

type Contents = Pick<PreflightFacts, 'pairs' | 'aliases'>;
const unseen: Contents = { pairs: [], aliases: undefined };

/** Without the rights to look, there is nothing to see but which are missing. */
const contentsIfAllowed = async (clusters: Clusters, spec: RouteSpec, lacking: boolean): Promise<Contents> => {
  try {
    const [pairs, aliases] = await Promise.all([pairFacts(clusters, spec), aliasFacts(clusters.source, spec)]);
    return { pairs, aliases };
  } catch (error) {
    if (lacking && isCrossfadeError(error, 'UPSTREAM_REFUSED')) return unseen;
    throw error;
  }
};

export const gatherFacts = async (options: GatherOptions): Promise<PreflightFacts> => {
  const { clusters, spec, store, byQuerySeen, nowMs, transform } = options;
  const [source, target] = await Promise.all(
    sides.map((side) => clusterFacts({ cluster: clusters[side], spec, side, nowMs })),
  );
  const facts = { source: source as ClusterFacts, target: target as ClusterFacts };
  const reachable = sides.every((side) => facts[side].info !== undefined);
  const lacking = sides.some((side) => facts[side].missingPrivileges.some(({ without }) => without === undefined));
  const contents = reachable ? await contentsIfAllowed(clusters, spec, lacking) : unseen;
  return { spec, clusters: facts, ...contents, store, byQuerySeen, transform };
};
