/**
 * Which rights the configured user lacks on one cluster, found by trying: for each right a request that needs it and can
 * change nothing, because it contradicts itself (an alias that is not there, a condition on a document that no document
 * meets) or says what is so already. Clusters look at rights first, so a 403 names what is missing and every other answer
 * means that nothing is. Invariant: no probe writes, creates or waits, whatever the user may do.
 */
import { fenceIndex } from '../../coordination/keys.ts';
import type { Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import type { PipelineKind } from './pipeline-kind.ts';
import type { ClusterControl } from '../cluster.ts';

export type MissingPrivilege = {
  privilege: string;
  /** Index name or pattern; undefined = a right on the cluster. */
  on: string | undefined;
  /** What is lost without it; undefined = the route cannot do without. */
  without: string | undefined;
};
export type Probe = {
  privilege: string;
  on?: string;
  without?: string;
  method: string;
  path: string;
  body?: unknown;
  /** The body is the action line of a bulk. */
  bulk?: true;
};

const id = 'crossfade-preflight';
/** Met by no document, so that the write is a conflict and takes no sequence number. */
const never = { if_seq_no: 0, if_primary_term: Number.MAX_SAFE_INTEGER };
const neverQuery = `if_seq_no=${never.if_seq_no}&if_primary_term=${never.if_primary_term}`;

const onCluster: readonly Probe[] = [
  { privilege: 'cluster:monitor/health', method: 'GET', path: '/_cluster/health' },
  { privilege: 'cluster:monitor/tasks/lists', method: 'GET', path: '/_tasks?actions=indices:data/write/*' },
  {
    privilege: 'cluster:monitor/task/get',
    without: 'by-query changes that run as tasks are mended by a sweep',
    method: 'GET',
    path: '/_tasks/AAAAAAAAAAAAAAAAAAAAAA:1',
  },
  {
    privilege: 'cluster:monitor/nodes/stats',
    without: 'nobody looks at the free disk',
    method: 'GET',
    path: '/_nodes/stats/fs?filter_path=_nodes',
  },
  { privilege: 'indices:admin/aliases/get', on: '*', method: 'GET', path: '/_alias/crossfade-*' },
];

const createProbe = (index: string): Probe => ({
  privilege: 'indices:admin/create',
  on: index,
  method: 'PUT',
  path: `/${encodeURIComponent(index)}`,
  body: { settings: { 'index.number_of_shards': 0 } },
});

const aliasProbe = (index: string): Probe => ({
  privilege: 'indices:admin/aliases',
  on: index,
  method: 'POST',
  path: '/_aliases',
  body: { actions: [{ remove: { index, alias: id } }] },
});

const settingsProbe = (index: string): Probe => ({
  privilege: 'indices:admin/settings/update',
  on: index,
  method: 'PUT',
  path: `/${encodeURIComponent(index)}/_settings`,
  // A number of shards is never changed.
  body: { 'index.number_of_shards': 1 },
});

type Row = readonly [privilege: string, method: string, path: string, body?: unknown];
const onIndex: readonly Row[] = [
  ['indices:admin/get', 'GET', ''],
  ['indices:monitor/stats', 'GET', '/_stats/docs'],
  ['indices:monitor/settings/get', 'GET', '/_settings/index.default_pipeline'],
  ['indices:admin/refresh', 'POST', '/_refresh'],
  ['indices:admin/mapping/put', 'PUT', '/_mapping', { properties: {} }],
  ['indices:data/read/search', 'POST', '/_search', { size: 0 }],
  ['indices:data/read/get', 'GET', `/_source/${id}`],
  ['indices:data/read/mget', 'POST', '/_mget', { ids: [id] }],
  ['indices:data/write/index', 'PUT', `/_doc/${id}?require_alias=true`, {}],
  ['indices:data/write/update', 'POST', `/_update/${id}?require_alias=true`, { doc: {} }],
  ['indices:data/write/delete', 'DELETE', `/_doc/${id}?${neverQuery}`],
];

const indexProbes = (index: string): Probe[] => [
  ...onIndex.map(([privilege, method, path, body]): Probe => {
    const whole = `/${encodeURIComponent(index)}${path}`;
    return { privilege, on: index, method, path: whole, ...(body === undefined ? {} : { body }) };
  }),
  aliasProbe(index),
  {
    privilege: 'indices:data/write/bulk',
    on: index,
    method: 'POST',
    path: `/${encodeURIComponent(index)}/_bulk`,
    body: { delete: { _id: id, ...never } },
    bulk: true,
  },
];

export type PipelineProbe = Probe & { id: string };
/** Asked for pipelines that indices name, so that nobody needs the right whose indices have none. */
export const pipelineProbe = (kind: PipelineKind, id: string, side: Side): PipelineProbe => ({
  id,
  privilege: `cluster:admin/${kind}/pipeline/get`,
  ...(side === 'source' ? { without: 'nobody compares its default pipeline with the one of the target' } : {}),
  method: 'GET',
  path: `/_${kind}/pipeline/${encodeURIComponent(id)}`,
});

/**
 * In groups that are asked one after the other. `indices`: without those that lack a primary, whose probes would wait for it
 * for a minute; such an index is refused by its health.
 */
export const probesFor = (
  spec: RouteSpec,
  side: Side,
  indices: readonly string[] = spec.indices.map((pair) => pair[side]),
): Probe[][] => {
  const extra = (index: string): Probe[] =>
    side === 'source' ? [settingsProbe(index)] : spec.createTarget ? [createProbe(index)] : [];
  return [
    [...onCluster, createProbe(fenceIndex), aliasProbe(fenceIndex)],
    ...indices.map((index) => [...indexProbes(index), ...extra(index)]),
  ];
};

/** Granted on the cluster, since such a request may name any index; what it does to each is asked for once more. */
const ofRequests: ReadonlySet<string> = new Set(['indices:data/read/mget', 'indices:data/write/bulk']);

const isBlock = (text: string): boolean => text.includes('cluster_block_exception');

/**
 * What an answer says is missing. Distributions word it differently; where the words are not known, it is what was asked
 * for. Items of a bulk or mget are refused inside an answer of status 200.
 */
export const missingIn = (probe: Probe, { status, body }: { status: number; body: unknown }): MissingPrivilege[] => {
  const text = JSON.stringify(body) ?? '';
  const named = /no permissions for \[(.+?)\] and/.exec(text)?.[1];
  const refused = status === 401 || (status === 403 && !isBlock(text)) || named !== undefined;
  if (!refused) return [];
  const { privilege, on, without } = probe;
  const isWide = (one: string): boolean => one.startsWith('cluster:') || ofRequests.has(one);
  return (named ?? privilege).split(', ').map((one) => ({ privilege: one, on: isWide(one) ? undefined : on, without }));
};

const ask = async (cluster: ClusterControl, { method, path, body, bulk }: Probe) => {
  if (bulk === undefined) return cluster.json(method, path, body);
  const answer = await cluster.bulk({ path, body: Buffer.from(`${JSON.stringify(body)}\n`), aliases: [] });
  return { status: answer.status, body: answer.body.toString('utf8') };
};

/** @throws what the transport throws */
export const findMissing = async (cluster: ClusterControl, groups: readonly Probe[][]): Promise<MissingPrivilege[]> => {
  const missing = new Map<string, MissingPrivilege>();
  for (const group of groups)
    for (const found of await Promise.all(group.map(async (probe) => missingIn(probe, await ask(cluster, probe)))))
      for (const one of found) missing.set(`${one.privilege} ${one.on}`, one);
  return [...missing.values()];
};

/**
 * Whether bulks must not name indices in their lines, by a setting of its nodes. The item that is tried is refused for lack of
 * an alias, so it changes nothing either.
 */
export const refusesExplicitIndex = async (cluster: ClusterControl, index: string): Promise<boolean> => {
  const lines = [{ update: { _index: index, _id: id } }, { doc: {} }].map((line) => `${JSON.stringify(line)}\n`);
  const path = '/_bulk?require_alias=true';
  const { status, body } = await cluster.bulk({ path, body: Buffer.from(lines.join('')), aliases: [] });
  return status === 400 && body.includes('explicit index in bulk is not allowed');
};
