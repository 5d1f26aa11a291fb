/**
 * The control calls that carry documents: pages of a shard by sequence number, documents by id, copies. Answers are read by
 * documents.ts, so that documents keep their bytes. Invariant: a page of which a part is missing is refused, for whoever
 * reads it would pass over the missing documents.
 */
import { CrossfadeError } from '../errors.ts';
import { type CallOptions, type ControlCalls, defaultTimeoutMs, refusal } from './control-calls.ts';
import { type GotDoc, readMultiGet, readSearch, type StoredDoc } from './documents.ts';

export type BulkCall = CallOptions & {
  path: string;
  body: Uint8Array;
  /** Copy aliases that it writes through. */
  aliases: readonly string[];
  refresh?: 'true' | 'wait_for' | undefined;
};
export type SeqSearch = CallOptions & {
  index: string;
  shard: number;
  /** Node of the shard's primary. */
  node: string;
  /** Exclusive. */
  after: number;
  /** Inclusive. */
  upTo: number;
  size: number;
  source: boolean;
  /** Tell versions beside contents; without contents they are always told. */
  versions?: boolean | undefined;
};
export type DocAddress = { id: string; routing: string | undefined };
export type MultiGet = CallOptions & {
  index: string;
  docs: readonly DocAddress[];
  source: boolean;
  /** Answers tell no more than whether a document is there, and its version. */
  versionsOnly?: boolean;
  /** Ask primaries only: needed where replicas may lag, see IndexInfo.segmentReplication. */
  primary?: boolean;
  /** Ask this node only. */
  node?: string | undefined;
};
export type SourceGet = CallOptions & DocAddress & Pick<MultiGet, 'index' | 'primary' | 'node'>;

const name = encodeURIComponent;

const preferenceOf = ({ primary, node }: { primary?: boolean | undefined; node?: string | undefined }): string => {
  if (node !== undefined) return `&preference=${name(`_only_nodes:${node}`)}`;
  return primary ? '&preference=_primary' : '';
};

const hitFields = `timed_out,_shards,${['_id', '_routing', '_seq_no', '_primary_term', '_version'].map((field) => `hits.hits.${field}`)}`;
const versionFields = 'docs.found,docs._version,docs.error';

/** Raw: the status is the caller's to read. */
export const bulk = ({ transport }: ControlCalls, { path, body, refresh, timeoutMs, signal }: BulkCall) =>
  transport.request({
    method: 'POST',
    path: refresh === undefined ? path : `${path}&refresh=${refresh}`,
    headers: { 'content-type': 'application/x-ndjson', accept: 'application/json' },
    body,
    timeoutMs: timeoutMs ?? defaultTimeoutMs,
    signal,
    // Whoever sends copies repeats them, and has to know of each request that may still arrive.
    safeToRepeat: false,
  });

export const searchBySeq = async (calls: ControlCalls, search: SeqSearch): Promise<StoredDoc[]> => {
  const { index, shard, node, after, upTo, size, source, versions, ...options } = search;
  const preference = name(`_shards:${shard}|_only_nodes:${node}`);
  // Contents are not filtered: the cluster would read and write each of them anew.
  const only = source ? '' : `&filter_path=${hitFields}`;
  const path = `/${name(index)}/_search?preference=${preference}&allow_partial_search_results=false${only}`;
  const body = {
    size,
    query: { range: { _seq_no: { gt: after, lte: upTo } } },
    // An index that never held a document has no mapping of the field.
    sort: [{ _seq_no: { order: 'asc', unmapped_type: 'long' } }],
    seq_no_primary_term: true,
    // Whoever copies contents has a use for the version only where it is the stamp, whoever deletes has none for the content.
    version: versions === true || !source,
    track_total_hits: false,
    _source: source,
  };
  const page = readSearch(await calls.body({ method: 'POST', path, body, reads: true, ...options }));
  if (!page.complete) throw refusal(`POST ${path}`, 503, { type: 'partial_answer', reason: page.reason });
  return page.docs;
};

export const mget = async (calls: ControlCalls, get: MultiGet): Promise<GotDoc[]> => {
  const { index, docs, source, versionsOnly = false, primary, node, ...options } = get;
  if (docs.length === 0) return [];
  const only = versionsOnly ? `&filter_path=${versionFields}` : '';
  const path = `/${name(index)}/_mget?realtime=true&_source=${source}${only}${preferenceOf({ primary, node })}`;
  const body = { docs: docs.map(({ id, routing }) => ({ _id: id, ...(routing === undefined ? {} : { routing }) })) };
  const got = readMultiGet(await calls.body({ method: 'POST', path, body, reads: true, ...options }));
  if (got.length === docs.length) return got;
  throw new CrossfadeError('UPSTREAM_INVALID', `POST ${path}: ${got.length} answers to ${docs.length} documents`);
};

export const sourceOf = async (calls: ControlCalls, get: SourceGet): Promise<Uint8Array | undefined> => {
  const { index, id, routing, primary, node, ...options } = get;
  const routed = routing === undefined ? '' : `&routing=${name(routing)}`;
  const path = `/${name(index)}/_source/${name(id)}?realtime=true${routed}${preferenceOf({ primary, node })}`;
  return calls.bodyIfAny({ method: 'GET', path, ...options });
};
