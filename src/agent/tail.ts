/**
 * The tail: finds every surviving index and update on the authority since its cursors, whoever wrote it, and copies it
 * with a stamp. Per shard it takes the global checkpoint G, refreshes, reads (cursor, G] and moves the cursor to G.
 * It is made of steps over plain state, so that a leader can save the state after each step and a successor go on from
 * it; beginning again from -1 is always correct, only slower. Invariants: nothing beyond G is read, because G is what
 * every copy of the shard holds; the cursor never passes a document that is not on the follower or in the quarantine.
 * What a write on the primary alone has hidden from it is read again under another primary: doubts.ts. The tail cannot
 * see deletes: that is sweep.ts.
 */
import * as z from 'zod';
import { sides } from '../coordination/records.ts';
import type { ShardSeq } from './control-answers.ts';
import type { CopyIo, PageReport, RangeResult } from './copy-page.ts';
import { copyRange } from './copy-range.ts';
import { type Direction, indexOn } from './direction.ts';
import { doubtRead, Doubts, inDoubt, noDoubts } from './doubts.ts';
import { mapLimited } from './limited.ts';
import { IndexPosition, type PositionProblem, takePosition } from './positions.ts';
import { retrying } from './retry.ts';
import { type AskTerms, lookAt, type Standing } from './tail-look.ts';

export const TailState = z.strictObject({
  schema: z.literal(1),
  authority: z.enum(sides),
  reign: z.int().min(1),
  /** By ordinal. */
  indices: z.array(IndexPosition),
  /** By ordinal; absent before the first step. */
  doubts: z.array(Doubts).optional(),
});
export type TailState = z.infer<typeof TailState>;

export type TailIo = CopyIo & {
  /** Shards of one index worked on at once; default 4. */
  shardConcurrency?: number;
  askTerms?: AskTerms | undefined;
};
/** fenced: the epoch moved on. stuck: the follower takes nothing. stale: the state belongs to another reign or side. */
export type TailEnd =
  { kind: 'ok' } | PositionProblem | { kind: 'fenced' | 'stopped' | 'stuck' | 'stale'; detail: string };
export type TailResult = TailEnd & {
  state: TailState;
  /** Every cursor stands at the checkpoint taken in this step. */
  caughtUp: boolean;
  /** Something that was passed may have been hidden: the next step tells. */
  inDoubt: boolean;
  /** Sequence numbers given out on the authority and not yet handled; undefined when it could not be asked. */
  behind: number | undefined;
  /** Global checkpoints by ordinal and shard, as taken in this step; empty where they could not be. */
  checkpoints: number[][];
  docs: number;
  applied: number;
};

/** A tail that starts before everything, or at the authority's present position. */
export const beginTail = async (
  at: 'start' | 'checkpoint',
  io: Pick<CopyIo, 'clusters' | 'runtime' | 'direction' | 'signal'>,
): Promise<{ kind: 'ok'; state: TailState } | PositionProblem> => {
  const { direction, clusters, runtime, signal } = io;
  const { authority, reign, spec } = direction;
  const indices: IndexPosition[] = [];
  for (const pair of spec.indices) {
    const taken = await takePosition(pair[authority], at, { cluster: clusters[authority], runtime, signal });
    if (taken.kind !== 'ok') return taken;
    indices.push(taken.position);
  }
  return { kind: 'ok', state: { schema: 1, authority, reign, indices } };
};

type IndexStep = TailEnd & {
  standing: Standing;
  shards: ShardSeq[];
  docs: number;
  applied: number;
};

const defaultMaxPages = 50;
const sumOf = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((sum, item) => sum + of(item), 0);

/** Moves `cursors` page by page, so that what was done before a failure is not lost. */
const copyShard = async (shard: ShardSeq, { ordinal, cursors }: { ordinal: number; cursors: number[] }, io: TailIo) => {
  const { shard: number, primaryNode: node, globalCheckpoint: to } = shard;
  const onPage = async (page: PageReport) => {
    cursors[number] = page.through;
    await io.onPage?.(page);
  };
  const from = cursors[number] as number;
  return copyRange({ ordinal, shard: number, node, from, to }, { maxPages: defaultMaxPages, ...io, onPage });
};

const endOf = (copied: readonly RangeResult[], { epoch, follower }: Direction): TailEnd => {
  const early = copied.map(({ end }) => end).find((end) => end === 'fenced' || end === 'stopped');
  if (early === 'fenced' || early === 'stopped') return { kind: early, detail: `epoch ${epoch}` };
  const stuck = copied.find(({ end }) => end === 'stuck');
  return stuck === undefined
    ? { kind: 'ok' }
    : { kind: 'stuck', detail: `the ${follower} takes nothing: ${stuck.reason}` };
};

const copyShards = async (
  ordinal: number,
  cursors: number[],
  shards: ShardSeq[],
  io: TailIo,
): Promise<RangeResult[]> => {
  const due = shards.filter(({ shard, globalCheckpoint }) => globalCheckpoint > (cursors[shard] as number));
  if (due.length === 0) return [];
  const { clusters, direction, runtime, signal, shardConcurrency = 4 } = io;
  const index = indexOn(direction, ordinal, direction.authority);
  await retrying(() => clusters[direction.authority].refresh(index, { signal }), { runtime, signal, attempts: 3 });
  return mapLimited(due, shardConcurrency, (shard) => copyShard(shard, { ordinal, cursors }, io));
};

/** Also what was read before a failure is in doubt. */
const readIndex = async (
  ordinal: number,
  standing: Standing,
  shards: ShardSeq[],
  io: TailIo,
): Promise<RangeResult[]> => {
  const { cursors } = standing.position;
  const before = [...cursors];
  try {
    return await copyShards(ordinal, cursors, shards, io);
  } finally {
    standing.doubts = doubtRead(standing.doubts, before, cursors);
  }
};

const stepIndex = async (ordinal: number, before: Standing, io: TailIo): Promise<IndexStep> => {
  const standing = { ...before };
  const idle = { standing, shards: [], docs: 0, applied: 0 };
  try {
    const look = await lookAt(ordinal, before, io);
    if (look.kind !== 'ok') return { ...look, ...idle };
    const { shards, rewound, cursors, doubts } = look;
    standing.position = { ...before.position, cursors };
    standing.doubts = doubts;
    // What was asked before the term may still be of the primary that failed.
    if (rewound) return { kind: 'ok', ...idle, shards };
    const copied = await readIndex(ordinal, standing, shards, io);
    const docs = sumOf(copied, (range) => range.docs);
    const applied = sumOf(copied, (range) => range.applied);
    return { ...endOf(copied, io.direction), ...idle, shards, docs, applied };
  } catch (error) {
    return { kind: 'unavailable', detail: error instanceof Error ? error.message : String(error), ...idle };
  }
};

const standingsOf = ({ indices, doubts }: TailState): Standing[] =>
  indices.map((position, ordinal) => ({ position, doubts: doubts?.[ordinal] ?? noDoubts }));

const isCurrent = (state: TailState, { authority, reign, spec }: Direction): boolean =>
  state.authority === authority && state.reign === reign && state.indices.length === spec.indices.length;

/** The gravest end first: a recreated index must not hide behind a shard that is only slow. */
const gravity = ['index_recreated', 'fenced', 'stopped', 'unavailable', 'stuck', 'stale', 'ok'] as const;
const gravest = (steps: readonly IndexStep[]): TailEnd => {
  const [worst] = [...steps].sort((a, b) => gravity.indexOf(a.kind) - gravity.indexOf(b.kind));
  if (worst === undefined || worst.kind === 'ok') return { kind: 'ok' };
  return { kind: worst.kind, detail: worst.detail };
};

/**
 * One pass over all indices up to their checkpoints of this moment. Never throws for what a cluster does. The state in
 * the result holds all progress made, whatever `kind` says.
 */
export const tailStep = async (state: TailState, io: TailIo): Promise<TailResult> => {
  if (!isCurrent(state, io.direction)) {
    const detail = `of reign ${state.reign} on ${state.authority}`;
    const none = { caughtUp: false, inDoubt: false, behind: undefined, checkpoints: [] };
    return { kind: 'stale', detail, state, ...none, docs: 0, applied: 0 };
  }
  const steps = await Promise.all(standingsOf(state).map((standing, ordinal) => stepIndex(ordinal, standing, io)));
  const end = gravest(steps);
  const left = (of: (shard: ShardSeq) => number): number =>
    sumOf(steps, ({ shards, standing }) =>
      sumOf(shards, (shard) => Math.max(0, of(shard) - (standing.position.cursors[shard.shard] as number))),
    );
  const doubts = steps.map(({ standing }) => standing.doubts);
  return {
    ...end,
    state: { ...state, indices: steps.map(({ standing }) => standing.position), doubts },
    caughtUp: end.kind === 'ok' && left(({ globalCheckpoint }) => globalCheckpoint) === 0,
    inDoubt: doubts.some(inDoubt),
    behind: end.kind === 'ok' ? left(({ maxSeqNo }) => maxSeqNo) : undefined,
    checkpoints: steps.map(({ shards }) => shards.map(({ globalCheckpoint }) => globalCheckpoint)),
    docs: sumOf(steps, ({ docs }) => docs),
    applied: sumOf(steps, ({ applied }) => applied),
  };
};
