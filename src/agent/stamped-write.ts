/**
 * From a document of the authority to the write that the follower gets: transform, alias, one line. Shared by direct
 * copies, tail, backfill and repair, so that all of them send the same bytes for the same document.
 */
import { documentLine } from '../json/document-line.ts';
import type { StampedWrite } from './copy-bulk.ts';
import { copyAliasOf, type Direction, indexOn } from './direction.ts';
import { type TransformFunction, transformSource } from './transform.ts';

export type Prepared = { ok: true; write: StampedWrite } | { ok: false; reason: string };
export type Content = {
  ordinal: number;
  id: string;
  routing: string | undefined;
  stamp: bigint;
  /** undefined = the document is deleted. */
  source: Uint8Array | undefined;
};

export type Target = Pick<Direction, 'slug' | 'epoch' | 'spec' | 'authority'>;

export const deleteWrite = (
  { ordinal, id, routing, stamp }: Omit<Content, 'source'>,
  target: Pick<Target, 'slug' | 'epoch'>,
): StampedWrite => ({ alias: copyAliasOf(target, ordinal), id, routing, stamp, op: 'delete' });

/**
 * `ok: false` when the operator's function fails: the copy is refused with that reason, and others go on. A promise only
 * where there is such a function: a page has thousands of documents.
 */
export const prepareWrite = (
  { ordinal, id, routing, stamp, source }: Content,
  target: Target,
  transform: TransformFunction | undefined,
): Prepared | Promise<Prepared> => {
  const head = { alias: copyAliasOf(target, ordinal), id, routing, stamp };
  const gone: Prepared = { ok: true, write: { ...head, op: 'delete' } };
  if (source === undefined) return gone;
  const line = documentLine(source);
  if (line === undefined) return { ok: false, reason: 'its _source is no JSON object in UTF-8' };
  if (transform === undefined) return { ok: true, write: { ...head, op: 'index', source: line } };
  const meta = { id, routing, index: indexOn(target, ordinal, target.authority) };
  return transformed(head, line, (text) => transformSource(transform, text, meta));
};

const transformed = async (
  head: Omit<StampedWrite, 'op' | 'source'>,
  line: Uint8Array,
  transform: (line: Uint8Array) => Promise<Uint8Array | null>,
): Promise<Prepared> => {
  try {
    const source = await transform(line);
    return { ok: true, write: source === null ? { ...head, op: 'delete' } : { ...head, op: 'index', source } };
  } catch (error) {
    return { ok: false, reason: `transform: ${error instanceof Error ? error.message : String(error)}` };
  }
};
