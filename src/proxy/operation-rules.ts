/**
 * What each operation group of the REST surface means to a migration: its family, whether it changes something, where its
 * index names stand, and whether a plan needs the body. Written by hand, keyed by the groups of the specification; a group
 * that has no row of its own takes the row of its namespace. A test holds every generated group to one of the two.
 * HTTP methods alone decide nothing here: GET `/_refresh` acts, POST `/_search` reads.
 */
import type { Access, Family, NamesIn } from './types.ts';

/** `by_method`: GET and HEAD read, every other method administers. */
export type OperationRule = {
  readonly family: Family;
  readonly access: Access | 'by_method';
  readonly namesIn: NamesIn;
  readonly needsBody: boolean;
};

type Row = readonly [
  family: Family,
  access: OperationRule['access'],
  namesIn: NamesIn,
  body: 'body' | '',
  groups: string,
];

const groupRows: readonly Row[] = [
  ['index', 'write', 'path', 'body', 'index'],
  ['create', 'write', 'path', 'body', 'create'],
  ['update', 'write', 'path', 'body', 'update'],
  ['delete', 'write', 'path', '', 'delete'],
  ['bulk', 'write', 'both', 'body', 'bulk'],
  ['bulk_stream', 'write', 'both', '', 'bulk_stream'],
  ['update_by_query', 'write', 'path', 'body', 'update_by_query'],
  ['delete_by_query', 'write', 'path', 'body', 'delete_by_query'],
  ['reindex', 'write', 'body', 'body', 'reindex'],
  ['rethrottle', 'admin', 'none', '', 'reindex_rethrottle update_by_query_rethrottle delete_by_query_rethrottle'],

  ['get', 'read', 'path', '', 'get exists get_source exists_source'],
  ['mget', 'read', 'both', 'body', 'mget'],
  ['search', 'read', 'path', 'body', 'search'],
  ['search', 'read', 'none', 'body', 'view.search'],
  ['msearch', 'read', 'both', 'body', 'msearch'],
  ['template_search', 'read', 'path', 'body', 'search_template'],
  ['msearch_template', 'read', 'both', 'body', 'msearch_template'],
  ['count', 'read', 'path', 'body', 'count'],
  ['explain', 'read', 'path', 'body', 'explain'],
  ['field_caps', 'read', 'path', 'body', 'field_caps'],
  ['validate', 'read', 'path', 'body', 'indices.validate_query'],
  ['termvectors', 'read', 'path', 'body', 'termvectors'],
  ['mtermvectors', 'read', 'both', 'body', 'mtermvectors'],
  ['rank_eval', 'read', 'both', 'body', 'rank_eval'],
  ['search_shards', 'read', 'path', 'body', 'search_shards'],
  ['analyze', 'read', 'path', '', 'indices.analyze'],

  ['scroll', 'read', 'none', 'body', 'scroll'],
  ['clear_scroll', 'admin', 'none', 'body', 'clear_scroll'],
  ['pit_create', 'read', 'path', '', 'create_pit'],
  ['pit_delete', 'admin', 'none', 'body', 'delete_pit delete_all_pits'],
  ['pit_list', 'read', 'none', '', 'get_all_pits'],
  ['sql', 'read', 'body', 'body', 'sql.query sql.explain'],
  ['sql_close', 'admin', 'none', 'body', 'sql.close'],
  ['ppl', 'read', 'body', 'body', 'ppl.query ppl.explain'],
  ['async_search', 'read', 'query', 'body', 'asynchronous_search.search'],
  ['async_search_get', 'read', 'none', '', 'asynchronous_search.get'],
  ['async_search_delete', 'admin', 'none', '', 'asynchronous_search.delete'],
  ['task', 'by_method', 'none', '', 'tasks.list tasks.get tasks.cancel'],
  [
    'simulate',
    'read',
    'none',
    '',
    'ingest.simulate render_search_template scripts_painless_execute indices.simulate_template indices.simulate_index_template',
  ],

  ['refresh', 'admin', 'path', '', 'indices.refresh'],
  ['flush', 'admin', 'path', '', 'indices.flush indices.flush_synced'],
  [
    'index_maintenance',
    'admin',
    'path',
    '',
    'indices.forcemerge indices.clear_cache indices.upgrade ism.refresh_search_analyzers refresh_search_analyzers.superseded knn.warmup',
  ],
  [
    'index_admin',
    'admin',
    'both',
    'body',
    'indices.create indices.clone indices.shrink indices.split indices.rollover',
  ],
  ['index_admin', 'admin', 'body', 'body', 'indices.modify_data_stream'],
  [
    'index_admin',
    'admin',
    'path',
    '',
    'indices.delete indices.open indices.close indices.add_block indices.put_mapping indices.put_settings indices.scale indices.tier indices.create_data_stream indices.delete_data_stream ingestion.pause ingestion.resume ism.add_policy ism.remove_policy ism.change_policy ism.retry_index replication.start replication.stop replication.pause replication.resume replication.update_settings',
  ],
  [
    'index_info',
    'read',
    'path',
    '',
    'indices.get indices.exists indices.exists_type indices.get_mapping indices.get_field_mapping indices.get_settings indices.get_tier indices.get_upgrade indices.get_data_stream indices.data_streams_stats indices.recovery indices.resolve_index indices.segments indices.shard_stores indices.stats ingestion.get_state ism.explain_policy replication.status remote_store.metadata remote_store.stats',
  ],
  ['alias_admin', 'admin', 'both', 'body', 'indices.update_aliases indices.put_alias'],
  ['alias_admin', 'admin', 'path', '', 'indices.delete_alias'],
  ['alias_info', 'read', 'path', '', 'indices.get_alias indices.exists_alias'],
  [
    'template_admin',
    'by_method',
    'none',
    '',
    'indices.get_template indices.put_template indices.delete_template indices.exists_template indices.get_index_template indices.put_index_template indices.delete_index_template indices.exists_index_template cluster.get_component_template cluster.put_component_template cluster.delete_component_template cluster.exists_component_template',
  ],
  ['pipeline_admin', 'by_method', 'none', '', 'ingest.get_pipeline ingest.put_pipeline ingest.delete_pipeline'],
  ['script_admin', 'by_method', 'none', '', 'get_script put_script delete_script'],

  ['info', 'read', 'none', '', 'info ping get_script_context get_script_languages ingest.processor_grok'],
  ['nodes_http', 'read', 'none', '', 'nodes.info'],
];

/** Defaults by namespace, the part of a group before the first dot. */
const namespaceRows: readonly Row[] = [
  ['cat', 'read', 'path', '', 'cat list'],
  ['cluster', 'by_method', 'path', '', 'cluster dangling_indices remote_store wlm rules insights view'],
  ['nodes', 'by_method', 'none', '', 'nodes'],
  ['snapshot', 'by_method', 'none', '', 'snapshot'],
  ['security', 'by_method', 'none', '', 'security'],
  ['pipeline_admin', 'by_method', 'none', '', 'search_pipeline'],
  [
    'plugin',
    'by_method',
    'none',
    '',
    'alerting anomaly_detection asynchronous_search flow_framework geospatial ism knn ltr ml neural notifications observability performanceanalyzer ppl query replication reports rollup rollups search_relevance security_analytics sm sql transforms ubi',
  ],
];

const toMap = (rows: readonly Row[]): ReadonlyMap<string, OperationRule> =>
  new Map(
    rows.flatMap(([family, access, namesIn, body, groups]) =>
      groups.split(' ').map((group) => [group, { family, access, namesIn, needsBody: body === 'body' }] as const),
    ),
  );

export const groupRules = toMap(groupRows);
export const namespaceRules = toMap(namespaceRows);

/** @returns undefined for a group that nobody has thought about yet */
export const ruleOf = (group: string): OperationRule | undefined =>
  groupRules.get(group) ?? namespaceRules.get(group.split('.')[0] as string);
