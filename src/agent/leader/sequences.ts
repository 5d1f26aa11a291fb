/** Sequence numbers of all indices of a route on one side, and what members report for the ledger. */
import type { Membership } from '../../coordination/membership.ts';
import type { Heartbeat, Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { CrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { foldGone, type Ledger, type LedgerSample, observe, seqTotal } from '../ledger.ts';

/** Per index: sequence numbers given out so far. `shards` = how many each index has. @throws when one is out of reach */
export const totalsOn = async (
  cluster: ClusterControl,
  spec: Pick<RouteSpec, 'indices'>,
  { side, shards }: { side: Side; shards: readonly number[] },
): Promise<number[]> =>
  Promise.all(
    spec.indices.map(async (pair, ordinal) => {
      const stats = await cluster.shardStats(pair[side]);
      if (stats === undefined || stats.shards.length !== shards[ordinal])
        throw new CrossfadeError('UPSTREAM_REFUSED', `${pair[side]}: not every shard answers`);
      return seqTotal(stats.shards);
    }),
  );

export const shardCounts = async (
  cluster: ClusterControl,
  spec: Pick<RouteSpec, 'indices'>,
  side: Side,
): Promise<number[]> =>
  Promise.all(
    spec.indices.map(async (pair) => {
      const info = await cluster.getIndex(pair[side]);
      if (info === undefined) throw new CrossfadeError('UPSTREAM_REFUSED', `${pair[side]} does not exist`);
      return info.shards;
    }),
  );

export const refreshAll = async (
  clusters: Record<Side, ClusterControl>,
  spec: Pick<RouteSpec, 'indices'>,
): Promise<void> => {
  await Promise.all(
    spec.indices.flatMap((pair) => [clusters.source.refresh(pair.source), clusters.target.refresh(pair.target)]),
  );
};

const sampleOf = (heartbeat: Heartbeat | undefined, slug: string): LedgerSample[] => {
  const line = heartbeat?.routes[slug];
  if (heartbeat === undefined || line === undefined) return [];
  const { reign, ledger, left, unclear } = line;
  return [{ member: heartbeat.member, boot: heartbeat.boot, reign, ledger, left, unclear }];
};

/** What those report that are there. */
export const ledgerSamples = (view: Membership, slug: string): LedgerSample[] =>
  [...view.members.values()].flatMap(({ heartbeat }) => sampleOf(heartbeat, slug));

/** Takes in what all members report, and what those reported last that left and that the ledger knows. Stays bounded. */
export const observeAll = (ledger: Ledger, view: Membership, slug: string): Ledger => {
  const departed = [...view.departed.values()].flatMap((heartbeat) => sampleOf(heartbeat, slug));
  const known = departed.filter(({ boot }) => ledger.lines[boot] !== undefined);
  const samples = ledgerSamples(view, slug);
  const present = new Set(samples.map(({ boot }) => boot));
  return foldGone([...known, ...samples].reduce(observe, ledger), present);
};
