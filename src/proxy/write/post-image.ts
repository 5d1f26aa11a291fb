/**
 * Decides, for one write that the authority answered, what the follower must hold afterwards and where it comes from.
 * The post-image is what the authority stored, never the client's intent: updates and pipelines are not repeated on the
 * follower. Invariant: each outcome that consumed a sequence number leads to exactly one copy, or to a reason on record
 * why there is none.
 */
export const writeOps = ['index', 'create', 'update', 'delete'] as const;
export type WriteOp = (typeof writeOps)[number];

export type PostImage =
  /** Nothing was written: refused, conflict, noop. */
  | { kind: 'none' }
  | { kind: 'index'; source: Uint8Array }
  | { kind: 'delete' }
  /** Only the authority knows what it stored: a realtime GET tells, with the stamp of what it returns. */
  | { kind: 'read_back' }
  /** It cannot be told whether something was written. */
  | { kind: 'unknown' };

/** The facts of one write, single or bulk item, after the answer. */
export type Written = {
  readonly op: WriteOp;
  readonly status: number;
  /** `result` of the answer; undefined in errors and in answers that are not JSON. */
  readonly result: string | undefined;
  readonly errorType: string | undefined;
  /** The body sent, on one line; undefined when it is no JSON that can be copied as it is. */
  readonly document: Uint8Array | undefined;
  /** `get._source` of an update answer, only when this process asked for it whole. */
  readonly updated: Uint8Array | undefined;
  /**
   * An ingest pipeline may have changed the document on its way in. A single update runs the index's pipelines over the
   * updated document, but answers with the document before them; updates in a bulk answer with what was stored.
   */
  readonly pipeline: boolean;
};

const none: PostImage = { kind: 'none' };
/**
 * What users with restricted documents or fields may not do is answered 500. Any other 5xx may stand for a write that was
 * applied: also that of a shard without a primary, or of a cluster without a master, which is what the node that the client
 * asked says when the primary took the write, failed, and was waited for in vain.
 */
const neverApplied = 'security_exception';

export const postImage = (written: Written): PostImage => {
  const { op, status, result } = written;
  if (status >= 500) return written.errorType === neverApplied ? none : { kind: 'unknown' };
  const deletedNothing = op === 'delete' && status === 404 && result === 'not_found';
  if (status >= 300 && !deletedNothing) return none;
  if (result === 'noop') return none;
  if (op === 'delete' || result === 'deleted') return { kind: 'delete' };
  if (written.pipeline) return { kind: 'read_back' };
  return stored(op === 'update' ? written.updated : written.document);
};

const stored = (source: Uint8Array | undefined): PostImage =>
  source === undefined ? { kind: 'read_back' } : { kind: 'index', source };

/** Whether a write whose answer never came may have removed a document, which only a sweep would find. */
export const mayDelete = (op: WriteOp, hasScript: boolean): boolean =>
  op === 'delete' || (op === 'update' && hasScript);
