/**
 * Copies a range of one shard to the follower, page by page. Tail and backfill are this with different ranges. Where the
 * follower had most of what the last range held, the next one asks it first, and reads and sends only what it lacks.
 * Invariant: `through` moves past a page only when it is settled (copy-page.ts), so a range can be taken up again from
 * `through` at any time.
 */
import { alreadyThere, noteLook } from './already-there.ts';
import { type CopyIo, type RangeResult, type ShardRange, takePage } from './copy-page.ts';
import { hasOwnVersions, indexOn, stampOf } from './direction.ts';
import type { StoredDoc } from './documents.ts';
import { readSeqRange, type SeqPage } from './seq-reader.ts';
import { atOnce } from './slots.ts';

type Walk = Pick<ShardRange, 'from' | 'to'> & { source: boolean };

const walk = ({ ordinal, ...range }: ShardRange, { source, ...part }: Walk, io: CopyIo) => {
  const { clusters, runtime, direction, limits, looks, signal, inSlot = atOnce } = io;
  const { authority } = direction;
  const known = source ? io.known : looks?.pages;
  const versions = hasOwnVersions(direction);
  const read = { cluster: clusters[authority], runtime, limits, known, signal, source, versions, inSlot };
  return readSeqRange({ index: indexOn(direction, ordinal, authority), ...range, ...part }, read);
};

/** Reads once more, with contents, those of the page that the follower lacks. Counts of them what is still to be found. */
const takeMissing = async (
  missing: readonly StoredDoc[],
  range: ShardRange,
  result: RangeResult,
  io: CopyIo,
): Promise<void> => {
  const numbers = new Set(missing.map(({ seqNo }) => seqNo));
  const part = { from: Math.min(...numbers) - 1, to: Math.max(...numbers), source: true };
  for await (const page of walk(range, part, { ...io, inSlot: atOnce })) {
    const docs = page.docs.filter(({ seqNo }) => numbers.has(seqNo));
    await takePage({ ...page, docs }, range.ordinal, result, io);
    if (result.end !== 'done') return;
  }
  if (result.through < part.to) result.end = 'stopped';
};

const takeWhole = (page: SeqPage, { ordinal }: ShardRange, result: RangeResult, io: CopyIo): Promise<void> =>
  takePage(page, ordinal, result, io);

const settleThere = (docs: readonly StoredDoc[], ordinal: number, io: CopyIo): void => {
  for (const doc of docs) io.quarantine.settle({ ordinal, ...doc }, stampOf(io.direction, doc));
};

/** A page without contents: asks the follower first. */
const lookThrough = async (page: SeqPage, range: ShardRange, result: RangeResult, io: CopyIo): Promise<void> => {
  const { ordinal } = range;
  const flags = await alreadyThere(page.docs, ordinal, io);
  const there = page.docs.filter((_, i) => flags[i]);
  const missing = page.docs.filter((_, i) => !flags[i]);
  settleThere(there, ordinal, io);
  if (missing.length > 0) await takeMissing(missing, range, result, io);
  if (result.end !== 'done') return;
  result.docs += there.length;
  result.superseded += there.length;
  result.through = page.through;
  await io.onPage?.({ docs: there.length, bytes: page.bytes, through: page.through, sendMs: 0, retried: false });
};

export const copyRange = async (range: ShardRange, io: CopyIo): Promise<RangeResult> => {
  const { ordinal, from, to } = range;
  const { direction, looks, signal, inSlot = atOnce } = io;
  const index = indexOn(direction, ordinal, direction.authority);
  const looking = looks?.worth.get(index) === true;
  const take = looking ? lookThrough : takeWhole;
  const result: RangeResult = { through: from, end: 'done', docs: 0, applied: 0, superseded: 0 };
  let pages = 0;
  for await (const page of walk(range, { from, to, source: !looking }, io)) {
    await inSlot(() => take(page, range, result, io));
    if (result.end !== 'done') return result;
    if (++pages === io.maxPages) break;
  }
  noteLook(looks, index, { docs: result.docs, there: result.superseded });
  if (result.through >= to) return result;
  return { ...result, end: signal?.aborted ? 'stopped' : 'more' };
};
