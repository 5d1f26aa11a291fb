/**
 * The control client of one cluster: the handful of calls that the engine makes on its own account, over the Transport
 * port, so that a simulation can stand in for the cluster. It adds no retries and no decisions; callers retry with
 * retry.ts. Invariant: a partial answer is refused like an error (control-calls.ts); it would read as "less is there".
 * Calls that carry documents are in document-calls.ts.
 */
import { CrossfadeError } from '../errors.ts';
import type { Transport, UpstreamAnswer } from '../upstream/types.ts';
import * as answers from './control-answers.ts';
import {
  type Call,
  type CallLimits,
  type CallOptions,
  type CountOptions,
  type ControlCalls,
  createControlCalls,
  limited,
  parse,
  reasonOf,
  refusal,
} from './control-calls.ts';
import * as documents from './document-calls.ts';
import type { GotDoc, StoredDoc } from './documents.ts';
import { isPassingStatus } from './retry.ts';

export type AliasAction =
  | { add: { index: string; alias: string } & answers.AliasBody }
  | { remove: { index: string; alias: string; must_exist?: boolean } };
export type JsonAnswer = { status: number; body: unknown };

export interface ClusterControl {
  /** The same cluster, for somebody who cannot wait as long: one silent request must not hold up a loop or a hold. */
  within(limits: CallLimits): ClusterControl;
  info(options?: CallOptions): Promise<answers.ClusterInfo>;
  /** Raw answer of a bulk whose path and body copy-bulk.ts made; error statuses are returned, not thrown. */
  bulk(call: documents.BulkCall): Promise<UpstreamAnswer>;
  /** Documents of one shard with `after < _seq_no <= upTo`, ascending, at most `size`. */
  searchBySeq(search: documents.SeqSearch): Promise<StoredDoc[]>;
  /** Realtime; one entry per address, in order. */
  mget(get: documents.MultiGet): Promise<GotDoc[]>;
  /** Realtime: the bytes of one `_source` with nothing around them; undefined when there is no such document. */
  source(get: documents.SourceGet): Promise<Uint8Array | undefined>;
  /** Sequence numbers per primary shard of a concrete index; undefined when there is no such index, refused while no shard is assigned. */
  shardStats(index: string, options?: CallOptions): Promise<answers.IndexShards | undefined>;
  /**
   * Per shard of a concrete index; a new primary begins a new term. Undefined when the cluster does not tell it to this
   * user. Nothing else tells: see "Doubt" in ARCHITECTURE.md.
   */
  primaryTerms(index: string, options?: CallOptions): Promise<readonly number[] | undefined>;
  refresh(index: string, options?: CallOptions): Promise<void>;
  count(index: string, options?: CountOptions): Promise<number>;
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
  json(method: string, path: string, body?: unknown, options?: CallOptions): Promise<JsonAnswer>;
}

const name = encodeURIComponent;

const shardStats = async (
  calls: ControlCalls,
  index: string,
  options?: CallOptions,
): Promise<answers.IndexShards | undefined> => {
  const fields = ['uuid', 'shards.*.routing', 'shards.*.seq_no', 'shards.*.commit.user_data.history_uuid'];
  const filter = fields.map((field) => `indices.*.${field}`).join(',');
  const path = `/${name(index)}/_stats/docs?level=shards&filter_path=${filter}`;
  const stats = await calls.find(answers.StatsAnswer, { method: 'GET', path, ...options });
  if (stats === undefined) return undefined;
  const shards = answers.shardsOf(stats, index);
  if (shards !== undefined) return shards;
  const cause = { type: answers.noneAssigned, reason: `no shard of ${index} is assigned` };
  throw refusal(`GET ${path}`, 503, cause);
};

const primaryTerms = async (
  calls: ControlCalls,
  index: string,
  options?: CallOptions,
): Promise<readonly number[] | undefined> => {
  const path = `/_cluster/state/metadata/${name(index)}?filter_path=metadata.indices.*.primary_terms`;
  const call = { method: 'GET', path, ...options };
  const { status, body } = await calls.send(call);
  if (status < 300) return answers.primaryTermsOf(parse(`GET ${path}`, answers.PrimaryTermsAnswer, body), index);
  if (isPassingStatus(status)) throw refusal(`GET ${path}`, status, reasonOf(body));
  return undefined;
};

const refresh = async (calls: ControlCalls, index: string, options?: CallOptions): Promise<void> => {
  const path = `/${name(index)}/_refresh`;
  const { _shards: shards } = await calls.ask(answers.RefreshAnswer, { method: 'POST', path, reads: true, ...options });
  if (shards.failed > 0) throw refusal(`POST ${path}`, 503, { type: 'partial_answer', reason: JSON.stringify(shards) });
};

const count = async (calls: ControlCalls, index: string, options: CountOptions = {}): Promise<number> => {
  const { primary, without, ...call } = options;
  const path = `/${name(index)}/_count${primary ? '?preference=_primary' : ''}`;
  const asked =
    without === undefined
      ? { method: 'GET', path }
      : { method: 'POST', path, body: { query: { bool: { must_not: [without] } } }, reads: true };
  const { count: docs, _shards: shards } = await calls.ask(answers.CountAnswer, { ...asked, ...call });
  if (shards.failed > 0 || shards.successful !== shards.total)
    throw refusal(`GET ${path}`, 503, { type: 'partial_answer', reason: JSON.stringify(shards) });
  return docs;
};

const getIndex = async (
  calls: ControlCalls,
  index: string,
  options?: CallOptions,
): Promise<answers.IndexInfo | undefined> => {
  const found = await calls.find(answers.IndexAnswer, {
    method: 'GET',
    path: `/${name(index)}?flat_settings=true`,
    ...options,
  });
  return found && answers.indexInfoOf(found);
};

const getAliases = async (calls: ControlCalls, pattern: string, options?: CallOptions) => {
  const found = await calls.find(answers.AliasesAnswer, {
    method: 'GET',
    path: `/_alias/${name(pattern)}`,
    ...options,
  });
  return Object.fromEntries(Object.entries(found ?? {}).map(([index, { aliases }]) => [index, aliases]));
};

const listWriteTasks = async (calls: ControlCalls, options?: CallOptions): Promise<answers.WriteTask[]> => {
  const path = '/_tasks?actions=indices:data/write/*&detailed=true';
  const tasks = await calls.ask(answers.TasksAnswer, { method: 'GET', path, ...options });
  const failures = [...(tasks.node_failures ?? []), ...(tasks.task_failures ?? [])];
  if (failures.length > 0)
    throw refusal(`GET ${path}`, 503, { type: 'partial_answer', reason: JSON.stringify(failures).slice(0, 200) });
  return answers.writeTasksOf(tasks);
};

const json = async ({ send }: ControlCalls, call: Call): Promise<JsonAnswer> => {
  const { status, body } = await send(call);
  if (body.length === 0) return { status, body: undefined };
  const text = body.toString('utf8');
  try {
    return { status, body: JSON.parse(text) as unknown };
  } catch (cause) {
    // Refusals of the security plugin, or of a proxy before the cluster, are words.
    if (status >= 400) return { status, body: text };
    throw new CrossfadeError('UPSTREAM_INVALID', `${call.method} ${call.path}: the answer is not JSON`, { cause });
  }
};

export const createClusterControl = (transport: Transport): ClusterControl => {
  const calls = createControlCalls(transport);
  return {
    within: (limits) => createClusterControl(limited(transport, limits)),
    info: async (options) =>
      answers.clusterInfoOf(await calls.ask(answers.InfoAnswer, { method: 'GET', path: '/', ...options })),
    bulk: (call) => documents.bulk(calls, call),
    searchBySeq: (search) => documents.searchBySeq(calls, search),
    mget: (get) => documents.mget(calls, get),
    source: (get) => documents.sourceOf(calls, get),
    shardStats: (index, options) => shardStats(calls, index, options),
    primaryTerms: (index, options) => primaryTerms(calls, index, options),
    refresh: (index, options) => refresh(calls, index, options),
    count: (index, options) => count(calls, index, options),
    getIndex: (index, options) => getIndex(calls, index, options),
    createIndex: (index, body, options) =>
      calls.acknowledged({ method: 'PUT', path: `/${name(index)}`, body, ...options }),
    updateAliases: (actions, options) =>
      calls.acknowledged({ method: 'POST', path: '/_aliases', body: { actions }, ...options }),
    getAliases: (pattern, options) => getAliases(calls, pattern, options),
    listWriteTasks: (options) => listWriteTasks(calls, options),
    putBlock: (index, block, options) =>
      calls.acknowledged({ method: 'PUT', path: `/${name(index)}/_block/${block}`, ...options }),
    json: (method, path, body, options) => json(calls, { method, path, body, ...options }),
  };
};
