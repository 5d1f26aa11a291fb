/**
 * Reads documents out of search and multi-get answers without building values of them: `_source` stays the bytes the
 * cluster sent, `_version` stays decimal text, because a stamp can exceed 2^53 and a document may hold numbers that
 * JavaScript would change. Invariant: an answer that covers only part of what was asked is an error, never a short list.
 */
import { eachElement, eachMember, parseSlice, rawOf, type Slice } from '../json/scan.ts';

export type StoredDoc = {
  id: string;
  routing: string | undefined;
  seqNo: number;
  primaryTerm: number;
  /** Present when versions were asked for. */
  version: bigint | undefined;
  /** A view into the answer's buffer, exactly as stored; undefined when sources were not asked for. */
  source: Uint8Array | undefined;
};
export type SearchPage = { docs: StoredDoc[]; complete: boolean; reason: string };
/** `unknown`: the shard could not say; it must never be taken for absent. */
export type GotDoc = { kind: 'found'; doc: StoredDoc } | { kind: 'absent' } | { kind: 'unknown'; reason: string };

const text = (buf: Uint8Array, slice: Slice): string => String(parseSlice(buf, slice));
const integer = (buf: Uint8Array, slice: Slice): number => Number(rawOf(buf, slice));

/** One hit or one `docs` entry; `extra` sees the members that are not part of a document. */
const readDoc = (buf: Uint8Array, at: number, extra?: (key: string, value: Slice) => void): StoredDoc => {
  const doc: StoredDoc = {
    id: '',
    routing: undefined,
    seqNo: -1,
    primaryTerm: 0,
    version: undefined,
    source: undefined,
  };
  eachMember(buf, at, (key, value) => {
    if (key === '_id') doc.id = text(buf, value);
    else if (key === '_routing') doc.routing = text(buf, value);
    else if (key === '_seq_no') doc.seqNo = integer(buf, value);
    else if (key === '_primary_term') doc.primaryTerm = integer(buf, value);
    else if (key === '_version') doc.version = BigInt(rawOf(buf, value));
    else if (key === '_source') doc.source = buf.subarray(value.start, value.end);
    else extra?.(key, value);
  });
  return doc;
};

const readHits = (buf: Uint8Array, at: number): StoredDoc[] => {
  const docs: StoredDoc[] = [];
  eachMember(buf, at, (key, value) => {
    if (key !== 'hits') return;
    eachElement(buf, value.start, (hit) => {
      docs.push(readDoc(buf, hit.start));
    });
  });
  return docs;
};

type ShardCounts = { failed?: number; successful?: number; total?: number };

/** The answer of `_search`; incomplete when a shard failed, timed out or was not asked. */
export const readSearch = (body: Uint8Array): SearchPage => {
  let docs: StoredDoc[] = [];
  let timedOut = false;
  let shards: ShardCounts = {};
  eachMember(body, 0, (key, value) => {
    if (key === 'hits') docs = readHits(body, value.start);
    else if (key === 'timed_out') timedOut = rawOf(body, value) === 'true';
    else if (key === '_shards') shards = parseSlice(body, value) as ShardCounts;
  });
  const complete = !timedOut && shards.failed === 0 && shards.successful === shards.total && (shards.total ?? 0) > 0;
  return { docs, complete, reason: timedOut ? 'the search timed out' : `shards: ${JSON.stringify(shards)}` };
};

const readGot = (buf: Uint8Array, at: number): GotDoc => {
  let found: boolean | undefined;
  let error: string | undefined;
  const doc = readDoc(buf, at, (key, value) => {
    if (key === 'found') found = rawOf(buf, value) === 'true';
    else if (key === 'error') error = rawOf(buf, value);
  });
  if (error !== undefined || found === undefined) return { kind: 'unknown', reason: error ?? 'no answer' };
  return found ? { kind: 'found', doc } : { kind: 'absent' };
};

/** The answer of `_mget`, in the order asked. */
export const readMultiGet = (body: Uint8Array): GotDoc[] => {
  const got: GotDoc[] = [];
  eachMember(body, 0, (key, value) => {
    if (key !== 'docs') return;
    eachElement(body, value.start, (entry) => {
      got.push(readGot(body, entry.start));
    });
  });
  return got;
};
