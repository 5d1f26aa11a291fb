/**
 * Copies that the follower refuses for good, with the reason, until a later copy of the same document gets through.
 * Bounded: beyond the limit refusals are only counted (`overflowed`), which still bars a cutover until the authority has
 * been read again from where that began: quarantine-overflow.ts. Invariant: an entry leaves only when the follower is known
 * to have this stamp or a newer one.
 */
import * as z from 'zod';

export const QuarantinedDoc = z.strictObject({
  ordinal: z.int().min(0),
  id: z.string(),
  routing: z.string().optional(),
  stamp: z.string().regex(/^\d+$/),
  reason: z.string(),
});
export type QuarantinedDoc = z.infer<typeof QuarantinedDoc>;

/** How a list is kept in the store, one record per owner (the tail, a chunk, a member). */
export const QuarantineRecord = z.strictObject({
  schema: z.literal(1),
  docs: z.array(QuarantinedDoc),
  overflowed: z.int().min(0),
  /** By ordinal and shard: the tail's cursors before it met what is only counted; absent = before everything. */
  from: z.array(z.array(z.int().min(-1))).optional(),
});
export type QuarantineRecord = z.infer<typeof QuarantineRecord>;
export const emptyQuarantine: QuarantineRecord = { schema: 1, docs: [], overflowed: 0 };
export const isEmpty = ({ docs, overflowed }: QuarantineRecord): boolean => docs.length + overflowed === 0;

/** By ordinal and shard: the last sequence number that was handled. */
export type Cursors = readonly (readonly number[])[];

export type DocAddressOf = { ordinal: number; id: string; routing?: string | undefined };

/** Identity of a document within a route; the separator cannot stand in an id that JSON carried unescaped. */
export const docKeyText = ({ ordinal, id, routing }: DocAddressOf): string => `${ordinal}\0${routing ?? ''}\0${id}`;

export interface Quarantine {
  add(doc: DocAddressOf, stamp: bigint, reason: string): void;
  /** A copy with this stamp arrived (or was found superseded): older refusals of the document are settled. */
  settle(doc: DocAddressOf, stamp: bigint): void;
  /** The follower is known to agree with the authority about this document. */
  forget(doc: DocAddressOf): void;
  /** What is added from here on is met after these cursors of the tail. */
  standAt(cursors: Cursors): void;
  /** Refused copies, the counted-only ones included. */
  size(): number;
  record(): QuarantineRecord;
}

/** A thousand entries keep the record well below the store's message size. */
const quarantineLimit = 1_000;
const maxReasonLength = 300;

/** A cluster quotes the value that it refuses; records, logs and status are no place for what a document says. */
export const withoutValues = (reason: string): string =>
  reason
    .replace(/(Preview of field's value: ).*/s, '$1…')
    // Not the apostrophe within a word.
    .replace(/(?<!\w)'[^']*'/g, "'…'")
    .replace(/"[^"]*"/g, '"…"');

const copied = (cursors: Cursors | undefined): number[][] | undefined => cursors?.map((shards) => [...shards]);

/** Undefined, which is before everything, is the lowest. */
const lower = (one: Cursors | undefined, two: Cursors | undefined): number[][] | undefined =>
  one && two?.map((shards, ordinal) => shards.map((cursor, shard) => Math.min(cursor, one[ordinal]?.[shard] ?? -1)));

export const createQuarantine = (from: QuarantineRecord = emptyQuarantine, limit = quarantineLimit): Quarantine => {
  const docs = new Map(from.docs.map((doc) => [docKeyText(doc), doc]));
  let { overflowed, from: countedFrom } = from;
  let standing: Cursors | undefined;
  const count = (): void => {
    countedFrom = overflowed === 0 ? copied(standing) : lower(countedFrom, standing);
    overflowed++;
  };
  return {
    add: (doc, stamp, reason) => {
      const key = docKeyText(doc);
      const known = docs.get(key);
      if (known !== undefined && BigInt(known.stamp) > stamp) return;
      if (known === undefined && docs.size >= limit) return count();
      const { ordinal, id, routing } = doc;
      docs.set(key, {
        ordinal,
        id,
        ...(routing === undefined ? {} : { routing }),
        stamp: String(stamp),
        reason: withoutValues(reason).slice(0, maxReasonLength),
      });
    },
    settle: (doc, stamp) => {
      if (docs.size === 0) return;
      const key = docKeyText(doc);
      const known = docs.get(key);
      if (known !== undefined && BigInt(known.stamp) <= stamp) docs.delete(key);
    },
    forget: (doc) => {
      docs.delete(docKeyText(doc));
    },
    standAt: (cursors) => {
      standing = cursors;
    },
    size: () => docs.size + overflowed,
    record: () => ({
      schema: 1,
      docs: [...docs.values()],
      overflowed,
      ...(overflowed === 0 || countedFrom === undefined ? {} : { from: countedFrom }),
    }),
  };
};

/** Reasons with their counts and an example id, most frequent first: what a status shows. */
export const summarize = (
  records: readonly QuarantineRecord[],
): { total: number; reasons: { reason: string; count: number; example: string }[] } => {
  const reasons = new Map<string, { reason: string; count: number; example: string }>();
  let total = 0;
  for (const record of records) {
    total += record.docs.length + record.overflowed;
    for (const { reason, id } of record.docs) {
      // Ids and values quoted in a reason would make every reason unique.
      const general = withoutValues(reason).replace(/\[[^\]]*\]: version/g, '[…]: version');
      const known = reasons.get(general);
      if (known === undefined) reasons.set(general, { reason: general, count: 1, example: id });
      else known.count++;
    }
  }
  return { total, reasons: [...reasons.values()].sort((a, b) => b.count - a.count).slice(0, 20) };
};
