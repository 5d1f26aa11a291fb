/**
 * The control client of one cluster: the handful of calls that the engine makes on its own account, over the Transport
 * port, so that a simulation can stand in for the cluster. It adds no retries and no decisions; callers retry with
 * retry.ts. Invariant: an error status or a partial answer throws UPSTREAM_REFUSED with the status, and documents are
 * read by documents.ts, so their bytes stay as stored.
 */
import type * as z from 'zod';
import { CrossfadeError } from '../errors.ts';
import type { Transport, UpstreamAnswer } from '../upstream/types.ts';
import * as answers from './control-answers.ts';
import { type GotDoc, readMultiGet, readSearch, type StoredDoc } from './documents.ts';
import { isPassingStatus } from './retry.ts';

export type AliasAction =
  | { add: { index: string; alias: string } & answers.AliasBody }
  | { remove: { index: string; alias: string; must_exist?: boolean } };
export type CallOptions = { timeoutMs?: number; signal?: AbortSignal | undefined; maxBodyBytes?: number };
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
};
export type DocAddress = { id: string; routing: string | undefined };
export type MultiGet = CallOptions & {
  index: string;
  docs: readonly DocAddress[];
  source: boolean;
  /** Ask primaries only: needed where replicas may lag, see IndexInfo.segmentReplication. */
  primary?: boolean;
  /** Ask this node only. */
  node?: string | undefined;
};
export type SourceGet = CallOptions & DocAddress & Pick<MultiGet, 'index' | 'primary' | 'node'>;

/** A call takes at most this long, whatever it asked for itself. */
export type CallLimits = { timeoutMs: () => number; signal?: (() => AbortSignal | undefined) | undefined };

export interface ClusterControl {
  /** The same cluster, for somebody who cannot wait as long: one silent request must not hold up a loop or a hold. */
  within(limits: CallLimits): ClusterControl;
  info(options?: CallOptions): Promise<answers.ClusterInfo>;
  /** Raw answer of a bulk whose path and body copy-bulk.ts made; error statuses are returned, not thrown. */
  bulk(call: BulkCall): Promise<UpstreamAnswer>;
  /** Documents of one shard with `after < _seq_no <= upTo`, ascending, at most `size`. */
  searchBySeq(search: SeqSearch): Promise<StoredDoc[]>;
  /** Realtime; one entry per address, in order. */
  mget(get: MultiGet): Promise<GotDoc[]>;
  /** Realtime: the bytes of one `_source` with nothing around them; undefined when there is no such document. */
  source(get: SourceGet): Promise<Uint8Array | undefined>;
  /** Sequence numbers per primary shard of a concrete index; undefined when there is no such index. */
  shardStats(index: string, options?: CallOptions): Promise<answers.IndexShards | undefined>;
  /**
   * Per shard of a concrete index; a new primary begins a new term. Undefined when the cluster does not tell it to this
   * user. Nothing else tells: see "Doubt" in ARCHITECTURE.md.
   */
  primaryTerms(index: string, options?: CallOptions): Promise<readonly number[] | undefined>;
  refresh(index: string, options?: CallOptions): Promise<void>;
  count(index: string, options?: CallOptions & { primary?: boolean }): Promise<number>;
  /** Concrete index, or an alias of exactly one; undefined when there is none. */
  getIndex(name: string, options?: CallOptions): Promise<answers.IndexInfo | undefined>;
  /** @throws UPSTREAM_REFUSED; resolves to false when the change was accepted and not acknowledged by all nodes in time. */
  createIndex(name: string, body: unknown, options?: CallOptions): Promise<boolean>;
  /** One atomic change; resolves to whether all nodes acknowledged it in time. */
  updateAliases(actions: readonly AliasAction[], options?: CallOptions): Promise<boolean>;
  /** Index name to its aliases that match `pattern` (wildcards allowed). */
  getAliases(pattern: string, options?: CallOptions): Promise<Record<string, Record<string, answers.AliasBody>>>;
  /** Write tasks running anywhere in the cluster; see `namesTask`. */
  listWriteTasks(options?: CallOptions): Promise<answers.WriteTask[]>;
  /** Resolves once writes under way have drained and all copies carry the block. */
  putBlock(index: string, block: 'write' | 'read_only' | 'metadata', options?: CallOptions): Promise<boolean>;
  /** Anything else that speaks JSON: status and parsed body, nothing thrown for error statuses. */
  json(method: string, path: string, body?: unknown, options?: CallOptions): Promise<{ status: number; body: unknown }>;
}

const defaultTimeoutMs = 30_000;
const jsonHeaders = { 'content-type': 'application/json', accept: 'application/json' };
const name = encodeURIComponent;

const preferenceOf = ({ primary, node }: { primary?: boolean | undefined; node?: string | undefined }): string => {
  if (node !== undefined) return `&preference=${name(`_only_nodes:${node}`)}`;
  return primary ? '&preference=_primary' : '';
};

type ErrorBody = { type?: string; reason?: string; root_cause?: ErrorBody[] };

/** The reason in an error answer of OpenSearch, short enough for a log line. */
const reasonOf = (body: Buffer): { type: string; reason: string } => {
  try {
    const { error } = JSON.parse(body.toString('utf8')) as { error?: ErrorBody | string };
    if (typeof error === 'string') return { type: 'error', reason: error };
    // A failed search says only "all shards failed" at the top.
    const cause = error?.root_cause?.[0] ?? error;
    return { type: cause?.type ?? 'unknown', reason: cause?.reason ?? '' };
  } catch {
    return { type: 'unknown', reason: body.subarray(0, 200).toString('utf8') };
  }
};

export const refusal = (what: string, status: number, cause: { type: string; reason: string }): CrossfadeError =>
  new CrossfadeError('UPSTREAM_REFUSED', `${what}: ${status} ${cause.type}: ${cause.reason}`, {
    details: { upstreamStatus: status, upstreamType: cause.type },
  });

const parse = <T>(what: string, schema: z.ZodType<T>, body: Buffer): T => {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new CrossfadeError('UPSTREAM_INVALID', `${what}: the answer is not JSON`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CrossfadeError('UPSTREAM_INVALID', `${what}: unexpected answer`, { cause: parsed.error });
};

/** `reads`: a POST that changes nothing, so the transport may repeat it when a pooled connection proves dead. */
type Call = CallOptions & { method: string; path: string; body?: unknown; reads?: boolean };

const limited = (transport: Transport, { timeoutMs, signal }: CallLimits): Transport => ({
  request: (request) => {
    const signals = [request.signal, signal?.()].filter((one) => one !== undefined);
    const own = request.timeoutMs ?? defaultTimeoutMs;
    return transport.request({
      ...request,
      timeoutMs: Math.min(own, timeoutMs()),
      signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    });
  },
});

export const createClusterControl = (transport: Transport): ClusterControl => {
  const send = ({ method, path, body, timeoutMs, signal, maxBodyBytes, reads }: Call): Promise<UpstreamAnswer> =>
    transport.request({
      method,
      path,
      headers: jsonHeaders,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: timeoutMs ?? defaultTimeoutMs,
      signal,
      safeToRepeat: reads,
      ...(maxBodyBytes === undefined ? {} : { maxBodyBytes }),
    });
  const buffered = async (call: Call, absentIs404 = false): Promise<Buffer | undefined> => {
    const { status, body } = await send(call);
    if (status === 404 && absentIs404) return undefined;
    if (status >= 300) throw refusal(`${call.method} ${call.path}`, status, reasonOf(body));
    return body;
  };
  const ask = async <T>(schema: z.ZodType<T>, call: Call): Promise<T> =>
    parse(`${call.method} ${call.path}`, schema, (await buffered(call)) as Buffer);
  const find = async <T>(schema: z.ZodType<T>, call: Call): Promise<T | undefined> => {
    const body = await buffered(call, true);
    return body && parse(`${call.method} ${call.path}`, schema, body);
  };
  const acknowledged = async (call: Call): Promise<boolean> =>
    (await ask(answers.AcknowledgedAnswer, call)).acknowledged;

  const searchBySeq = async (search: SeqSearch): Promise<StoredDoc[]> => {
    const { index, shard, node, after, upTo, size, source, ...options } = search;
    const preference = name(`_shards:${shard}|_only_nodes:${node}`);
    const path = `/${name(index)}/_search?preference=${preference}&allow_partial_search_results=false`;
    const body = {
      size,
      query: { range: { _seq_no: { gt: after, lte: upTo } } },
      // An index that never held a document has no mapping of the field.
      sort: [{ _seq_no: { order: 'asc', unmapped_type: 'long' } }],
      seq_no_primary_term: true,
      // Whoever copies contents has no use for the version here, whoever deletes has none for the content.
      version: !source,
      track_total_hits: false,
      _source: source,
    };
    const page = readSearch((await buffered({ method: 'POST', path, body, reads: true, ...options })) as Buffer);
    if (!page.complete) throw refusal(`POST ${path}`, 503, { type: 'partial_answer', reason: page.reason });
    return page.docs;
  };

  const mget = async ({ index, docs, source, primary, node, ...options }: MultiGet): Promise<GotDoc[]> => {
    if (docs.length === 0) return [];
    const path = `/${name(index)}/_mget?realtime=true&_source=${source}${preferenceOf({ primary, node })}`;
    const body = { docs: docs.map(({ id, routing }) => ({ _id: id, ...(routing === undefined ? {} : { routing }) })) };
    const got = readMultiGet((await buffered({ method: 'POST', path, body, reads: true, ...options })) as Buffer);
    if (got.length === docs.length) return got;
    throw new CrossfadeError('UPSTREAM_INVALID', `POST ${path}: ${got.length} answers to ${docs.length} documents`);
  };

  const source = async ({ index, id, routing, primary, node, ...options }: SourceGet) => {
    const routed = routing === undefined ? '' : `&routing=${name(routing)}`;
    const path = `/${name(index)}/_source/${name(id)}?realtime=true${routed}${preferenceOf({ primary, node })}`;
    return buffered({ method: 'GET', path, ...options }, true);
  };

  const shardStats = async (index: string, options?: CallOptions): Promise<answers.IndexShards | undefined> => {
    const fields = ['uuid', 'shards.*.routing', 'shards.*.seq_no', 'shards.*.commit.user_data.history_uuid'];
    const filter = fields.map((field) => `indices.*.${field}`).join(',');
    const path = `/${name(index)}/_stats/docs?level=shards&filter_path=${filter}`;
    const stats = await find(answers.StatsAnswer, { method: 'GET', path, ...options });
    return stats && answers.shardsOf(stats, index);
  };

  const primaryTerms = async (index: string, options?: CallOptions): Promise<readonly number[] | undefined> => {
    const path = `/_cluster/state/metadata/${name(index)}?filter_path=metadata.indices.*.primary_terms`;
    const call = { method: 'GET', path, ...options };
    const { status, body } = await send(call);
    if (status < 300) return answers.primaryTermsOf(parse(`GET ${path}`, answers.PrimaryTermsAnswer, body), index);
    if (isPassingStatus(status)) throw refusal(`GET ${path}`, status, reasonOf(body));
    return undefined;
  };

  const refresh = async (index: string, options?: CallOptions): Promise<void> => {
    const path = `/${name(index)}/_refresh`;
    const { _shards: shards } = await ask(answers.RefreshAnswer, { method: 'POST', path, reads: true, ...options });
    if (shards.failed > 0)
      throw refusal(`POST ${path}`, 503, { type: 'partial_answer', reason: JSON.stringify(shards) });
  };

  const count = async (index: string, options: CallOptions & { primary?: boolean } = {}): Promise<number> => {
    const { primary, ...call } = options;
    const path = `/${name(index)}/_count${primary ? '?preference=_primary' : ''}`;
    const { count: docs, _shards: shards } = await ask(answers.CountAnswer, { method: 'GET', path, ...call });
    if (shards.failed > 0 || shards.successful !== shards.total)
      throw refusal(`GET ${path}`, 503, { type: 'partial_answer', reason: JSON.stringify(shards) });
    return docs;
  };

  const getIndex = async (index: string, options?: CallOptions): Promise<answers.IndexInfo | undefined> => {
    const found = await find(answers.IndexAnswer, {
      method: 'GET',
      path: `/${name(index)}?flat_settings=true`,
      ...options,
    });
    return found && answers.indexInfoOf(found);
  };

  return {
    within: (limits) => createClusterControl(limited(transport, limits)),
    info: async (options) =>
      answers.clusterInfoOf(await ask(answers.InfoAnswer, { method: 'GET', path: '/', ...options })),
    bulk: ({ path, body, refresh: refreshing, timeoutMs, signal }) =>
      transport.request({
        method: 'POST',
        path: refreshing === undefined ? path : `${path}&refresh=${refreshing}`,
        headers: { 'content-type': 'application/x-ndjson', accept: 'application/json' },
        body,
        timeoutMs: timeoutMs ?? defaultTimeoutMs,
        signal,
        // Whoever sends copies repeats them, and has to know of each request that may still arrive.
        safeToRepeat: false,
      }),
    searchBySeq,
    mget,
    source,
    shardStats,
    primaryTerms,
    refresh,
    count,
    getIndex,
    createIndex: (index, body, options) => acknowledged({ method: 'PUT', path: `/${name(index)}`, body, ...options }),
    updateAliases: (actions, options) =>
      acknowledged({ method: 'POST', path: '/_aliases', body: { actions }, ...options }),
    getAliases: async (pattern, options) => {
      const found = await find(answers.AliasesAnswer, { method: 'GET', path: `/_alias/${name(pattern)}`, ...options });
      return Object.fromEntries(Object.entries(found ?? {}).map(([index, { aliases }]) => [index, aliases]));
    },
    listWriteTasks: async (options) => {
      const path = '/_tasks?actions=indices:data/write/*&detailed=true';
      const tasks = await ask(answers.TasksAnswer, { method: 'GET', path, ...options });
      const failures = [...(tasks.node_failures ?? []), ...(tasks.task_failures ?? [])];
      if (failures.length > 0)
        throw refusal(`GET ${path}`, 503, { type: 'partial_answer', reason: JSON.stringify(failures).slice(0, 200) });
      return answers.writeTasksOf(tasks);
    },
    putBlock: (index, block, options) =>
      acknowledged({ method: 'PUT', path: `/${name(index)}/_block/${block}`, ...options }),
    json: async (method, path, body, options) => {
      const answer = await send({ method, path, body, ...options });
      if (answer.body.length === 0) return { status: answer.status, body: undefined };
      const text = answer.body.toString('utf8');
      try {
        return { status: answer.status, body: JSON.parse(text) as unknown };
      } catch (cause) {
        // Refusals of the security plugin, or of a proxy before the cluster, are words.
        if (answer.status >= 400) return { status: answer.status, body: text };
        throw new CrossfadeError('UPSTREAM_INVALID', `${method} ${path}: the answer is not JSON`, { cause });
      }
    },
  };
};
