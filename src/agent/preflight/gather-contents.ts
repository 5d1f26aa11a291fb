/**
 * What stands in both clusters under the names of a route: its indices, who carries its aliases, and the pipelines
 * that its indices name. Where a right is missing that everything needs, nothing is seen and the preflight says which.
 * Changes nothing.
 */
import { type Side, sides } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { noneAssigned, type ShardSeq } from '../control-answers.ts';
import type { DocAddress } from '../document-calls.ts';
import { indexHealth } from '../index-health.ts';
import { namesakesOf } from '../namesakes.ts';
import type { AliasHolders, IndexFacts, PairFacts, PreflightFacts } from './facts.ts';
import { gatherPipelines } from './gather-pipelines.ts';
import type { MissingPrivilege } from './privileges.ts';

type Clusters = Record<Side, ClusterControl>;

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

/** What was written lately shows only after a refresh, and some indices are never refreshed. */
const storedDocs = async (cluster: ClusterControl, index: string): Promise<number | undefined> => {
  try {
    const seen = await cluster.count(index);
    if (seen > 0) return seen;
    await cluster.refresh(index);
    return await cluster.count(index);
  } catch (error) {
    if (isCrossfadeError(error, 'UPSTREAM_REFUSED')) return undefined;
    throw error;
  }
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
): Promise<Pick<IndexFacts, 'seqSearchable' | 'largestVersion' | 'maxSeqNo' | 'sample'>> => {
  const shards = await assignedShards(cluster, index);
  const maxSeqNo = Math.max(0, ...shards.map((shard) => shard.maxSeqNo));
  const shard = shards.find(({ globalCheckpoint }) => globalCheckpoint >= 0);
  const none = { largestVersion: 0n, maxSeqNo, sample: [] };
  if (shard === undefined) return { seqSearchable: true, ...none };
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
    const largestVersion = versions.reduce((a, b) => (a > b ? a : b), 0n);
    return { seqSearchable: true, largestVersion, maxSeqNo, sample: docs.map(({ id, routing }) => ({ id, routing })) };
  } catch (error) {
    if (isCrossfadeError(error, 'UPSTREAM_REFUSED')) return { seqSearchable: false, ...none };
    throw error;
  }
};

const indexFacts = async (cluster: ClusterControl, name: string): Promise<IndexFacts | undefined> => {
  const info = await cluster.getIndex(name);
  if (info === undefined) return undefined;
  const [health, seq, terms, bytes, docs, routedDocs] = await Promise.all([
    indexHealth(cluster, [info.name]),
    probeSeq(cluster, info.name),
    cluster.primaryTerms(info.name),
    storeBytes(cluster, info.name),
    storedDocs(cluster, info.name),
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
    docs,
    routedDocs,
  };
};

const targetSample = async (
  source: ClusterControl,
  index: IndexFacts | undefined,
  docs: readonly DocAddress[],
): Promise<PairFacts['targetSample']> => {
  if (index === undefined || docs.length === 0) return undefined;
  try {
    const got = await source.mget({ index: index.concreteName, docs, source: false, versionsOnly: true });
    return { docs: docs.length, onSource: got.filter(({ kind }) => kind === 'found').length };
  } catch (error) {
    if (isCrossfadeError(error, 'UPSTREAM_REFUSED')) return undefined;
    throw error;
  }
};

const pairFacts = (clusters: Clusters, spec: RouteSpec): Promise<PairFacts[]> =>
  Promise.all(
    spec.indices.map(async (pair) => {
      const [source, target] = await Promise.all(sides.map((side) => indexFacts(clusters[side], pair[side])));
      return { source, target, targetSample: await targetSample(clusters.source, source, target?.sample ?? []) };
    }),
  );

const aliasFacts = async (source: ClusterControl, spec: RouteSpec): Promise<Map<string, AliasHolders>> => {
  const holdersOf = async (name: string): Promise<AliasHolders> => {
    const found = Object.entries(await source.getAliases(name));
    return Object.fromEntries(found.map(([index, bodies]) => [index, bodies[name] ?? {}]));
  };
  return new Map(await Promise.all(spec.aliases.map(async ({ name }) => [name, await holdersOf(name)] as const)));
};

type Contents = Pick<PreflightFacts, 'pairs' | 'aliases' | 'pipelines' | 'namesakes'> & {
  missing: Record<Side, readonly MissingPrivilege[]>;
};
const noPipelines = { ingest: new Map(), search: new Map() };
export const unseen: Contents = {
  pairs: [],
  aliases: undefined,
  pipelines: { source: noPipelines, target: noPipelines },
  namesakes: [],
  missing: { source: [], target: [] },
};

const contents = async (clusters: Clusters, spec: RouteSpec): Promise<Contents> => {
  const [pairs, aliases, namesakes] = await Promise.all([
    pairFacts(clusters, spec),
    aliasFacts(clusters.source, spec),
    namesakesOf(clusters, spec),
  ]);
  return { pairs, aliases, namesakes, ...(await gatherPipelines(clusters, spec, pairs)) };
};

/** Without the rights to look, there is nothing to see but which are missing. */
export const contentsIfAllowed = async (clusters: Clusters, spec: RouteSpec, lacking: boolean): Promise<Contents> => {
  try {
    return await contents(clusters, spec);
  } catch (error) {
    if (lacking && isCrossfadeError(error, 'UPSTREAM_REFUSED')) return unseen;
    throw error;
  }
};
