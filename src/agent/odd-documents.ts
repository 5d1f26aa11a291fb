/**
 * Documents that spoil the answer they stand in. Clusters keep `_source` as it was sent: a comment behind it makes a page
 * of a thousand documents invalid JSON, and a CBOR body with broken text makes the cluster refuse the page. Such a
 * document is found by halving, and read alone: its bytes without an answer around them, between two looks at its
 * position, so that what is returned is what was stored at that position. One that the cluster cannot show at all comes
 * without a source and with the reason. Invariant: one odd document costs some requests, and never the others.
 */
import { isCrossfadeError } from '../errors.ts';
import type { ClusterControl } from './cluster.ts';
import type { MultiGet } from './document-calls.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { maxAnswerBytes } from './page-size.ts';

/** The answer cannot be read, or was refused, because of what a document holds. */
export const isSpoilt = (error: unknown): boolean => error instanceof SyntaxError || isRefusal(error);

/** More than may be held at once. */
export const isTooLarge = (error: unknown): boolean => isCrossfadeError(error, 'UPSTREAM_BODY_TOO_LARGE');

const isRefusal = (error: unknown): error is Error =>
  isCrossfadeError(error, 'UPSTREAM_REFUSED') && error.details?.['upstreamStatus'] === 400;

type Where = Omit<MultiGet, 'docs' | 'source'>;

const sourceOf = async (doc: StoredDoc, cluster: ClusterControl, where: Where): Promise<Partial<StoredDoc>> => {
  try {
    return { source: await cluster.source({ ...where, id: doc.id, routing: doc.routing }) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { source: undefined, unreadable: `the cluster cannot show its _source: ${error.message}` };
  }
};

/** The document as it stood at the position given; undefined when it has changed since. */
export const readAlone = async (
  doc: StoredDoc,
  cluster: ClusterControl,
  where: Where,
): Promise<StoredDoc | undefined> => {
  const read = await sourceOf(doc, cluster, where);
  const [now] = await cluster.mget({ ...where, docs: [doc], source: false });
  const stands = now?.kind === 'found' && now.doc.seqNo === doc.seqNo && now.doc.primaryTerm === doc.primaryTerm;
  return stands && (read.source ?? read.unreadable) !== undefined ? { ...now.doc, ...read } : undefined;
};

/** All at once, or in halves one after the other where what is read of them together is too large to hold. */
export const inFittingParts = async <T, R>(
  items: readonly T[],
  work: (part: readonly T[]) => Promise<R[]>,
): Promise<R[]> => {
  try {
    return await work(items);
  } catch (error) {
    if (!isTooLarge(error) || items.length <= 1) throw error;
    const middle = items.length >> 1;
    return [
      ...(await inFittingParts(items.slice(0, middle), work)),
      ...(await inFittingParts(items.slice(middle), work)),
    ];
  }
};

/** A single document may be larger than what is held of many. */
const bounded = (get: MultiGet): MultiGet =>
  get.source && get.docs.length <= 1 ? { ...get, maxBodyBytes: maxAnswerBytes } : get;

/** As `mget` of the cluster, whatever the documents hold. */
export const getDocuments = async (cluster: ClusterControl, asked: MultiGet): Promise<GotDoc[]> => {
  const get = bounded(asked);
  try {
    return await cluster.mget(get);
  } catch (error) {
    if (!get.source || !isSpoilt(error)) throw error;
    if (get.docs.length <= 1) return getOne(cluster, get);
    const middle = get.docs.length >> 1;
    const first = await getDocuments(cluster, { ...get, docs: get.docs.slice(0, middle) });
    return [...first, ...(await getDocuments(cluster, { ...get, docs: get.docs.slice(middle) }))];
  }
};

const getOne = async (cluster: ClusterControl, get: MultiGet): Promise<GotDoc[]> => {
  const { docs, source: _, ...where } = get;
  const [got] = await cluster.mget({ ...where, docs, source: false });
  if (got?.kind !== 'found') return got === undefined ? [] : [got];
  const doc = await readAlone(got.doc, cluster, where);
  return [doc === undefined ? { kind: 'unknown', reason: 'changing', moved: true } : { kind: 'found', doc }];
};
