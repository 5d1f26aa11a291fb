/**
 * Compares the two sides document by document and lists exactly what is missing, extra or different. Modes: `stamp`
 * trusts a follower's version that equals the authority's stamp and reads content only where it does not; `hash`
 * compares every content; `full` also says where documents differ and whether versions are in order. Made of steps over
 * plain state, so it can be resumed and throttled. Invariant: a difference is recorded only when it is still there after
 * waiting, while the document itself stood still; documents that keep changing are counted as unstable, and a step in
 * which a shard could not say is taken again as a whole.
 */
import type { Side } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { hasOwnVersions, indexOn } from './direction.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { getDocuments } from './odd-documents.ts';
import { checkPosition, currentShards, type IndexPosition, type PositionProblem, takePosition } from './positions.ts';
import { retrying } from './retry.ts';
import { type ReadOptions, readSeqRange } from './seq-reader.ts';
import { confirm, expectedSource, look, type Suspect, stampOrNone, suspect } from './verify-confirm.ts';
import type { VerifyIo } from './verify-io.ts';
import { isFailure, sameDocument } from './verify-judge.ts';
import { addFinding, remaining, sampleWalks, type VerifyState, type Walk } from './verify-state.ts';

export type VerifyEnd = { kind: 'done' | 'more' } | PositionProblem | { kind: 'stopped' | 'stale'; detail: string };
export type VerifyResult = VerifyEnd & { state: VerifyState };

type BeginIo = Pick<VerifyIo, 'clusters' | 'runtime' | 'direction' | 'signal'>;
export type VerifyAsk = { mode: VerifyState['mode']; sample?: number | undefined };

const walksOn = (side: Side, positions: readonly IndexPosition[]): Walk[] =>
  positions.flatMap(({ cursors }, ordinal) => cursors.map((upTo, shard) => ({ side, ordinal, shard, at: -1, upTo })));

const pinSide = async (side: Side, { clusters, runtime, signal, direction }: BeginIo) => {
  const positions: IndexPosition[] = [];
  for (const pair of direction.spec.indices) {
    const taken = await takePosition(pair[side], 'checkpoint', { cluster: clusters[side], runtime, signal });
    if (taken.kind !== 'ok') return taken;
    await retrying(() => clusters[side].refresh(pair[side], { signal }), { runtime, signal });
    positions.push(taken.position);
  }
  return { kind: 'ok' as const, positions };
};

/** Over everything both sides hold now, or a random sample of about that many documents per side. */
export const beginVerify = async (
  { mode, sample }: VerifyAsk,
  io: BeginIo,
): Promise<{ kind: 'ok'; state: VerifyState } | PositionProblem> => {
  const source = await pinSide('source', io);
  if (source.kind !== 'ok') return source;
  const target = await pinSide('target', io);
  if (target.kind !== 'ok') return target;
  const pins = { source: source.positions, target: target.positions };
  const { authority, follower, reign } = io.direction;
  const walks = [authority, follower].flatMap((side) => {
    const whole = walksOn(side, pins[side]);
    return sample === undefined ? whole : sampleWalks(whole, sample, io.runtime.random);
  });
  const found = {
    counts: { missing: 0, extra: 0, different: 0 },
    findings: [],
    findingsChars: 0,
    checked: 0,
    unstable: 0,
  };
  return { kind: 'ok', state: { schema: 1, mode, authority, reign, pins, walks, total: remaining(walks), ...found } };
};

const getFrom = (side: Side, ordinal: number, docs: readonly StoredDoc[], source: boolean, io: VerifyIo) => {
  const { clusters, direction, runtime, signal } = io;
  const get = { index: indexOn(direction, ordinal, side), docs, source, signal };
  return retrying(() => getDocuments(clusters[side], get), { runtime, signal });
};

const differs = async (
  doc: StoredDoc,
  got: GotDoc,
  ordinal: number,
  state: VerifyState,
  io: VerifyIo,
): Promise<boolean> => {
  if (got.kind !== 'found') return true;
  if (state.mode !== 'hash' && got.doc.version !== stampOrNone(io.direction, doc)) return true;
  if (state.mode === 'stamp') return false;
  const expected = await expectedSource(doc, ordinal, io);
  const held = got.doc.source;
  if (expected === null || expected === undefined || isFailure(expected)) return true;
  return held === undefined || !sameDocument(expected, held);
};

const suspectsOf = async (walk: Walk, docs: StoredDoc[], state: VerifyState, io: VerifyIo): Promise<Suspect[]> => {
  const { authority, follower } = io.direction;
  const { ordinal } = walk;
  const onFollower = walk.side === follower;
  const got = await getFrom(
    onFollower ? authority : follower,
    ordinal,
    docs,
    !onFollower && state.mode !== 'stamp',
    io,
  );
  const suspicious = await Promise.all(
    docs.map((doc, i) => {
      const other = got[i] as GotDoc;
      return onFollower ? other.kind !== 'found' : differs(doc, other, ordinal, state, io);
    }),
  );
  // What the follower shares with the authority is counted there.
  const counted = onFollower ? {} : { counted: true as const };
  return docs.filter((_, i) => suspicious[i]).map((doc) => ({ ...suspect(ordinal, doc), ...counted }));
};

class Moved extends Error {
  readonly problem: PositionProblem;
  constructor(problem: PositionProblem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const nodeOf = async (walk: Walk, { pins }: VerifyState, io: VerifyIo): Promise<string> => {
  const { clusters, direction, runtime, signal } = io;
  const index = indexOn(direction, walk.ordinal, walk.side);
  const stats = await currentShards(index, { cluster: clusters[walk.side], runtime, signal });
  const checked = checkPosition(index, pins[walk.side][walk.ordinal] as IndexPosition, stats);
  if (checked.kind !== 'ok') throw new Moved(checked);
  return checked.shards[walk.shard]?.primaryNode as string;
};

const readerOf = (
  walk: Walk,
  state: VerifyState,
  { clusters, direction, runtime, signal, limits }: VerifyIo,
): ReadOptions => ({
  cluster: clusters[walk.side],
  runtime,
  signal,
  source: walk.side === direction.authority && state.mode !== 'stamp',
  versions: hasOwnVersions(direction),
  limits: { ...limits, maxPageDocs: Math.min(limits.maxPageDocs, walk.docsLeft ?? limits.maxPageDocs) },
});

/** Progress within one step: pages left to take, and what must still be confirmed. */
type Step = { pages: number; suspects: Suspect[] };
const maxSuspects = 10_000;

/** Moves one walk on until it ends or the step has enough. */
const followWalk = async (walk: Walk, state: VerifyState, step: Step, io: VerifyIo): Promise<void> => {
  const range = {
    index: indexOn(io.direction, walk.ordinal, walk.side),
    shard: walk.shard,
    from: walk.at,
    to: walk.upTo,
  };
  const pages = readSeqRange({ ...range, node: await nodeOf(walk, state, io) }, readerOf(walk, state, io));
  for await (const { docs, through } of pages) {
    const began = io.runtime.now();
    if (docs.length > 0) step.suspects.push(...(await look(await suspectsOf(walk, docs, state, io), state.mode, io)));
    if (walk.side === io.direction.authority) state.checked += docs.length;
    walk.at = through;
    if (walk.docsLeft !== undefined) walk.docsLeft = Math.max(0, walk.docsLeft - docs.length);
    await io.onPage?.({ docs: docs.length, sendMs: io.runtime.now() - began, retried: false });
    step.pages--;
    if (step.pages <= 0 || walk.docsLeft === 0 || step.suspects.length >= maxSuspects) return;
  }
};

const isOver = ({ at, upTo, docsLeft }: Walk): boolean => at >= upTo || docsLeft === 0;

/** @throws UPSTREAM_REFUSED when a shard could not say */
const record = (state: VerifyState, { ordinal, id, routing, judgement, counted }: Suspect): void => {
  switch (judgement.kind) {
    case 'equal':
      return;
    case 'unknown':
      throw new CrossfadeError('UPSTREAM_REFUSED', `${id} cannot be read: ${judgement.reason.slice(0, 200)}`);
    case 'unclear':
      state.unstable++;
      if (counted) state.checked--;
      return;
    case 'missing':
    case 'extra':
    case 'different':
      return addFinding(state, { ordinal, id, ...(routing === undefined ? {} : { routing }), ...judgement });
    default:
      judgement satisfies never;
  }
};

const verifyPages = async (state: VerifyState, io: VerifyIo): Promise<VerifyEnd> => {
  const step: Step = { pages: io.maxPages ?? 20, suspects: [] };
  while (state.walks.length > 0 && step.pages > 0 && step.suspects.length < maxSuspects && !io.signal?.aborted) {
    const walk = state.walks[0] as Walk;
    if (!isOver(walk)) await followWalk(walk, state, step, io);
    if (isOver(walk)) state.walks.shift();
  }
  const confirmed = await confirm(step.suspects, state.mode, io);
  if (io.signal?.aborted) return { kind: 'stopped', detail: 'stopping' };
  for (const one of confirmed) record(state, one);
  return { kind: state.walks.length === 0 ? 'done' : 'more' };
};

/**
 * Some pages, and a patient second look at what seemed different in them. Never throws for what a cluster does. A step
 * that did not end well leaves the state as it was: its suspects were not confirmed.
 */
export const verifyStep = async (before: VerifyState, io: VerifyIo): Promise<VerifyResult> => {
  const { authority, reign } = io.direction;
  if (before.authority !== authority || before.reign !== reign)
    return { kind: 'stale', detail: `of reign ${before.reign} on ${before.authority}`, state: before };
  try {
    const state = structuredClone(before);
    const end = await verifyPages(state, io);
    return { ...end, state: end.kind === 'stopped' ? before : state };
  } catch (error) {
    if (error instanceof Moved) return { ...error.problem, state: before };
    return { kind: 'unavailable', detail: error instanceof Error ? error.message : String(error), state: before };
  }
};
