/**
 * Clears lists of scrolls or points in time that may live on both sides: each side gets its own ids, and the answers
 * become one; and says which sides may hold any when all are to go. Pure:
 * says what to send and how to merge, execute-clear.ts carries it out.
 */
import { effectivePercents } from '../../coordination/effective.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side, sides } from '../../coordination/records.ts';
import { applyEdits, type Edit, eachElement, members, parseSlice, rawOf } from '../../json/scan.ts';
import { type Cursor, noReign, type Mac, unwrapCursor, wrapCursor } from './cursor-token.ts';

export type ClearKind = 'scroll' | 'pit';
export const clearMember = { scroll: 'scroll_id', pit: 'pit_id' } as const;

export type ClearPlan =
  | { readonly kind: 'invalid' }
  /** Ids of each side that has any, in the order given. */
  | { readonly kind: 'lists'; readonly bySide: ReadonlyMap<Side, readonly Cursor[]>; readonly wrapped: boolean };

export const planClear = (tokens: readonly string[], mac: Mac): ClearPlan => {
  const bySide = new Map<Side, Cursor[]>();
  let wrapped = false;
  for (const token of tokens) {
    const cursor = unwrapCursor(token, mac);
    if (cursor === undefined) return { kind: 'invalid' };
    wrapped ||= cursor.id !== token;
    bySide.set(cursor.side, [...(bySide.get(cursor.side) ?? []), cursor]);
  }
  return { kind: 'lists', bySide, wrapped };
};

/** The body for one side. */
export const clearBody = (kind: ClearKind, ids: readonly Cursor[]): Buffer =>
  Buffer.from(JSON.stringify({ [clearMember[kind]]: ids.map(({ id }) => id) }));

/** `must`: a failure of this side is the client's to see. */
export type SideToClear = { readonly side: Side; readonly must: boolean };
type ClearScene = { readonly sameCluster: boolean; readonly targetServedLately: boolean };

/**
 * The source has cursors of all indices without a route; in `final` it may be switched off. The target has some if it is an
 * authority, or where it serves reads, or did so lately.
 */
export const sidesToClear = (
  states: readonly RouteState[],
  { sameCluster, targetServedLately }: ClearScene,
): readonly SideToClear[] => {
  if (sameCluster) return [{ side: 'source', must: true }];
  const source: SideToClear = { side: 'source', must: states.some(({ phase }) => phase.phase !== 'final') };
  const must = states.some(({ phase }) => authorityIn(phase.phase) === 'target');
  const mayHold = must || targetServedLately || states.some((state) => effectivePercents(state).read > 0);
  return mayHold ? [source, { side: 'target', must }] : [source];
};

export type ClearAnswer = { readonly side: Side; readonly status: number; readonly body: Buffer };
type Merged = { readonly status: number; readonly body: Buffer };

/** `failed`: a side did not answer; what the others did still counts. */
export const mergeClears = (kind: ClearKind, answers: readonly ClearAnswer[], failed: boolean): Merged => {
  const ordered = answers.toSorted((a, b) => sides.indexOf(a.side) - sides.indexOf(b.side));
  return kind === 'scroll' ? mergeScrolls(ordered, failed) : mergePits(ordered);
};

const mergeScrolls = (answers: readonly ClearAnswer[], failed: boolean): Merged => {
  let freed = 0;
  let succeeded = !failed;
  for (const { body } of answers) {
    const found = members(body, 0, ['succeeded', 'num_freed']);
    freed += found.num_freed === undefined ? 0 : Number(parseSlice(body, found.num_freed));
    succeeded &&= found.succeeded !== undefined && rawOf(body, found.succeeded) === 'true';
  }
  // As on one cluster: freeing nothing is a 404.
  return { status: freed > 0 ? 200 : 404, body: Buffer.from(JSON.stringify({ succeeded, num_freed: freed })) };
};

const mergePits = (answers: readonly ClearAnswer[]): Merged => {
  const items = answers.flatMap(({ body }) => {
    const { pits } = members(body, 0, ['pits']);
    const own: string[] = [];
    if (pits !== undefined) eachElement(body, pits.start, (item) => void own.push(rawOf(body, item)));
    return own;
  });
  const failure = answers.find(({ status }) => status >= 400);
  if (items.length === 0 && failure !== undefined) return failure;
  return { status: 200, body: Buffer.from(`{"pits":[${items.join(',')}]}`) };
};

/** Names the side again in the ids of an answer about points in time. */
export const wrapPits = (body: Buffer, side: Side, { known, mac }: { known: readonly Cursor[]; mac: Mac }): Buffer => {
  const { pits } = members(body, 0, ['pits']);
  if (pits === undefined) return body;
  const edits: Edit[] = [];
  eachElement(body, pits.start, ({ start }) => {
    const { pit_id: slice } = members(body, start, ['pit_id']);
    if (slice === undefined) return;
    const id = String(parseSlice(body, slice));
    const origin = known.find((cursor) => cursor.id === id) ?? { side, reign: side === 'source' ? 1 : noReign };
    edits.push({ ...slice, text: JSON.stringify(wrapCursor(id, origin, mac)) });
  });
  return applyEdits(body, edits);
};
