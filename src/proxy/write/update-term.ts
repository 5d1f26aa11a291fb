/**
 * The conflict token that an update carries in its body. It is translated like those in parameters and action lines
 * (tokens.ts): left alone, a token of this reign would never match again after a switch, and one of an earlier reign could
 * match another revision by chance (I14). A body that cannot be read but seems to hold a token is refused. Pure.
 */
import { type Edit, rawOf, type Slice } from '../../json/scan.ts';
import type { UpdateFacts } from './asking.ts';
import { authorityTerm } from './tokens.ts';

const textOf = (body: Uint8Array, slice: Slice): string => {
  const raw = rawOf(body, slice);
  return raw.startsWith('"') ? raw.slice(1, -1) : raw;
};

/** What to change in the body for the authority; undefined when it may stay as it is. */
export const updateTermEdit = (body: Uint8Array, term: UpdateFacts['term'], reign: number): Edit | undefined => {
  if (term === undefined) return undefined;
  const given = textOf(body, term);
  const text = authorityTerm(given, reign);
  return text === given ? undefined : { ...term, text };
};

/** `facts`: undefined = unreadable. In the first reign tokens are the authority's own and need no look. */
export const hidesToken = (body: Uint8Array, facts: UpdateFacts | undefined, reign: number): boolean =>
  facts === undefined &&
  reign > 1 &&
  Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('if_primary_term');
