/**
 * Decides what is to be done with one request, from its operation, its head and the routes, without looking at the body:
 * a value that execute.ts carries out. The families of one row are planned alike; the planners say why.
 * Invariants: traffic that touches no active route passes to the source untouched; a write that touches one is never
 * passed; a read never goes to a side that lacks a part of what it asks for.
 */
import { refineByQuery } from './classify.ts';
import { planBody } from './planning/body.ts';
import { type Context, type PlanInput, pass } from './planning/context.ts';
import {
  planCluster,
  planIndexAdmin,
  planIndexInfo,
  planMaintenance,
  planRefresh,
  planUnclassified,
} from './planning/indices.ts';
import {
  planAsyncSearch,
  planCursor,
  planDocumentRead,
  planMulti,
  planQueryText,
  planRead,
  planSearch,
} from './planning/reads.ts';
import { planBulk, planBulkStream, planByQuery, planReindex, planWrite } from './planning/writes.ts';
import { parseQuery } from './query.ts';
import type { Family, Plan } from './types.ts';

export type { BodyInput } from './planning/body.ts';
export type { PlanInput } from './planning/context.ts';
export { planBody };

export const plan = (input: PlanInput): Plan => {
  const query = parseQuery(input.head.query);
  // No cluster takes a query with a bad escape, so the source may as well be the one to say so.
  if (query.malformed) return pass('source', 'unclassified');
  const operation = refineByQuery(input.operation, input.head.query);
  const context: Context = { ...input, operation, query };
  const decided = planners[operation.family](context);
  return decided.kind === 'by_body' ? (planSourceParam(context) ?? decided) : decided;
};

/** For a `pit_search` whose body turned out to name no point in time: a search of all indices. */
export const planWithoutPit = (input: PlanInput): Plan => planRead({ ...input, query: parseQuery(input.head.query) });

/** The body may stand in the query, as `?source=`, where there is none. */
const planSourceParam = (context: Context): Plan | undefined => {
  const source = context.query.params.get('source');
  return source === undefined ? undefined : planBody({ ...context, body: Buffer.from(source) });
};

const planTask = (context: Context): Plan =>
  context.operation.params.task_id === undefined ? planCluster(context) : planCursor(context);

const planners: Readonly<Record<Family, (context: Context) => Plan>> = {
  index: planWrite,
  create: planWrite,
  update: planWrite,
  delete: planWrite,
  bulk: planBulk,
  bulk_stream: planBulkStream,
  update_by_query: planByQuery,
  delete_by_query: planByQuery,
  reindex: planReindex,

  get: planDocumentRead,
  explain: planDocumentRead,
  termvectors: planDocumentRead,
  search: planSearch,
  template_search: planRead,
  count: planRead,
  field_caps: planRead,
  validate: planRead,
  rank_eval: planRead,
  pit_create: planRead,
  mget: planMulti,
  msearch: planMulti,
  msearch_template: planMulti,
  mtermvectors: planMulti,
  async_search: planAsyncSearch,
  sql: planQueryText,
  ppl: planQueryText,

  scroll: planCursor,
  clear_scroll: planCursor,
  pit_delete: planCursor,
  sql_close: planCursor,
  async_search_get: planCursor,
  async_search_delete: planCursor,
  rethrottle: planCursor,
  task: planTask,

  search_shards: planIndexInfo,
  analyze: planIndexInfo,
  index_info: planIndexInfo,
  alias_info: planIndexInfo,
  refresh: planRefresh,
  flush: planRefresh,
  index_maintenance: planMaintenance,
  index_admin: planIndexAdmin,
  alias_admin: planIndexAdmin,

  pit_list: planCluster,
  simulate: planCluster,
  template_admin: planCluster,
  pipeline_admin: planCluster,
  script_admin: planCluster,
  cluster: planCluster,
  cat: planCluster,
  nodes: planCluster,
  nodes_http: planCluster,
  snapshot: planCluster,
  security: planCluster,
  plugin: planCluster,
  info: planCluster,

  unclassified: planUnclassified,
};
