/**
 * Which documents of a page does the follower already have, in this version or a newer one? Where members copy their own
 * writes, nearly all that a tail reads: to ask for versions costs both clusters and this process less than to read and
 * send every content, of which each would be refused. Invariant: only a version that the follower itself shows counts as
 * there; whatever it cannot tell is sent, and the stamp decides as ever.
 */
import type { CopyIo } from './copy-page.ts';
import { copyAliasOf, stampOf } from './direction.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import type { KnownPages } from './page-size.ts';

/** Per index: is it worth to look first? And how large pages without contents may be. */
export type Looks = { worth: Map<string, boolean>; pages: KnownPages };
export const createLooks = (): Looks => ({ worth: new Map(), pages: new Map() });

/** A look costs about half of what it saves. */
const worthShare = 0.5;

export const noteLook = (looks: Looks | undefined, index: string, { docs, there }: { docs: number; there: number }) => {
  if (docs > 0) looks?.worth.set(index, there / docs > worthShare);
};

type LookIo = Pick<CopyIo, 'clusters' | 'direction' | 'signal'>;
const lookTimeoutMs = 5_000;

/** Through the alias of the epoch: under another one it names nothing, or the fence. */
const versionsOf = async (docs: readonly StoredDoc[], ordinal: number, io: LookIo): Promise<readonly GotDoc[]> => {
  const { clusters, direction, signal } = io;
  const index = copyAliasOf(direction, ordinal);
  const get = { index, docs, source: false, versionsOnly: true, timeoutMs: lookTimeoutMs, signal };
  try {
    return await clusters[direction.follower].mget(get);
  } catch {
    // Whatever it is, to send the documents will meet it too, and has the patience for it.
    return [];
  }
};

const isThere = (doc: StoredDoc, got: GotDoc | undefined, { direction }: LookIo): boolean => {
  if (got?.kind !== 'found' || got.doc.version === undefined) return false;
  try {
    return got.doc.version >= stampOf(direction, doc);
  } catch {
    return false;
  }
};

/** For each document, in order. */
export const alreadyThere = async (docs: readonly StoredDoc[], ordinal: number, io: LookIo): Promise<boolean[]> => {
  const got = await versionsOf(docs, ordinal, io);
  return docs.map((doc, i) => isThere(doc, got[i], io));
};
