/**
 * Reads documents out of search and multi-get answers without building values of them: `_source` stays the bytes the
 * cluster sent, `_version` stays decimal text, because a stamp can exceed 2^53 and a document may hold numbers that
 * JavaScript would change. Invariant: an answer that covers only part of what was asked is an error, never a short list.
 * An answer that a document has made invalid JSON is a SyntaxError; odd-documents.ts says how to go on.
 */
import { isKey, numberOf, parseSlice, rawOf, type Slice, skipValue, walkElements, walkMembers } from '../json/scan.ts';

export type StoredDoc = {
  id: string;
  routing: string | undefined;
  seqNo: number;
  primaryTerm: number;
  /** Present when versions were asked for. */
  version: bigint | undefined;
  /** A view into the answer's buffer, exactly as stored; undefined when sources were not asked for. */
  source: Uint8Array | undefined;
  /** Why there is no source although it was asked for: the cluster itself cannot show it. */
  unreadable?: string;
};
export type SearchPage = { docs: StoredDoc[]; complete: boolean; reason: string };
/** `unknown`: the shard could not say, or the document moved while it was read; it must never be taken for absent. */
export type GotDoc =
  { kind: 'found'; doc: StoredDoc } | { kind: 'absent' } | { kind: 'unknown'; reason: string; moved?: true };

const text = (buf: Uint8Array, slice: Slice): string => {
  const raw = rawOf(buf, slice);
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
};

const emptyDoc = (): StoredDoc => ({
  id: '',
  routing: undefined,
  seqNo: -1,
  primaryTerm: 0,
  version: undefined,
  source: undefined,
});

/** Takes a member of a hit or of a `docs` entry into `doc`; false when it is no part of a document. */
const takeMember = (doc: StoredDoc, buf: Uint8Array, key: Slice, value: Slice): boolean => {
  if (isKey(buf, key, '_id')) doc.id = text(buf, value);
  else if (isKey(buf, key, '_source')) doc.source = buf.subarray(value.start, value.end);
  else if (isKey(buf, key, '_seq_no')) doc.seqNo = numberOf(buf, value);
  else if (isKey(buf, key, '_primary_term')) doc.primaryTerm = numberOf(buf, value);
  else if (isKey(buf, key, '_version')) doc.version = BigInt(rawOf(buf, value));
  else if (isKey(buf, key, '_routing')) doc.routing = text(buf, value);
  else return false;
  return true;
};

/** Reads the hits array at `at`; returns its end. */
const readHits = (buf: Uint8Array, at: number, docs: StoredDoc[]): number =>
  walkElements(buf, at, (start) => {
    const doc = emptyDoc();
    docs.push(doc);
    return walkMembers(buf, start, (key, from) => {
      const end = skipValue(buf, from);
      takeMember(doc, buf, key, { start: from, end });
      return end;
    });
  });

type ShardCounts = { failed?: number; successful?: number; total?: number };

/** The answer of `_search`; incomplete when a shard failed, timed out or was not asked. */
export const readSearch = (body: Uint8Array): SearchPage => {
  const docs: StoredDoc[] = [];
  let timedOut = false;
  let shards: ShardCounts = {};
  walkMembers(body, 0, (key, start) => {
    if (isKey(body, key, 'hits'))
      return walkMembers(body, start, (inner, at) =>
        isKey(body, inner, 'hits') ? readHits(body, at, docs) : undefined,
      );
    const end = skipValue(body, start);
    if (isKey(body, key, 'timed_out')) timedOut = rawOf(body, { start, end }) === 'true';
    else if (isKey(body, key, '_shards')) shards = parseSlice(body, { start, end }) as ShardCounts;
    return end;
  });
  const complete = !timedOut && shards.failed === 0 && shards.successful === shards.total && (shards.total ?? 0) > 0;
  return { docs, complete, reason: timedOut ? 'the search timed out' : `shards: ${JSON.stringify(shards)}` };
};

type ItemError = { type?: string; reason?: string };

/** An index that requires a routing has no document without one. */
const failedGet = (error: ItemError | undefined): GotDoc => {
  if (error?.type === 'routing_missing_exception') return { kind: 'absent' };
  return { kind: 'unknown', reason: error === undefined ? 'no answer' : `${error.type}: ${error.reason}` };
};

const readGot = (buf: Uint8Array, at: number, got: GotDoc[]): number => {
  const doc = emptyDoc();
  let found: boolean | undefined;
  let error: ItemError | undefined;
  const end = walkMembers(buf, at, (key, start) => {
    const value = { start, end: skipValue(buf, start) };
    if (takeMember(doc, buf, key, value)) return value.end;
    if (isKey(buf, key, 'found')) found = rawOf(buf, value) === 'true';
    else if (isKey(buf, key, 'error')) error = parseSlice(buf, value) as ItemError;
    return value.end;
  });
  if (error !== undefined || found === undefined) got.push(failedGet(error));
  else got.push(found ? { kind: 'found', doc } : { kind: 'absent' });
  return end;
};

/** The answer of `_mget`, in the order asked. */
export const readMultiGet = (body: Uint8Array): GotDoc[] => {
  const got: GotDoc[] = [];
  walkMembers(body, 0, (key, start) =>
    isKey(body, key, 'docs') ? walkElements(body, start, (entry) => readGot(body, entry, got)) : undefined,
  );
  return got;
};
