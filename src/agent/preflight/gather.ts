/**
 * Asks both clusters what the preflight needs; what stands in them is asked in gather-contents.ts. Rights are asked for
 * first, so that `crossfade doctor` lists what to grant instead of failing at the first 403. Changes nothing, so a cluster
 * that hung up is simply asked once more.
 */
import type { Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { sides } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import { isCrossfadeError } from '../../errors.ts';
import { isDenied } from '../control-answers.ts';
import { lacksPrimary } from '../index-health.ts';
import type { ClusterFacts, PreflightFacts, StoreFacts } from './facts.ts';
import { contentsIfAllowed, unseen } from './gather-contents.ts';
import { findMissing, probesFor, refusesExplicitIndex } from './privileges.ts';

type Clusters = Record<Side, ClusterControl>;
export type GatherOptions = {
  clusters: Clusters;
  spec: RouteSpec;
  store: StoreFacts;
  copiedBefore: boolean;
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
  refusesExplicitIndex: false,
});

/** Whoever waits sits before a terminal: a cluster that does not say its name by then is not asked for more. */
const firstContactMs = 5_000;

type Asked = { cluster: ClusterControl; spec: RouteSpec; side: Side; nowMs: number };

const withPrimaries = async ({ cluster, spec, side }: Omit<Asked, 'nowMs'>): Promise<string[]> => {
  const names = spec.indices.map((pair) => pair[side]);
  const lost = await Promise.all(names.map((name) => lacksPrimary(cluster, name)));
  return names.filter((_, i) => lost[i] === false);
};

const askCluster = async ({ cluster, spec, side, nowMs }: Asked): Promise<ClusterFacts> => {
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
    missingPrivileges: await findMissing(cluster, probesFor(spec, side, await withPrimaries({ cluster, spec, side }))),
    refusesExplicitIndex: await refusesExplicitIndex(cluster, spec.indices[0]?.[side] ?? ''),
  };
};

const clusterFacts = async (asked: Asked): Promise<ClusterFacts> => {
  const again = (error: unknown): Promise<ClusterFacts> => {
    if (isCrossfadeError(error, 'UPSTREAM_RESET')) return askCluster(asked);
    throw error;
  };
  try {
    return await askCluster(asked).catch(again);
  } catch (error) {
    return unreachable(withCauses(error));
  }
};

export const gatherFacts = async (options: GatherOptions): Promise<PreflightFacts> => {
  const { clusters, spec, store, copiedBefore, byQuerySeen, nowMs, transform } = options;
  const [source, target] = await Promise.all(
    sides.map((side) => clusterFacts({ cluster: clusters[side], spec, side, nowMs })),
  );
  const facts = { source: source as ClusterFacts, target: target as ClusterFacts };
  const reachable = sides.every((side) => facts[side].info !== undefined);
  const lacking = sides.some((side) => facts[side].missingPrivileges.some(({ without }) => without === undefined));
  const { missing, ...contents } = reachable ? await contentsIfAllowed(clusters, spec, lacking) : unseen;
  for (const side of sides) facts[side].missingPrivileges = [...facts[side].missingPrivileges, ...missing[side]];
  return { spec, clusters: facts, ...contents, store, copiedBefore, byQuerySeen, transform };
};
