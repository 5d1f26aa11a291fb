/**
 * Looks at both sides before a stay in `dual`, so that reign-of-stay.ts can say in which reign it begins: whose numbers the
 * source gives out now, whose were sent before, and how far the versions on the target reach. Versions cannot be searched
 * for, so the oldest and the newest writes of each shard stand for all: stamps that an earlier migration left are older
 * than what was written since, or newer than all.
 */
import { keys } from '../../coordination/keys.ts';
import type { Bucket } from '../../coordination/ports.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { PhaseRecord, Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { CrossfadeError } from '../../errors.ts';
import { BackfillRecord, backfillName } from '../backfill.ts';
import type { ClusterControl } from '../cluster.ts';
import type { ShardSeq } from '../control-answers.ts';
import { currentShards, takePosition } from '../positions.ts';
import { retrying } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import type { JobState } from './job-state.ts';
import { isSameSource, type Origin, reignOfStay, type StayReign, type Story } from './reign-of-stay.ts';

const sampleDocs = 200;

type Io = { spec: RouteSpec; clusters: Record<Side, ClusterControl>; runtime: Runtime };

/** What the record of the last stay's work, or else that of its backfill, tells of the stamps that were sent. */
export const originsOf = async (bucket: Pick<Bucket, 'get'>, slug: string, { work }: JobState): Promise<Origin[]> => {
  const entry = await bucket.get(keys.job(slug, backfillName));
  const backfill = parseRecord(BackfillRecord, entry?.value);
  return [work?.tail, backfill].filter((one) => one !== undefined);
};

const storiesNow = ({ spec, clusters, runtime }: Io): Promise<Story[]> =>
  Promise.all(
    spec.indices.map(async ({ source }) => {
      const taken = await takePosition(source, 'start', { cluster: clusters.source, runtime });
      if (taken.kind !== 'ok') throw new CrossfadeError('UPSTREAM_REFUSED', taken.detail);
      return taken.position;
    }),
  );

const largestOf = async (index: string, shard: ShardSeq, { clusters, runtime }: Io): Promise<bigint> => {
  const { shard: number, primaryNode: node, globalCheckpoint: upTo } = shard;
  const after = [-1, upTo - sampleDocs].filter((seq, i) => i === 0 || seq > -1);
  const search = { index, shard: number, node, upTo, size: sampleDocs, source: false };
  const pages = await Promise.all(
    after.map((seq) => retrying(() => clusters.target.searchBySeq({ ...search, after: seq }), { runtime })),
  );
  return pages.flat().reduce((largest, { version = 0n }) => (version > largest ? version : largest), 0n);
};

/** Undefined when nothing was ever written there. */
const largestOn = async (index: string, io: Io): Promise<bigint | undefined> => {
  const { clusters, runtime } = io;
  const stats = await currentShards(index, { cluster: clusters.target, runtime });
  const used = (stats?.shards ?? []).filter(({ maxSeqNo }) => maxSeqNo >= 0);
  if (used.length === 0) return undefined;
  await retrying(() => clusters.target.refresh(index), { runtime });
  const largest = await Promise.all(used.map((shard) => largestOf(index, shard, io)));
  return largest.reduce((a, b) => (a > b ? a : b));
};

/** @throws what the clusters throw */
export const lookForReign = async (record: PhaseRecord, known: readonly Origin[], io: Io): Promise<StayReign> => {
  const { spec } = io;
  if (spec.versions === 'external') return { kind: 'same' };
  const present = await storiesNow(io);
  if (isSameSource({ record, known, present })) return { kind: 'same' };
  const found = await Promise.all(spec.indices.map(({ target }) => largestOn(target, io)));
  const used = found.filter((largest) => largest !== undefined);
  if (used.length === 0) return { kind: 'same' };
  const largestVersion = used.reduce((a, b) => (a > b ? a : b));
  return reignOfStay({ record, known, present, largestVersion });
};
