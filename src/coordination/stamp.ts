/**
 * Packs (reign, primary term, sequence number) of the authority's own write into the external version that a copy
 * carries. The shard of the authority has already ordered all writes of a document; the stamp repeats that order on the
 * follower, so any number of appliers may repeat, delay and reorder copies. Invariant: within one layout, comparing
 * stamps compares (reign, term, seq) lexicographically, and no stamp is 0.
 * Layouts: narrow 6|10|37 bits stays below 2^53, exact as a JavaScript number; wide 8|15|40 needs decimal text.
 */
import type { StampLayout } from './records.ts';

const bits = { narrow: { reign: 6n, term: 10n, seq: 37n }, wide: { reign: 8n, term: 15n, seq: 40n } } as const;
type Widths = Record<keyof StampParts, bigint>;
/** As plain numbers: of each layout they are small enough, and a stamp is made for each document that is copied. */
const limitsOf = ({ reign, term, seq }: Widths): StampParts => ({
  reign: 2 ** Number(reign),
  term: 2 ** Number(term),
  seq: 2 ** Number(seq),
});
const limits = { narrow: limitsOf(bits.narrow), wide: limitsOf(bits.wide) };

export type StampParts = { reign: number; term: number; seq: number };

export const maxReign = (layout: StampLayout): number => Number((1n << bits[layout].reign) - 1n);

/** True when a write with this term and sequence number can be stamped; out of range is never wrapped around. */
export const fitsLayout = (layout: StampLayout, { reign, term, seq }: StampParts): boolean => {
  const below = limits[layout];
  return reign >= 1 && reign < below.reign && term >= 1 && term < below.term && seq >= 0 && seq < below.seq;
};

/** @throws RangeError when a part does not fit: the caller quarantines the copy rather than send a wrong order. */
export const packStamp = (layout: StampLayout, parts: StampParts): bigint => {
  if (!fitsLayout(layout, parts)) throw new RangeError(`stamp out of range for ${layout} layout`);
  const before = parts.reign * limits[layout].term + parts.term;
  return (BigInt(before) << bits[layout].seq) | BigInt(parts.seq);
};

export const unpackStamp = (layout: StampLayout, stamp: bigint): StampParts => {
  const width = bits[layout];
  return {
    reign: Number(stamp >> (width.term + width.seq)),
    term: Number((stamp >> width.seq) & ((1n << width.term) - 1n)),
    seq: Number(stamp & ((1n << width.seq) - 1n)),
  };
};

/** Narrow while the authority's term and sequence numbers leave ample room; wide otherwise. */
export const chooseLayout = ({ term, seq }: { term: number; seq: number }): StampLayout =>
  term < 512 && seq < 2 ** 36 ? 'narrow' : 'wide';
