/**
 * Judges the answer of one cluster to its group of a bulk, item by item: which were refused by the fence, which are
 * results for the client, and what the follower must hold of those that were applied. Pure.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { members } from '../../json/scan.ts';
import { updatedSource } from './answer-facts.ts';
import { type BulkAnswer, type BulkItem, type ItemResult, type ItemTreatment, itemBytes } from './bulk-answer.ts';
import type { BulkInput, Entry, Group, Routed } from './bulk-groups.ts';
import type { AppliedWrite } from './copying.ts';
import { documentLine } from '../../json/document-line.ts';
import { type Fencing, fencing } from './fence.ts';
import { isCopying, writeName } from './names.ts';
import { postImage } from './post-image.ts';

export type Answered = { readonly entry: Entry; readonly item: BulkItem; readonly fencing: Fencing };

/** @throws SyntaxError when the answer does not have one item per action */
export const matchItems = (body: Buffer, { entries }: Group, { items }: BulkAnswer): Answered[] => {
  if (items.length !== entries.length) throw new SyntaxError('not one item per action in a bulk answer');
  return entries.map((entry, i) => {
    const item = items[i] as BulkItem;
    return { entry, item, fencing: fencingOf(body, item, entry.routed) };
  });
};

const fencingOf = (body: Buffer, { whole, facts }: BulkItem, routed: Routed | undefined): Fencing => {
  const status = facts.status ?? 0;
  if (routed === undefined || (status !== 403 && status !== 404)) return 'no';
  const { state, ordinal } = routed.index;
  return fencing(status, body.subarray(whole.start, whole.end), writeName(state, ordinal));
};

export const treatmentOf = ({ routed }: Entry): ItemTreatment => ({
  stripGet: routed?.askedSource ?? false,
  reign: routed?.index.state.phase.reign ?? 1,
});

export const resultOf = (body: Buffer, { entry, item }: Answered): ItemResult => ({
  bytes: itemBytes(body, item, treatmentOf(entry)),
  failed: item.facts.failed,
});

/** What the applied items of one route mean for its follower. */
export type RouteWrites = {
  readonly state: RouteState;
  readonly writes: readonly AppliedWrite[];
  /** Items of which it cannot be told whether they were applied. */
  readonly unknown: number;
  readonly unknownMayDelete: boolean;
};

export const routeWrites = (
  input: BulkInput,
  answered: readonly Answered[],
  answer: { body: Buffer; pipelineRan: boolean },
): RouteWrites[] => {
  const copied = answered.filter(({ entry }) => entry.routed !== undefined && isCopying(entry.routed.index.state));
  const byState = Map.groupBy(copied, ({ entry }) => (entry.routed as Routed).index.state);
  return [...byState].map(([state, items]) => collect(state, items, { input, ...answer }));
};

type Context = { input: BulkInput; body: Buffer; pipelineRan: boolean };

const collect = (state: RouteState, items: readonly Answered[], context: Context): RouteWrites => {
  const writes: AppliedWrite[] = [];
  let unknown = 0;
  let unknownMayDelete = false;
  for (const { entry, item } of items) {
    const write = appliedOf(entry, item, context);
    if (write === 'unknown') {
      unknown++;
      unknownMayDelete ||= entry.routed?.mayDelete ?? true;
    } else if (write !== undefined) writes.push(write);
  }
  return { state, writes, unknown, unknownMayDelete };
};

const appliedOf = (entry: Entry, item: BulkItem, context: Context): AppliedWrite | 'unknown' | undefined => {
  const { facts } = item;
  const routed = entry.routed as Routed;
  const image = postImage({
    op: entry.action.op,
    status: facts.status ?? 500,
    result: facts.result,
    errorType: facts.errorType,
    document: documentOf(entry, context),
    updated: routed.askedSource ? updatedSource(context.body, facts) : undefined,
    pipeline: context.pipelineRan && entry.action.op !== 'update',
  });
  if (image.kind === 'none') return undefined;
  if (image.kind === 'unknown' || facts.id === undefined) return 'unknown';
  const position = { seq: facts.seq, term: facts.term, version: facts.version };
  return { ordinal: routed.index.ordinal, id: facts.id, routing: routed.routing, image, position };
};

const documentOf = ({ action }: Entry, { input, pipelineRan }: Context): Uint8Array | undefined =>
  action.source === undefined || pipelineRan || action.op === 'update'
    ? undefined
    : documentLine(input.body.subarray(action.source.start, action.source.end));

/**
 * A copy that is kept while the follower is slow keeps the buffer it lies in. When the copies are a small part of the
 * body, they are taken out of it.
 */
export const detachDocuments = (writes: readonly AppliedWrite[], body: Buffer): readonly AppliedWrite[] => {
  const within = ({ image }: AppliedWrite) => image.kind === 'index' && image.source.buffer === body.buffer;
  let bytes = 0;
  for (const write of writes) if (within(write) && write.image.kind === 'index') bytes += write.image.source.length;
  if (bytes * 2 >= body.length) return writes;
  return writes.map((write) =>
    within(write) && write.image.kind === 'index'
      ? { ...write, image: { kind: 'index', source: Buffer.from(write.image.source) } }
      : write,
  );
};

/** `error` of a whole answer that is an error, as JSON text; for items of a group that failed as one. */
export const errorOf = (body: Buffer): string => {
  try {
    const { error } = members(body, 0, ['error']);
    if (error !== undefined) return body.toString('utf8', error.start, error.end);
  } catch {
    // Not JSON, as a load balancer answers.
  }
  return JSON.stringify({ type: 'crossfade_upstream_invalid', reason: body.toString('utf8', 0, 200) });
};
