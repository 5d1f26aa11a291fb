/**
 * The sweep: removes from the follower what the authority no longer has, which the tail cannot see. It walks the
 * follower by sequence number without sources, asks the authority for each id in realtime, and deletes what is absent
 * there at one above the version that was read. That is safe at any time: the real delete's stamp is at least that, and
 * a recreation's is higher. Made of steps over plain state, like the tail. Invariants: an id counts as absent only when
 * the authority says so without error, and only while its index is provably the pinned one.
 */
import * as z from 'zod';
import { type Side, sides } from '../coordination/records.ts';
import { documentLine } from '../json/document-line.ts';
import { sendAll } from './send-all.ts';
import type { ClusterControl } from './cluster.ts';
import type { PageWork } from './copy-page.ts';
import { type Direction, indexOn } from './direction.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { getDocuments, inFittingParts } from './odd-documents.ts';
import type { PageLimits } from './page-size.ts';
import { checkPosition, currentShards, IndexPosition, type PositionProblem, takePosition } from './positions.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';
import { readSeqRange, type SeqPage } from './seq-reader.ts';
import { deleteWrite } from './stamped-write.ts';
import { type TransformFunction, transformSource } from './transform.ts';

export const SweepState = z.strictObject({
  schema: z.literal(1),
  authority: z.enum(sides),
  reign: z.int().min(1),
  /** By ordinal, on the follower: how far the walk came, and where it ends. */
  indices: z.array(z.strictObject({ at: IndexPosition, upTo: z.array(z.int().min(-1)) })),
  /** By ordinal: the authority's indices as they must still be. */
  pins: z.array(IndexPosition),
  scanned: z.int().min(0),
  removed: z.int().min(0),
  /** Documents on the follower when the sweep began, for progress. */
  total: z.int().min(0),
});
export type SweepState = z.infer<typeof SweepState>;

export type SweepIo = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  direction: Direction;
  limits: PageLimits;
  signal?: AbortSignal | undefined;
  /** The transform from the follower to the authority, when it may drop documents: those it drops are left alone. */
  mayDrop?: TransformFunction | undefined;
  /** Pages per shard and step; default 50. */
  maxPages?: number;
  /** After each page; may wait, to throttle. */
  onPage?: (page: PageWork) => Promise<void> | void;
};
export type SweepEnd =
  { kind: 'done' | 'more' } | PositionProblem | { kind: 'fenced' | 'stopped' | 'stale' | 'refused'; detail: string };
export type SweepResult = SweepEnd & { state: SweepState };

type BeginIo = Pick<SweepIo, 'clusters' | 'runtime' | 'direction' | 'signal'>;

/** A sweep over everything that the follower holds now. */
export const beginSweep = async (io: BeginIo): Promise<{ kind: 'ok'; state: SweepState } | PositionProblem> => {
  const { clusters, runtime, signal, direction } = io;
  const { authority, follower, reign, spec } = direction;
  const state: SweepState = { schema: 1, authority, reign, indices: [], pins: [], scanned: 0, removed: 0, total: 0 };
  for (const pair of spec.indices) {
    const pin = await takePosition(pair[authority], 'checkpoint', { cluster: clusters[authority], runtime, signal });
    if (pin.kind !== 'ok') return pin;
    const to = await takePosition(pair[follower], 'checkpoint', { cluster: clusters[follower], runtime, signal });
    if (to.kind !== 'ok') return to;
    await retrying(() => clusters[follower].refresh(pair[follower], { signal }), { runtime, signal });
    state.total += await retrying(() => clusters[follower].count(pair[follower], { signal }), { runtime, signal });
    state.pins.push(pin.position);
    const { cursors } = to.position;
    state.indices.push({ at: { ...to.position, cursors: cursors.map(() => -1) }, upTo: cursors });
  }
  return { kind: 'ok', state };
};

class Ended extends Error {
  readonly end: SweepEnd;
  constructor(end: SweepEnd) {
    super(end.kind);
    this.end = end;
  }
}

const shardsOf = async (side: Side, ordinal: number, position: IndexPosition, io: SweepIo) => {
  const { clusters, direction, runtime, signal } = io;
  const index = indexOn(direction, ordinal, side);
  const checked = checkPosition(
    index,
    position,
    await currentShards(index, { cluster: clusters[side], runtime, signal }),
  );
  if (checked.kind !== 'ok') throw new Ended(checked);
  return checked.shards;
};

const absentOn = async (docs: readonly StoredDoc[], ordinal: number, io: SweepIo): Promise<StoredDoc[]> => {
  const { clusters, direction, runtime, signal } = io;
  const index = indexOn(direction, ordinal, direction.authority);
  const get = { index, docs, source: false, signal };
  const got = await retrying(() => clusters[direction.authority].mget(get), { runtime, signal });
  const unclear = got.find((one) => one.kind === 'unknown');
  if (unclear !== undefined)
    throw new Ended({ kind: 'unavailable', detail: `${index}: ${unclear.reason.slice(0, 200)}` });
  return docs.filter((_, i) => (got[i] as GotDoc).kind === 'absent');
};

/** What the other direction's transform drops was never meant to be on the authority. What it fails on may be such a one. */
const isDropped = async (got: GotDoc, index: string, mayDrop: TransformFunction): Promise<boolean> => {
  if (got.kind !== 'found' || got.doc.source === undefined) return true;
  const { id, routing, source } = got.doc;
  const made = transformSource(mayDrop, documentLine(source) ?? source, { id, routing, index });
  return made.then(
    (document) => document === null,
    () => true,
  );
};

/** A document that is left alone because the transform fails perhaps stands nowhere else: the counts keep telling of it. */
const withoutDropped = async (docs: readonly StoredDoc[], ordinal: number, io: SweepIo): Promise<StoredDoc[]> => {
  const { mayDrop, clusters, direction, runtime, signal } = io;
  if (mayDrop === undefined || docs.length === 0) return [...docs];
  const index = indexOn(direction, ordinal, direction.follower);
  return inFittingParts(docs, async (part) => {
    const get = { index, docs: part, source: true, signal };
    const got = await retrying(() => getDocuments(clusters[direction.follower], get), { runtime, signal });
    const dropped = await Promise.all(got.map((one) => isDropped(one, index, mayDrop)));
    return part.filter((_, i) => !dropped[i]);
  });
};

const removePage = async (page: SeqPage, ordinal: number, state: SweepState, io: SweepIo): Promise<number> => {
  const { clusters, direction, runtime, signal } = io;
  const absent = await withoutDropped(await absentOn(page.docs, ordinal, io), ordinal, io);
  if (absent.length === 0) return 0;
  // Asked after the documents: an index that was recreated meanwhile would make everything look absent.
  await shardsOf(direction.authority, ordinal, state.pins[ordinal] as IndexPosition, io);
  const writes = absent.map(({ id, routing, version }) =>
    deleteWrite({ ordinal, id, routing, stamp: (version as bigint) + 1n }, direction),
  );
  const { end, fates } = await sendAll(writes, { cluster: clusters[direction.follower], runtime, signal });
  if (end !== 'done') throw new Ended({ kind: end === 'stuck' ? 'stopped' : end, detail: `epoch ${direction.epoch}` });
  const refused = fates.find((fate) => fate?.kind === 'quarantine');
  if (refused !== undefined)
    throw new Ended({ kind: 'refused', detail: `the follower takes no delete: ${refused.reason}` });
  return fates.filter((fate) => fate?.kind === 'applied').length;
};

const sweepShard = async (state: SweepState, at: { ordinal: number; shard: number; node: string }, io: SweepIo) => {
  const { ordinal, shard, node } = at;
  const { clusters, direction, runtime, limits, signal, maxPages = 50 } = io;
  const walk = state.indices[ordinal] as SweepState['indices'][number];
  const range = { index: indexOn(direction, ordinal, direction.follower), shard, node };
  const [from, to] = [walk.at.cursors[shard] as number, walk.upTo[shard] as number];
  const read = { cluster: clusters[direction.follower], runtime, limits, signal, source: false };
  let pages = 0;
  for await (const page of readSeqRange({ ...range, from, to }, read)) {
    const began = runtime.now();
    state.removed += await removePage(page, ordinal, state, io);
    state.scanned += page.docs.length;
    walk.at.cursors[shard] = page.through;
    await io.onPage?.({ docs: page.docs.length, sendMs: runtime.now() - began, retried: false });
    if (++pages >= maxPages) return;
  }
};

const isDone = ({ indices }: SweepState): boolean =>
  indices.every(({ at, upTo }) => upTo.every((to, shard) => (at.cursors[shard] as number) >= to));

const sweepAll = async (state: SweepState, io: SweepIo): Promise<SweepEnd> => {
  const { direction, signal } = io;
  for (const [ordinal, { at, upTo }] of state.indices.entries())
    for (const { shard, primaryNode: node } of await shardsOf(direction.follower, ordinal, at, io)) {
      if (signal?.aborted) return { kind: 'stopped', detail: 'stopping' };
      if ((at.cursors[shard] as number) < (upTo[shard] as number))
        await sweepShard(state, { ordinal, shard, node }, io);
    }
  if (signal?.aborted) return { kind: 'stopped', detail: 'stopping' };
  return { kind: isDone(state) ? 'done' : 'more' };
};

/** Some pages of every shard. Never throws for what a cluster does; the result's state holds all progress made. */
export const sweepStep = async (before: SweepState, io: SweepIo): Promise<SweepResult> => {
  const { authority, reign } = io.direction;
  const state = structuredClone(before);
  if (state.authority !== authority || state.reign !== reign)
    return { kind: 'stale', detail: `of reign ${state.reign} on ${state.authority}`, state };
  try {
    return { ...(await sweepAll(state, io)), state };
  } catch (error) {
    if (error instanceof Ended) return { ...error.end, state };
    return { kind: 'unavailable', detail: error instanceof Error ? error.message : String(error), state };
  }
};
