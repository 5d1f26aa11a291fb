/**
 * Makes the follower equal to the authority for given documents: reads each as it is now and sends a stamped copy, or a
 * delete one above the follower's version when the authority has none. Invariant: the follower is read before the
 * authority. A version read later could belong to a recreation, and the delete would then remove a live document; read
 * first, it is at most the stamp of a write that the authority's absence already outdates.
 */

import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import type { FinalFate } from './bulk-send.ts';
import type { ClusterControl } from './cluster.ts';
import type { StampedWrite } from './copy-bulk.ts';
import { type Direction, hasOwnVersions, indexOn, stampOf } from './direction.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { getDocuments, inFittingParts } from './odd-documents.ts';
import { checkPosition, currentShards, type IndexPosition } from './positions.ts';
import type { DocAddressOf } from './quarantine.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';
import { sendAll } from './send-all.ts';
import { deleteWrite, prepareWrite } from './stamped-write.ts';
import type { TransformFunction } from './transform.ts';

/**
 * same_stamp: a copy of this very write, for whoever knows that its content may be another. any: also a later version, as
 * a foreign writer leaves it; done only where every later write of the authority still gets a greater stamp.
 */
export type Overwrite = 'same_stamp' | 'any';
export type RepairIo = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  direction: Direction;
  transform: TransformFunction | undefined;
  /** Positions on the authority, by ordinal: deletes are sent only while it is still the same index. */
  pins: readonly IndexPosition[];
  signal?: AbortSignal | undefined;
  /** What may be overwritten besides older copies; default nothing. */
  overwrite?: Overwrite | undefined;
};
export type RepairOutcome =
  | { kind: 'copied'; stamp: bigint }
  | { kind: 'deleted' }
  /** Nothing to do: absent on both sides, or the follower has this stamp or a newer one. */
  | { kind: 'kept'; stamp: bigint | undefined }
  /** The follower has a later version than the authority gave: somebody else wrote it, and only `any` overwrites it. */
  | { kind: 'foreign'; stamp: bigint }
  /** The follower refuses the document: see the quarantine. */
  | { kind: 'refused'; stamp: bigint; reason: string }
  /** Could not be decided or done now; ask again. */
  | { kind: 'failed'; reason: string };
export type Repaired = { doc: DocAddressOf; outcome: RepairOutcome };

const batchDocs = 500;
/** Somebody waits for a repair; a follower that takes nothing for so long is better met again later. */
const repeatForMs = 10_000;
/** A copy that was cut off would make the next switch fence first. */
const patienceMs = 1_000;

type Planned = { write: StampedWrite; wasThere: boolean } | { outcome: RepairOutcome };
type Read = { doc: DocAddressOf; follower: GotDoc; authority: GotDoc };
/** What is known when a document is planned. */
type Ground = {
  /** Every write up to this sequence number is in what the reads saw. */
  settled: number;
  /** The follower has shown that it remembers a delete of the document that is later than the authority's write. */
  buried: boolean;
};

const failed = (reason: string): { outcome: RepairOutcome } => ({ outcome: { kind: 'failed', reason } });

const planDelete = ({ doc, follower }: Read, io: RepairIo): Planned => {
  if (follower.kind !== 'found') return { outcome: { kind: 'kept', stamp: undefined } };
  const { ordinal, id, routing } = doc;
  const stamp = (follower.doc.version as bigint) + 1n;
  return { write: deleteWrite({ ordinal, id, routing, stamp }, io.direction), wasThere: true };
};

/**
 * Any write still to come has a sequence number above the settled one, and so a stamp above this. Of versions that the
 * application sets nobody knows which it still has for the document.
 */
const highestFree = (stored: StoredDoc, { direction }: RepairIo, { settled }: Ground): bigint =>
  stampOf(direction, hasOwnVersions(direction) ? stored : { ...stored, seqNo: Math.max(0, settled) });

/**
 * The version for a document that the authority has; undefined when it could bar a later write. A delete that is in the
 * authority's own history is followed there by the write that made the document anew, whose stamp is higher: so what
 * buries it is a foreign writer's, and may be overwritten by any version that is free.
 */
const copyVersion = (stored: StoredDoc, held: bigint, io: RepairIo, ground: Ground): bigint | undefined => {
  const own = stampOf(io.direction, stored);
  const free = highestFree(stored, io, ground);
  if (held < own) return ground.buried && free > own ? free : own;
  if (held === own) return own;
  return held < free ? held + 1n : undefined;
};

const laterReason = 'the follower holds a later version than the authority can give yet';
const laterOwnReason =
  'the follower holds a later version than the application gave: delete the document there, and repair again once its index.gc_deletes (60 s by default) have passed';

const planCopy = async (read: Read, stored: StoredDoc, io: RepairIo, ground: Ground): Promise<Planned> => {
  const { ordinal, id, routing } = read.doc;
  const own = stampOf(io.direction, stored);
  if (stored.unreadable !== undefined) return { outcome: { kind: 'refused', stamp: own, reason: stored.unreadable } };
  if (stored.source === undefined) return failed('the authority keeps no _source for this document');
  const held = read.follower.kind === 'found' ? (read.follower.doc.version as bigint) : -1n;
  if (held > own && io.overwrite !== 'any') return { outcome: { kind: 'foreign', stamp: own } };
  if (held === own && io.overwrite === undefined) return { outcome: { kind: 'kept', stamp: own } };
  const stamp = copyVersion(stored, held, io, ground);
  if (stamp === undefined) return failed(hasOwnVersions(io.direction) ? laterOwnReason : laterReason);
  const content = { ordinal, id, routing, stamp, source: stored.source };
  const prepared = await prepareWrite(content, io.direction, io.transform);
  if (!prepared.ok) return { outcome: { kind: 'refused', stamp, reason: prepared.reason } };
  const { write } = prepared;
  return { write: held === own ? { ...write, orEqual: true } : write, wasThere: held >= 0n };
};

const plan = async (read: Read, io: RepairIo, ground: Ground): Promise<Planned> => {
  const { follower, authority } = read;
  if (follower.kind === 'unknown') return failed(follower.reason);
  if (authority.kind === 'unknown') return failed(authority.reason);
  if (authority.kind === 'absent') return planDelete(read, io);
  try {
    return await planCopy(read, authority.doc, io, ground);
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
};

/** @throws CrossfadeError UPSTREAM_REFUSED when the authority's index is not the one that was pinned. */
const settledSeq = async (ordinal: number, io: RepairIo): Promise<number> => {
  const { clusters, direction, runtime, signal, pins } = io;
  const index = indexOn(direction, ordinal, direction.authority);
  const stats = await currentShards(index, { cluster: clusters[direction.authority], runtime, signal });
  const pin = pins[ordinal];
  const checked = checkPosition(index, pin ?? { uuid: '', cursors: [], histories: [] }, stats);
  if (checked.kind !== 'ok') throw new CrossfadeError('UPSTREAM_REFUSED', checked.detail);
  return Math.min(...checked.shards.map(({ globalCheckpoint }) => globalCheckpoint));
};

const readBoth = async (ordinal: number, docs: readonly DocAddressOf[], io: RepairIo): Promise<Read[]> => {
  const { clusters, direction, runtime, signal } = io;
  const addresses = docs.map(({ id, routing }) => ({ id, routing }));
  const read = (side: Side, source: boolean) => {
    const index = indexOn(direction, ordinal, side);
    const get = { index, docs: addresses, source, signal };
    return retrying(() => getDocuments(clusters[side], get), { runtime, signal });
  };
  const follower = await read(direction.follower, false);
  const authority = await read(direction.authority, true);
  return docs.map((doc, i) => ({ doc, follower: follower[i] as GotDoc, authority: authority[i] as GotDoc }));
};

/** The tombstone of a foreign delete has a version that the authority may still give out; the follower forgets it. */
const buriedReason = 'the follower remembers a later delete, for index.gc_deletes (60 s by default): repair again then';

const outcomeOf = (
  { write, wasThere }: { write: StampedWrite; wasThere: boolean },
  fate: FinalFate | undefined,
  stuck: string | undefined,
): RepairOutcome => {
  const { stamp } = write;
  switch (fate?.kind) {
    case 'applied':
      return write.op === 'delete' ? { kind: 'deleted' } : { kind: 'copied', stamp };
    case 'superseded':
      // Absent before and refused as older now: a newer copy came between, or a delete is remembered. Only a look tells.
      return wasThere ? { kind: 'kept', stamp } : { kind: 'failed', reason: buriedReason };
    case 'quarantine':
      return { kind: 'refused', stamp, reason: fate.reason };
    case 'fenced':
    case undefined:
      return { kind: 'failed', reason: fate?.kind ?? stuck ?? 'stopped' };
    default:
      return fate satisfies never;
  }
};

const send = async (planned: readonly Planned[], io: RepairIo): Promise<RepairOutcome[]> => {
  const { clusters, direction, runtime, signal } = io;
  const sending = planned.flatMap((one) => ('write' in one ? [one] : []));
  const writes = sending.map(({ write }) => write);
  const cluster = clusters[direction.follower];
  const { fates, reason } = await sendAll(writes, { cluster, runtime, signal, repeatForMs, patienceMs });
  const outcomes = new Map(sending.map((one, i) => [one as Planned, outcomeOf(one, fates[i], reason)]));
  return planned.map((one) => ('outcome' in one ? one.outcome : (outcomes.get(one) as RepairOutcome)));
};

type Batch = { ordinal: number; docs: readonly DocAddressOf[]; buried: boolean };

const tryBatch = async ({ ordinal, docs, buried }: Batch, io: RepairIo): Promise<Repaired[]> => {
  // Before the documents are read: what is settled now is in what the reads see.
  const settled = await settledSeq(ordinal, io);
  const reads = await readBoth(ordinal, docs, io);
  const planned = await Promise.all(reads.map((read) => plan(read, io, { settled, buried })));
  if (planned.some((one) => 'write' in one && one.write.op === 'delete')) await settledSeq(ordinal, io);
  const outcomes = await send(planned, io);
  return docs.map((doc, i) => ({ doc, outcome: outcomes[i] as RepairOutcome }));
};

const isBuried = ({ outcome }: Repaired): boolean => outcome.kind === 'failed' && outcome.reason === buriedReason;

/** What proved to be buried is looked at once more, both sides anew. */
const repairBatch = async (ordinal: number, docs: readonly DocAddressOf[], io: RepairIo): Promise<Repaired[]> => {
  const first = await tryBatch({ ordinal, docs, buried: false }, io);
  const buried = first.filter(isBuried).map(({ doc }) => doc);
  if (buried.length === 0) return first;
  const second = await tryBatch({ ordinal, docs: buried, buried: true }, io);
  return [...first.filter((one) => !isBuried(one)), ...second];
};

/** An outcome per document, grouped by index. Never throws for what a cluster does. */
export const repairIds = async (docs: readonly DocAddressOf[], io: RepairIo): Promise<Repaired[]> => {
  const repaired: Repaired[] = [];
  for (const ordinal of io.direction.spec.indices.keys()) {
    const own = docs.filter((doc) => doc.ordinal === ordinal);
    for (let at = 0; at < own.length; at += batchDocs) {
      const batch = own.slice(at, at + batchDocs);
      try {
        repaired.push(...(await inFittingParts(batch, (part) => repairBatch(ordinal, part, io))));
      } catch (error) {
        const { outcome } = failed(error instanceof Error ? error.message : String(error));
        repaired.push(...batch.map((doc) => ({ doc, outcome })));
      }
    }
  }
  return repaired;
};
