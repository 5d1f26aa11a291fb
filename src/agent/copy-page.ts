/**
 * Copies one page of documents to the follower: transform, stamp, send, and the fate of each. Invariant: a result moves
 * past a page only when each of its documents is on the follower, was superseded there, or stands in the quarantine.
 */
import type { Side } from '../coordination/records.ts';
import type { Looks } from './already-there.ts';
import type { FinalFate } from './bulk-send.ts';
import type { ClusterControl } from './cluster.ts';
import type { StampedWrite } from './copy-bulk.ts';
import { type Direction, stampOf } from './direction.ts';
import type { StoredDoc } from './documents.ts';
import type { KnownPages, PageLimits } from './page-size.ts';
import type { Quarantine } from './quarantine.ts';
import type { Runtime } from './runtime.ts';
import { type SendResult, sendAll, type Tries } from './send-all.ts';
import type { SeqPage } from './seq-reader.ts';
import { type Prepared, prepareWrite } from './stamped-write.ts';
import type { TransformFunction } from './transform.ts';
import type { InSlot } from './slots.ts';

export type CopyIo = {
  clusters: Record<Side, ClusterControl>;
  runtime: Runtime;
  direction: Direction;
  transform: TransformFunction | undefined;
  limits: PageLimits;
  known?: KnownPages | undefined;
  /** Lets a range ask what the follower has before it reads contents; default never. */
  looks?: Looks | undefined;
  quarantine: Quarantine;
  signal?: AbortSignal | undefined;
  /** Reads or writes a page once it may; default at once. */
  inSlot?: InSlot;
  /** After each page; may wait, to throttle. */
  onPage?: (page: PageReport) => Promise<void> | void;
  onRetry?: (reason: string) => void;
  /** Ends a range early, with progress kept, so that a caller can save it. */
  maxPages?: number;
  /** Ends a range as `stuck` when the follower has taken no page for so long. */
  repeatForMs?: number | undefined;
  /** How long copies under way may go on after the signal. */
  patienceMs?: number | undefined;
  /** What failed when the range was `stuck` before. */
  tries?: Tries | undefined;
};
/** What a pacer looks at: how much a page was, how long the other side took for it, and whether it pushed back. */
export type PageWork = { docs: number; sendMs: number; retried: boolean };
export type PageReport = PageWork & { bytes: number; through: number };
export type ShardRange = { ordinal: number; shard: number; node: string; from: number; to: number };
export type RangeResult = {
  through: number;
  /** more: `maxPages` was reached. */
  end: 'done' | 'more' | 'fenced' | 'stopped' | 'stuck';
  /** Of `stuck`: what the follower said last. */
  reason?: string | undefined;
  docs: number;
  applied: number;
  superseded: number;
};

const noSource = 'the authority keeps no _source for this document';

const prepareDoc = (doc: StoredDoc, ordinal: number, io: CopyIo): Prepared | Promise<Prepared> => {
  const { id, routing, source } = doc;
  if (source === undefined) return { ok: false, reason: doc.unreadable ?? noSource };
  try {
    const stamp = stampOf(io.direction, doc);
    return prepareWrite({ ordinal, id, routing, stamp, source }, io.direction, io.transform);
  } catch (error) {
    return { ok: false, reason: `stamp: ${error instanceof Error ? error.message : String(error)}` };
  }
};

/** A refusal made here has no stamp of its own; 0 is below any real one, so the next copy of the document settles it. */
const noteRefusals = (docs: readonly StoredDoc[], prepared: readonly Prepared[], ordinal: number, io: CopyIo): void => {
  prepared.forEach((one, i) => {
    const { id, routing } = docs[i] as StoredDoc;
    if (!one.ok) io.quarantine.add({ ordinal, id, routing }, 0n, one.reason);
  });
};

const noteFates = (writes: readonly StampedWrite[], { fates }: SendResult, ordinal: number, io: CopyIo): void => {
  for (const [i, { id, routing, stamp }] of writes.entries()) {
    const fate = fates[i];
    if (fate?.kind === 'quarantine') io.quarantine.add({ ordinal, id, routing }, stamp, fate.reason);
    else if (fate !== undefined && fate.kind !== 'fenced') io.quarantine.settle({ ordinal, id, routing }, stamp);
  }
};

type Sent = Pick<SendResult, 'end' | 'reason'> & { applied: number; superseded: number; retried: boolean };

const sendPage = async (page: SeqPage, ordinal: number, io: CopyIo): Promise<Sent> => {
  const preparing = page.docs.map((doc) => prepareDoc(doc, ordinal, io));
  const prepared = io.transform === undefined ? (preparing as Prepared[]) : await Promise.all(preparing);
  noteRefusals(page.docs, prepared, ordinal, io);
  const writes = prepared.filter((one) => one.ok).map(({ write }) => write);
  let retried = false;
  const result = await sendAll(writes, {
    cluster: io.clusters[io.direction.follower],
    runtime: io.runtime,
    signal: io.signal,
    repeatForMs: io.repeatForMs,
    patienceMs: io.patienceMs,
    tries: io.tries,
    onRetry: ({ reason }) => {
      retried = true;
      io.onRetry?.(reason);
    },
  });
  noteFates(writes, result, ordinal, io);
  const count = (kind: FinalFate['kind']) => result.fates.filter((fate) => fate?.kind === kind).length;
  const { end, reason = '' } = result;
  return { end, reason, applied: count('applied'), superseded: count('superseded'), retried };
};

/** Moves `result` past the page once all of it is settled. */
export const takePage = async (page: SeqPage, ordinal: number, result: RangeResult, io: CopyIo): Promise<void> => {
  const began = io.runtime.now();
  const { end, reason, applied, superseded, retried } = await sendPage(page, ordinal, io);
  result.applied += applied;
  result.superseded += superseded;
  if (end !== 'done') return void Object.assign(result, { end, reason });
  result.docs += page.docs.length;
  result.through = page.through;
  const report = { docs: page.docs.length, bytes: page.bytes, through: page.through, retried };
  await io.onPage?.({ ...report, sendMs: io.runtime.now() - began });
};
