/**
 * Looks whether the follower is still what the copies made of it: the same index, written by copies only. A copy carries
 * a stamp that the authority has given out, so a version that is no stamp, or is above the authority's own, is another
 * hand's work. Such documents are remembered until both sides agree about them again, over a change of leader too.
 * Limits: it reads the newest writes only, and a write of the authority that takes exactly the foreign version hides it;
 * what finds every difference is a full verification.
 */
import * as z from 'zod';
import type { Bucket } from '../coordination/ports.ts';
import { keys } from '../coordination/keys.ts';
import { sides } from '../coordination/records.ts';
import { unpackStamp } from '../coordination/stamp.ts';
import type { ShardSeq } from './control-answers.ts';
import { type Direction, hasOwnVersions, indexOn } from './direction.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { type OnUnreadable, readKept } from './kept-record.ts';
import { checkPosition, currentShards, IndexPosition, takePosition } from './positions.ts';
import { retrying } from './retry.ts';
import { look, stampOrNone, type Suspect, suspect } from './verify-confirm.ts';
import type { VerifyIo } from './verify-io.ts';

const StoredSuspect = z.strictObject({
  ordinal: z.int().min(0),
  id: z.string(),
  routing: z.string().optional(),
  seen: z.string(),
});
export const FollowerWatch = z.strictObject({
  schema: z.literal(1),
  follower: z.enum(sides),
  reign: z.int().min(1),
  /** On the follower, by ordinal: writes up to the cursors were looked at. */
  indices: z.array(IndexPosition),
  suspects: z.array(StoredSuspect),
});
export type FollowerWatch = z.infer<typeof FollowerWatch>;

/** Newest writes of a shard that one look reads. */
const sampleDocs = 200;
const maxSuspects = 100;

export const loadWatch = async (
  bucket: Bucket,
  slug: string,
  onUnreadable?: OnUnreadable,
): Promise<FollowerWatch | undefined> =>
  (await readKept(bucket, keys.job(slug, 'follower'), { schema: FollowerWatch, onUnreadable })).record;
export const saveWatch = async (bucket: Bucket, slug: string, watch: FollowerWatch): Promise<void> => {
  await bucket.put(keys.job(slug, 'follower'), JSON.stringify(watch));
};
export const forgetWatch = (bucket: Bucket, slug: string): Promise<void> => bucket.delete(keys.job(slug, 'follower'));

/** Of versions that the application sets, each may be of a copy. */
const isNoStamp = (version: bigint, direction: Direction): boolean => {
  if (hasOwnVersions(direction)) return false;
  const { reign } = unpackStamp(direction.layout, version);
  return reign < 1 || reign > direction.reign;
};

/** Could a copy not have written this version? `authority` must have been read after the follower. */
export const isForeign = (version: bigint, authority: GotDoc, direction: Direction): boolean => {
  if (isNoStamp(version, direction)) return true;
  const own = authority.kind === 'found' ? stampOrNone(direction, authority.doc) : undefined;
  return own !== undefined && version > own;
};

/** Documents whose difference has been the same over two looks. */
const isSettled = ({ judgement: { kind } }: Suspect): boolean =>
  kind !== 'equal' && kind !== 'unclear' && kind !== 'unknown';

export type WatchResult = {
  watch: FollowerWatch;
  /** For people; undefined when the follower is what it was. */
  recreated: string | undefined;
  foreign: string | undefined;
};

const newestWrites = async (
  ordinal: number,
  shard: ShardSeq,
  cursor: number,
  { clusters, direction, signal }: VerifyIo,
): Promise<StoredDoc[]> => {
  const { shard: number, primaryNode: node, globalCheckpoint: upTo } = shard;
  const after = Math.max(cursor, upTo - sampleDocs);
  if (upTo <= after) return [];
  const at = { index: indexOn(direction, ordinal, direction.follower), shard: number, node, after, upTo };
  return clusters[direction.follower].searchBySeq({ ...at, size: sampleDocs, source: false, signal });
};

const strangers = async (docs: readonly StoredDoc[], ordinal: number, io: VerifyIo): Promise<Suspect[]> => {
  const { clusters, direction, runtime, signal } = io;
  const index = indexOn(direction, ordinal, direction.authority);
  const get = { index, docs, source: false, signal };
  const authority = await retrying(() => clusters[direction.authority].mget(get), { runtime, signal, attempts: 3 });
  return docs
    .filter(({ version }, i) => version !== undefined && isForeign(version, authority[i] as GotDoc, direction))
    .map((doc) => suspect(ordinal, doc));
};

type IndexLook = { position: IndexPosition; suspects: Suspect[]; recreated?: string };

const lookAtIndex = async (ordinal: number, position: IndexPosition, io: VerifyIo): Promise<IndexLook> => {
  const { clusters, direction, runtime, signal } = io;
  const index = indexOn(direction, ordinal, direction.follower);
  const cluster = clusters[direction.follower];
  const checked = checkPosition(index, position, await currentShards(index, { cluster, runtime, signal }));
  const idle = { position, suspects: [] };
  if (checked.kind === 'index_recreated') return { ...idle, recreated: checked.detail };
  if (checked.kind !== 'ok') return idle;
  const cursors = [...position.cursors];
  const suspects: Suspect[] = [];
  for (const shard of checked.shards) {
    const docs = await newestWrites(ordinal, shard, cursors[shard.shard] as number, io);
    suspects.push(...(await strangers(docs, ordinal, io)));
    cursors[shard.shard] = docs.at(-1)?.seqNo ?? (cursors[shard.shard] as number);
  }
  return { position: { ...position, cursors }, suspects };
};

const keyOf = ({ ordinal, id, routing }: Omit<Suspect, 'judgement'>): string => JSON.stringify([ordinal, id, routing]);

const sentence = (settled: readonly Suspect[], { direction }: VerifyIo): string | undefined => {
  const [first] = settled;
  if (first === undefined) return undefined;
  const index = indexOn(direction, first.ordinal, direction.follower);
  const count = settled.length === 1 ? '1 document' : `${settled.length} documents`;
  return `somebody else writes to ${index} on the ${direction.follower}: ${count}, for example ${first.id}; run repair --force`;
};

/** From now on: the follower as it is, with nothing looked at before. @throws what the cluster throws */
export const beginWatch = async (io: VerifyIo): Promise<FollowerWatch | { problem: string }> => {
  const { clusters, direction, runtime, signal } = io;
  const { follower, reign } = direction;
  const indices: IndexPosition[] = [];
  for (const ordinal of direction.spec.indices.keys()) {
    const at = { cluster: clusters[follower], runtime, signal };
    const taken = await takePosition(indexOn(direction, ordinal, follower), 'checkpoint', at);
    if (taken.kind !== 'ok') return { problem: taken.detail };
    indices.push(taken.position);
  }
  return { schema: 1, follower, reign, indices, suspects: [] };
};

export const isWatchOf = (watch: FollowerWatch, { follower, reign, spec }: Direction): boolean =>
  watch.follower === follower && watch.reign === reign && watch.indices.length === spec.indices.length;

/** One look. @throws what the clusters throw */
export const watchStep = async (watch: FollowerWatch, io: VerifyIo): Promise<WatchResult> => {
  const looks: IndexLook[] = [];
  for (const [ordinal, position] of watch.indices.entries()) looks.push(await lookAtIndex(ordinal, position, io));
  const recreated = looks.find((one) => one.recreated !== undefined)?.recreated;
  const known = watch.suspects.map((one): Suspect => ({
    ...one,
    routing: one.routing,
    judgement: { kind: 'unclear', reason: 'looked at before' },
  }));
  const all = new Map([...looks.flatMap(({ suspects }) => suspects), ...known].map((one) => [keyOf(one), one]));
  const open = recreated === undefined ? await look([...all.values()].slice(0, maxSuspects), 'full', io) : known;
  const suspects = open.map(({ ordinal, id, routing, seen }) => ({
    ordinal,
    id,
    ...(routing === undefined ? {} : { routing }),
    seen,
  }));
  const settled = open.filter(isSettled);
  return {
    watch: { ...watch, indices: looks.map(({ position }) => position), suspects },
    recreated: recreated && `on the ${watch.follower}, ${recreated}; copies begin anew after a stay in observe`,
    foreign: sentence(settled, io),
  };
};
