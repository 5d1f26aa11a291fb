/**
 * A document read from the follower carries the follower's own `_seq_no` and `_primary_term`, which mean nothing to the
 * authority. Its `_version`, however, is the stamp: the authority's term and sequence number of the same write. This puts
 * those into the answer, so that the client's next `if_seq_no` works as if the authority had answered.
 * Invariant: a token is given out only from a stamp of the reign in force; anything else (a document never stamped, or
 * stamped in another reign) must be read from the authority.
 */

import type { StampLayout } from '../../coordination/records.ts';
import { packStamp, type StampParts, unpackStamp } from '../../coordination/stamp.ts';
import { type Edit, eachElement, eachMember, members, rawOf, type Slice } from '../../json/scan.ts';

export type TokenRules = {
  readonly layout: StampLayout;
  readonly reign: number;
  /** How the primary term is shown to clients in this reign. */
  readonly showTerm: (term: number) => string;
};

/** The authority's write behind a version text; undefined when the version is no stamp of this reign. */
export const stampedWrite = (version: string, { layout, reign }: TokenRules): StampParts | undefined => {
  if (!/^[1-9]\d{0,18}$/.test(version)) return undefined;
  const stamp = BigInt(version);
  const parts = unpackStamp(layout, stamp);
  if (parts.reign !== reign || parts.term < 1) return undefined;
  return packStamp(layout, parts) === stamp ? parts : undefined;
};

const tokenKeys = ['_version', '_seq_no', '_primary_term'] as const;

/** Edits for one document of a get or mget answer; undefined when the authority must answer for it. */
export const tokenEdits = (buf: Uint8Array, at: number, rules: TokenRules): Edit[] | undefined => {
  const found = members(buf, at, tokenKeys);
  if (found._seq_no === undefined && found._primary_term === undefined) return [];
  if (found._version === undefined) return undefined;
  const write = stampedWrite(rawOf(buf, found._version), rules);
  if (write === undefined) return undefined;
  const edits: Edit[] = [];
  if (found._seq_no) edits.push({ ...found._seq_no, text: String(write.seq) });
  if (found._primary_term) edits.push({ ...found._primary_term, text: rules.showTerm(write.term) });
  return edits.sort((a, b) => a.start - b.start);
};

/** The same for every document of an mget answer. */
export const docsTokenEdits = (buf: Uint8Array, rules: TokenRules): Edit[] | undefined => {
  const { docs } = members(buf, 0, ['docs']);
  if (docs === undefined) return undefined;
  const edits: Edit[] = [];
  let complete = true;
  eachElement(buf, docs.start, ({ start }) => {
    const own = tokenEdits(buf, start, rules);
    if (own === undefined) complete = false;
    else edits.push(...own);
    return complete;
  });
  return complete ? edits : undefined;
};

/** True when the object at `at` is an answer that says the document does not exist. */
export const saysNotFound = (buf: Uint8Array, at: number): boolean => {
  let found: Slice | undefined;
  eachMember(buf, at, (key, value) => {
    if (key === 'found') found = value;
    return key !== 'found' && key !== '_source';
  });
  return found !== undefined && rawOf(buf, found) === 'false';
};
