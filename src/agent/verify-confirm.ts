/**
 * Looks at suspected differences again, in realtime and with some patience, because a copy may simply be under way. The
 * follower is read before the authority, so that a write between the two reads cannot look like a follower ahead.
 */
import type { Side } from '../coordination/records.ts';
import { documentLine } from '../json/document-line.ts';
import { type Direction, indexOn, stampOf } from './direction.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { getDocuments, inFittingParts } from './odd-documents.ts';
import { currentShards } from './positions.ts';
import { retrying } from './retry.ts';
import { sleep } from './runtime.ts';
import { transformSource } from './transform.ts';
import type { VerifyIo } from './verify-io.ts';
import { type Failure, type Judgement, judge } from './verify-judge.ts';
import type { VerifyMode } from './verify-state.ts';

export type Suspect = {
  ordinal: number;
  id: string;
  routing: string | undefined;
  /** Tells whether the document moved between two looks. */
  seen: string;
  judgement: Judgement;
  /** Among the documents that were checked. */
  counted?: true;
};

const defaultRecheck = { rounds: 4, delayMs: 1_000 };
/** Both sides' documents of a batch are held at once. */
const batchDocs = 500;

export const suspect = (ordinal: number, { id, routing }: Pick<StoredDoc, 'id' | 'routing'>): Suspect => ({
  ordinal,
  id,
  routing,
  seen: '',
  judgement: { kind: 'unclear', reason: 'not looked at' },
});

/** What the follower should hold for a document of the authority; null = nothing, undefined or a reason = cannot be said. */
export const expectedSource = async (
  { id, routing, source }: StoredDoc,
  ordinal: number,
  io: Pick<VerifyIo, 'direction' | 'transform'>,
): Promise<Uint8Array | null | undefined | Failure> => {
  if (source === undefined || io.transform === undefined) return source;
  const index = indexOn(io.direction, ordinal, io.direction.authority);
  return transformSource(io.transform, documentLine(source) ?? source, { id, routing, index }).catch(failureOf);
};

const failureOf = (error: unknown): Failure => ({
  failed: `transform: ${error instanceof Error ? error.message : String(error)}`,
});

/** Undefined when the numbers do not fit the layout. */
export const stampOrNone = (direction: Direction, doc: StoredDoc): bigint | undefined => {
  try {
    return stampOf(direction, doc);
  } catch {
    return undefined;
  }
};

const fingerprint = (authority: GotDoc, follower: GotDoc): string =>
  [authority, follower]
    .map((got) => (got.kind === 'found' ? `${got.doc.primaryTerm}/${got.doc.seqNo}` : got.kind))
    .join(' ');

const isDroppedOnTheWayBack = async (follower: GotDoc, ordinal: number, io: VerifyIo): Promise<boolean> => {
  if (io.mayDrop === undefined || follower.kind !== 'found' || follower.doc.source === undefined) return false;
  const { id, routing, source } = follower.doc;
  const index = indexOn(io.direction, ordinal, io.direction.follower);
  const made = transformSource(io.mayDrop, documentLine(source) ?? source, { id, routing, index });
  // What it fails on it does not drop.
  return (await made.catch(() => undefined)) === null;
};

type Pair = { authority: GotDoc; follower: GotDoc };

/** Lowest global checkpoint over the shards: every number up to it has been given out. */
const settledSeq = async (ordinal: number, { clusters, direction, runtime, signal }: VerifyIo): Promise<number> => {
  const cluster = clusters[direction.authority];
  const stats = await currentShards(indexOn(direction, ordinal, direction.authority), { cluster, runtime, signal });
  return Math.min(...(stats?.shards ?? []).map(({ globalCheckpoint }) => globalCheckpoint));
};

const settledStamp = (direction: Direction, doc: StoredDoc, settled: number): bigint | undefined =>
  stampOrNone(direction, { ...doc, seqNo: Math.max(doc.seqNo, settled) });

type Look = { ordinal: number; settled: number; mode: VerifyMode };

const judgeNow = async (
  { authority, follower }: Pair,
  { ordinal, settled, mode }: Look,
  io: VerifyIo,
): Promise<Judgement> => {
  const found = authority.kind === 'found' ? authority.doc : undefined;
  const expected = found && (await expectedSource(found, ordinal, io));
  const bound = found && settledStamp(io.direction, found, settled);
  const judgement = judge({ authority, follower, expected, settled: bound }, mode);
  const inOrder = judgement.kind === 'extra' && (await isDroppedOnTheWayBack(follower, ordinal, io));
  return inOrder ? { kind: 'equal' } : judgement;
};

const lookAt = async (
  batch: readonly Suspect[],
  ordinal: number,
  mode: VerifyMode,
  io: VerifyIo,
): Promise<Suspect[]> => {
  const { clusters, direction, runtime, signal } = io;
  const read = (side: Side) => {
    const get = { index: indexOn(direction, ordinal, side), docs: batch, source: true, signal };
    return retrying(() => getDocuments(clusters[side], get), { runtime, signal });
  };
  const followers = await read(direction.follower);
  const authorities = await read(direction.authority);
  const at: Look = { ordinal, mode, settled: await settledSeq(ordinal, io) };
  return Promise.all(
    batch.map(async (one, i): Promise<Suspect> => {
      const pair = { authority: authorities[i] as GotDoc, follower: followers[i] as GotDoc };
      const judgement = await judgeNow(pair, at, io);
      if (judgement.kind === 'unknown') return { ...one, judgement };
      const seen = fingerprint(pair.authority, pair.follower);
      const moved = judgement.kind !== 'equal' && seen !== one.seen;
      return { ...one, seen, judgement: moved ? { kind: 'unclear', reason: 'changing' } : judgement };
    }),
  );
};

/** One look at each; those that are equal are left out of the result. */
export const look = async (suspects: readonly Suspect[], mode: VerifyMode, io: VerifyIo): Promise<Suspect[]> => {
  const open: Suspect[] = [];
  for (const ordinal of new Set(suspects.map((one) => one.ordinal))) {
    const own = suspects.filter((one) => one.ordinal === ordinal);
    for (let at = 0; at < own.length; at += batchDocs) {
      const batch = own.slice(at, at + batchDocs);
      const looked = await inFittingParts(batch, (part) => lookAt(part, ordinal, mode, io));
      open.push(...looked.filter(({ judgement }) => judgement.kind !== 'equal'));
    }
  }
  return open;
};

/** Those that stayed different over all rounds, that kept changing (`unclear`), or that no shard told of (`unknown`). */
export const confirm = async (suspects: readonly Suspect[], mode: VerifyMode, io: VerifyIo): Promise<Suspect[]> => {
  const { rounds, delayMs } = io.recheck ?? defaultRecheck;
  let open: Suspect[] = [...suspects];
  for (let round = 1; open.length > 0 && round <= rounds; round++) {
    await sleep(io.runtime, delayMs * round, io.signal);
    open = await look(open, mode, io);
  }
  return open;
};
