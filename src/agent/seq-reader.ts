/**
 * Walks one shard of an index by sequence number, page by page, reading the next page while the caller works on the
 * present one. Invariant: a page says `through`, and every document whose latest write lies in (previous through,
 * through] is in it; nothing beyond `to` is ever read. The caller must have refreshed the index after `to` became its
 * global checkpoint.
 */
import { isCrossfadeError } from '../errors.ts';
import type { ClusterControl } from './cluster.ts';
import type { CallOptions } from './control-calls.ts';
import type { StoredDoc } from './documents.ts';
import { isSpoilt, isTooLarge, readAlone } from './odd-documents.ts';
import {
  answerBytes,
  beginPage,
  type KnownPages,
  nextPage,
  type PageLimits,
  type PagePlan,
  smallerPage,
} from './page-size.ts';
import { retrying } from './retry.ts';
import type { Runtime } from './runtime.ts';
import { atOnce, type InSlot } from './slots.ts';

export type SeqRange = {
  index: string;
  shard: number;
  node: string;
  /** Exclusive. */
  from: number;
  /** Inclusive. */
  to: number;
};
export type SeqPage = { docs: StoredDoc[]; through: number; bytes: number };
export type ReadOptions = {
  cluster: ClusterControl;
  runtime: Runtime;
  limits: PageLimits;
  known?: KnownPages | undefined;
  source: boolean;
  /** Versions beside contents. */
  versions?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Reads a page once it may; default at once. */
  inSlot?: InSlot;
  timeoutMs?: number;
};
/** `alone`: the page is read without sources, and these one by one. */
type PageOptions = ReadOptions & { alone?: boolean };

/** What a hit costs besides its source. */
const hitBytes = 150;

const sizeOf = (docs: readonly StoredDoc[]): number =>
  docs.reduce((sum, { source }) => sum + hitBytes + (source?.length ?? 0), 0);

/** More documents than the index's `max_result_window` allows. */
const isTooMany = (error: unknown): boolean =>
  isCrossfadeError(error, 'UPSTREAM_REFUSED') && error.message.includes('Result window is too large');

/** `limits` are tighter than given once the index has refused a page. */
type Read = { page: SeqPage; plan: PagePlan; limits: PageLimits };

const callOf = (plan: PagePlan, { signal, timeoutMs, limits }: ReadOptions): CallOptions => ({
  signal,
  maxBodyBytes: answerBytes(plan, limits),
  ...(timeoutMs === undefined ? {} : { timeoutMs }),
});

const readPage = async (range: SeqRange, plan: PagePlan, options: PageOptions): Promise<Read> => {
  const { cluster, source, versions, limits } = options;
  const { index, shard, node, from } = range;
  const upTo = Math.min(range.to, from + plan.span);
  const call = { index, shard, node, after: from, upTo, size: plan.docs, source, versions };
  const found = await cluster.searchBySeq({ ...call, ...callOf(plan, options) });
  const last = found.at(-1);
  const through = found.length === plan.docs && last !== undefined ? last.seqNo : upTo;
  const docs = options.alone ? await alone(found, range, options) : found;
  const bytes = sizeOf(docs);
  const next = nextPage(plan, { docs: docs.length, bytes, span: through - from }, limits);
  return { page: { docs, through, bytes }, plan: next, limits };
};

const oneDoc: PagePlan = { docs: 1, span: 1 };

/** What has changed since the page was read will come again at its new place. */
const alone = async (found: readonly StoredDoc[], { index, node }: SeqRange, options: ReadOptions) => {
  const where = { index, node, ...callOf(oneDoc, options) };
  const read = await Promise.all(found.map((doc) => readAlone(doc, options.cluster, where)));
  return read.filter((doc) => doc !== undefined);
};

const readSizedPage = async (range: SeqRange, plan: PagePlan, options: ReadOptions): Promise<Read> => {
  try {
    return await retrying(() => readPage(range, plan, options), options);
  } catch (error) {
    const smaller = smallerPage(plan);
    const spoilt = options.source && isSpoilt(error);
    if (smaller === undefined && spoilt)
      return retrying(() => readPage(range, plan, { ...options, source: false, alone: true }), options);
    if (smaller === undefined || !(isTooLarge(error) || spoilt || isTooMany(error))) throw error;
    const { limits } = options;
    const tighter = isTooMany(error) ? { ...limits, maxPageDocs: smaller.docs } : limits;
    return readSizedPage(range, smaller, { ...options, limits: tighter });
  }
};

/** Pages until `through` reaches `to`; ends early, without an error, when the signal fires. */
export async function* readSeqRange(range: SeqRange, options: ReadOptions): AsyncGenerator<SeqPage> {
  if (range.from >= range.to) return;
  const { known, inSlot = atOnce } = options;
  const read = (from: number, plan: PagePlan, limits: PageLimits) =>
    inSlot(() => readSizedPage({ ...range, from }, plan, { ...options, limits }));
  let ahead = read(range.from, beginPage(known?.get(range.index), options.limits), options.limits);
  for (;;) {
    const { page, plan, limits } = await ahead;
    known?.set(range.index, plan);
    const done = page.through >= range.to;
    if (!done) {
      ahead = read(page.through, plan, limits);
      // The caller may stop before it asks for this page; its failure then concerns nobody.
      ahead.catch(() => undefined);
    }
    yield page;
    if (done || options.signal?.aborted) return;
  }
}
