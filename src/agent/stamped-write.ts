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

/** `ok: false` when the operator's function fails: the copy is refused with that reason, and others go on. */
export const prepareWrite = async (
  { ordinal, id, routing, stamp, source }: Content,
  target: Target,
  transform: TransformFunction | undefined,
): Promise<Prepared> => {
  const head = { alias: copyAliasOf(target, ordinal), id, routing, stamp };
  const gone: Prepared = { ok: true, write: { ...head, op: 'delete' } };
  if (source === undefined) return gone;
  const line = documentLine(source);
  if (line === undefined) return { ok: false, reason: 'its _source is no JSON object in UTF-8' };
  if (transform === undefined) return { ok: true, write: { ...head, op: 'index', source: line } };
  try {
    const made = await transformSource(transform, line, {
      id,
      routing,
      index: indexOn(target, ordinal, target.authority),
    });
    return made === null ? gone : { ok: true, write: { ...head, op: 'index', source: made } };
  } catch (error) {
    return { ok: false, reason: `transform: ${error instanceof Error ? error.message : String(error)}` };
  }
};
