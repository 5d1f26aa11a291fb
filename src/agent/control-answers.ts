/**
 * Shapes of the control answers that the engine reads: statistics, indices, aliases, tasks. Only the fields used are
 * taken, each checked, because an unexpected answer must stop a migration and not be read as zero.
 */
import * as z from 'zod';

const Shard = z.object({
  routing: z.object({ state: z.string(), primary: z.boolean(), node: z.string().nullable() }),
  seq_no: z.object({ max_seq_no: z.int(), local_checkpoint: z.int(), global_checkpoint: z.int() }).optional(),
  commit: z.object({ user_data: z.object({ history_uuid: z.string().optional() }).optional() }).optional(),
});
export const StatsAnswer = z.object({
  indices: z
    .record(z.string(), z.object({ uuid: z.string(), shards: z.record(z.string(), z.array(Shard)) }))
    .default({}),
});

export type ShardSeq = {
  shard: number;
  /** Node that holds the primary: reads pinned to it see everything up to its checkpoint after a refresh. */
  primaryNode: string;
  maxSeqNo: number;
  globalCheckpoint: number;
  /** Changes when a restore or a forced allocation breaks with the past: sequence numbers then start another story. */
  history: string | undefined;
};
/** Only shards whose primary is started are listed: fewer than the index has means part of it is out of reach. */
export type IndexShards = { uuid: string; shards: ShardSeq[] };

/** Type of the refusal that stands for an answer which tells no shard of an index. */
export const noneAssigned = 'no_shard_assigned';

/**
 * The shards of one index, ordered. Undefined when the answer says nothing of the index: it leaves out one of which no shard
 * is assigned.
 */
export const shardsOf = (answer: z.infer<typeof StatsAnswer>, index: string): IndexShards | undefined => {
  const stats = answer.indices[index];
  if (stats === undefined) return undefined;
  const shards: ShardSeq[] = [];
  for (const [number, copies] of Object.entries(stats.shards)) {
    const primary = copies.find(
      ({ routing }) => routing.primary && (routing.state === 'STARTED' || routing.state === 'RELOCATING'),
    );
    if (primary?.seq_no === undefined || primary.routing.node === null) continue;
    const { max_seq_no: maxSeqNo, global_checkpoint: globalCheckpoint } = primary.seq_no;
    const history = primary.commit?.user_data?.history_uuid;
    shards.push({ shard: Number(number), primaryNode: primary.routing.node, maxSeqNo, globalCheckpoint, history });
  }
  return { uuid: stats.uuid, shards: shards.sort((a, b) => a.shard - b.shard) };
};

export const PrimaryTermsAnswer = z.object({
  metadata: z
    .object({ indices: z.record(z.string(), z.object({ primary_terms: z.record(z.string(), z.int()) })).optional() })
    .optional(),
});
/** By shard; undefined when the answer does not know the index. */
export const primaryTermsOf = (
  { metadata }: z.infer<typeof PrimaryTermsAnswer>,
  index: string,
): number[] | undefined => {
  const terms = metadata?.indices?.[index]?.primary_terms;
  // Keys that are numbers come in their order.
  return terms && Object.values(terms);
};

export const AliasBody = z.looseObject({
  is_write_index: z.boolean().optional(),
  is_hidden: z.boolean().optional(),
  index_routing: z.string().optional(),
  search_routing: z.string().optional(),
  filter: z.record(z.string(), z.unknown()).optional(),
});
export type AliasBody = z.infer<typeof AliasBody>;

export const IndexAnswer = z.record(
  z.string(),
  z.object({
    aliases: z.record(z.string(), AliasBody).default({}),
    mappings: z.record(z.string(), z.unknown()).default({}),
    settings: z.record(z.string(), z.unknown()),
  }),
);
export type IndexInfo = {
  /** The concrete name, also when an alias was asked for. */
  name: string;
  uuid: string;
  shards: number;
  replicas: number;
  /** Replicas lag behind the primary after a refresh: read from primaries only. */
  segmentReplication: boolean;
  aliases: Record<string, AliasBody>;
  mappings: Record<string, unknown>;
  /** Flat keys, `index.number_of_shards`, values as the cluster prints them. */
  settings: Record<string, unknown>;
};

/** What the answer of `GET /{name}` says; undefined when it names no index or more than one. */
export const indexInfoOf = (answer: z.infer<typeof IndexAnswer>): IndexInfo | undefined => {
  const entries = Object.entries(answer);
  const [name, body] = entries[0] ?? [];
  if (entries.length !== 1 || name === undefined || body === undefined) return undefined;
  const { settings } = body;
  const numeric = (key: string, otherwise: number) => Number(settings[key] ?? otherwise);
  return {
    name,
    uuid: String(settings['index.uuid']),
    shards: numeric('index.number_of_shards', 1),
    replicas: numeric('index.number_of_replicas', 0),
    segmentReplication: settings['index.replication.type'] === 'SEGMENT',
    aliases: body.aliases,
    mappings: body.mappings,
    settings,
  };
};

export const AliasesAnswer = z.record(z.string(), z.object({ aliases: z.record(z.string(), AliasBody) }));

const Task = z.object({
  action: z.string(),
  description: z.string().default(''),
  parent_task_id: z.string().optional(),
});
export const TasksAnswer = z.object({
  nodes: z.record(z.string(), z.object({ tasks: z.record(z.string(), Task) })).default({}),
  node_failures: z.array(z.unknown()).optional(),
  task_failures: z.array(z.unknown()).optional(),
});
export type WriteTask = {
  id: string;
  action: string;
  description: string;
  parent: string | undefined;
};

export const writeTasksOf = (answer: z.infer<typeof TasksAnswer>): WriteTask[] =>
  Object.values(answer.nodes).flatMap(({ tasks }) =>
    Object.entries(tasks).map(([id, task]) => ({
      id,
      action: task.action,
      description: task.description,
      parent: task.parent_task_id,
    })),
  );

/**
 * The whole words of a task's description: the indices and aliases that it writes to are among them. A reindex names first
 * what it reads.
 */
export const wordsOfTask = ({ description }: WriteTask): Set<string> =>
  new Set(description.replace(/^reindex from .* to \[/s, '').split(/[\s,[\]()]+/));

export const namesTask = (task: WriteTask, names: readonly string[]): boolean => {
  const words = wordsOfTask(task);
  return names.some((name) => words.has(name));
};

export const InfoAnswer = z.object({
  cluster_name: z.string(),
  cluster_uuid: z.string(),
  version: z.object({ number: z.string(), distribution: z.string().optional() }),
});
export type ClusterInfo = {
  name: string;
  uuid: string;
  distribution: 'opensearch' | 'elasticsearch';
  version: string;
  major: number;
  minor: number;
};
export const clusterInfoOf = (answer: z.infer<typeof InfoAnswer>): ClusterInfo => {
  const [major = 0, minor = 0] = answer.version.number.split('.').map(Number);
  return {
    name: answer.cluster_name,
    uuid: answer.cluster_uuid,
    distribution: answer.version.distribution === 'opensearch' ? 'opensearch' : 'elasticsearch',
    version: answer.version.number,
    major,
    minor,
  };
};

export const CountAnswer = z.object({
  count: z.int(),
  _shards: z.object({ total: z.int(), successful: z.int(), failed: z.int() }),
});
export const RefreshAnswer = z.object({ _shards: z.object({ failed: z.int(), successful: z.int() }) });
export const AcknowledgedAnswer = z.object({ acknowledged: z.boolean(), shards_acknowledged: z.boolean().optional() });

/** This user may not ask it. */
export const isDenied = (status: number): boolean => status === 401 || status === 403;

export type IndexHealth = 'green' | 'yellow' | 'red' | 'denied' | 'unreachable';
/** Each shard has its primary. */
export const isWhole = (health: string | undefined): health is 'green' | 'yellow' =>
  health === 'green' || health === 'yellow';
