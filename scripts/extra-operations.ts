/**
 * Routes that servers register and that neither specification lists, as seen in the route tables of an OpenSearch 3.8.0
 * and an Elasticsearch 7.10.2 server. Some matter a lot: `DELETE /?index=x` deletes an index.
 */
import type { Fact } from './operation-table.ts';

const rows: readonly (readonly [methods: string, path: string, group: string])[] = [
  ['GET POST', '/views', 'view.admin'],
  ['GET PUT DELETE', '/views/{view}', 'view.admin'],
  ['GET POST', '/views/{view}/_search', 'view.search'],
  ['DELETE', '/', 'indices.delete'],
  ['POST', '/_close', 'indices.close'],
  ['POST', '/_open', 'indices.open'],
  ['GET', '/_aliases', 'indices.get_alias'],
  ['HEAD', '/{index}/_alias', 'indices.exists_alias'],
  ['GET', '/_mappings', 'indices.get_mapping'],
  ['GET', '/{index}/_mappings', 'indices.get_mapping'],
  ['GET', '/{index}/_mappings/{type}', 'indices.get_mapping'],
  ['GET', '/{index}/{type}/_mapping', 'indices.get_mapping'],
  ['GET', '/{index}/{type}/_mapping/field/{fields}', 'indices.get_field_mapping'],
  ['GET', '/{index}/_setting/{name}', 'indices.get_settings'],
  ['POST', '/{index}/_scale', 'indices.scale'],
  ['GET', '/{index}/_tier', 'indices.get_tier'],
  ['POST', '/{index}/_tier/warm', 'indices.tier'],
  ['POST', '/{index}/_tier/hot', 'indices.tier'],
  ['POST', '/_tier/_cancel/{index}', 'indices.tier'],
  ['GET', '/_tier/all', 'cluster.tier'],
  ['POST', '/_data_stream/_modify', 'indices.modify_data_stream'],
  ['POST', '/_cluster/voting_config_exclusions/{node_name}', 'cluster.post_voting_config_exclusions'],
  ['DELETE', '/_cluster/routing/awareness/{attribute}/weights', 'cluster.delete_weighted_routing'],
  ['GET', '/_nodes/{node_id}/info/{metric}', 'nodes.info'],
  ['POST', '/_blockcache/prune', 'nodes.prune_cache'],
  ['POST', '/_filecache/prune', 'nodes.prune_cache'],
  ['GET', '/_remotestore/metadata/{index}', 'remote_store.metadata'],
  ['GET', '/_remotestore/metadata/{index}/{shard_id}', 'remote_store.metadata'],
  ['GET', '/_remotestore/stats/{index}', 'remote_store.stats'],
  ['GET', '/_remotestore/stats/{index}/{shard_id}', 'remote_store.stats'],
  ['GET PUT', '/_rules/{feature_type}', 'rules.rule'],
  ['GET PUT DELETE', '/_rules/{feature_type}/{id}', 'rules.rule'],
  ['GET', '/_scripts/painless/_context', 'get_script_context'],
  ['GET', '/_snapshot/{repository}/{snapshot}/{index}/_status', 'snapshot.status'],
  ['GET', '/_list/wlm_stats', 'list.wlm_stats'],
  ['GET', '/_list/wlm_stats/{node_id}/stats', 'list.wlm_stats'],
  ['GET', '/_list/wlm_stats/stats/{group_id}', 'list.wlm_stats'],
  ['GET', '/_list/wlm_stats/{node_id}/stats/{group_id}', 'list.wlm_stats'],
  ['GET', '/_wlm/stats', 'wlm.stats'],
  ['GET', '/_wlm/stats/{group_id}', 'wlm.stats'],
  ['GET', '/_wlm/{node_id}/stats', 'wlm.stats'],
  ['GET', '/_wlm/{node_id}/stats/{group_id}', 'wlm.stats'],
];

export const extraFacts: readonly Fact[] = rows.flatMap(([methods, path, group]) =>
  methods.split(' ').map((method) => ({ method, path, group })),
);
