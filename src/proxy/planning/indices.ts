/**
 * Plans what concerns indices and clusters rather than documents. The cluster as a whole is answered by one side; an index
 * is asked about where it is current; changing an index of a route follows the route's adminPolicy.
 */

import { effectivePercents } from '../../coordination/effective.ts';
import type { RouteState } from '../../coordination/ports.ts';
import type { CrossfadeError } from '../../errors.ts';
import { isRepeatable } from './unchanged.ts';
import { decodeComponent } from '../percent-encoding.ts';
import type { Operation, Plan, Resolution, RouteTable } from '../types.ts';
import {
  authorityOf,
  type Context,
  clusterSide,
  expressionOf,
  isAllOnSource,
  pass,
  pinnedOr,
  planMixed,
  reject,
  resolveIndices,
  slugsOf,
  statesOf,
  unrouted,
} from './context.ts';

/** Health, nodes, security, templates, pipelines and the like: never mirrored, never split. */
export const planCluster = (context: Context): Plan => {
  const { operation, table } = context;
  if (operation.params.index !== undefined && operation.namesIn !== 'none') return planClusterIndex(context);
  if (operation.group === 'cat.aliases') return planIndexInfo(context);
  const plan = pass(clusterSide(table), 'cluster');
  return operation.family === 'nodes_http' ? { ...plan, rewriteNodes: true } : plan;
};

/** `/_cat/indices/x`, `/_cluster/health/x`: the index says whose cluster is meant. */
const planClusterIndex = (context: Context): Plan => {
  const resolution = resolveIndices(context);
  return isAllOnSource(statesOf(resolution)) && resolution.kind !== 'none'
    ? pass('source', 'pinned')
    : planIndexInfo(context);
};

export const planIndexInfo = (context: Context): Plan => {
  const { operation, table, now } = context;
  const isNamed = expressionOf(operation) !== '';
  const expression =
    isNamed || !namesInName.has(operation.group) ? expressionOf(operation) : (operation.params.name ?? '');
  if (expression === '') return pass(clusterSide(table), 'cluster');
  const resolution = table.resolve(expression, now);
  if (resolution.kind === 'none') return unrouted;
  if (resolution.kind === 'mixed')
    return isNamed ? planMixed(context, resolution) : pass(clusterSide(table), 'cluster');
  const { state, indices } = resolution;
  const old = aboutAliases.has(operation.group) && hasOldAliases(state, expression);
  if (old && operation.group !== 'indices.get_alias') return pass('source', 'pinned');
  if (operation.indexSegment >= 0)
    return { kind: 'index_info', operation, state, indices, ...(old ? { side: 'source' } : {}) };
  if (old) return pass('source', 'pinned');
  return isNamed ? pinnedOr([state], 'the index must stand in the path') : pass(authorityOf(state), 'pinned');
};

const aboutAliases: ReadonlySet<string> = new Set([
  'indices.get_alias',
  'indices.exists_alias',
  'indices.resolve_index',
  'cat.aliases',
]);

/**
 * The application's aliases stand on the source until the operator makes them on the target, after `final`: an application
 * that looks for its alias when it starts must find it after a cutover, too. Where the route lets aliases be changed, they
 * are changed at the authority.
 */
const hasOldAliases = ({ phase, spec }: RouteState, expression: string): boolean => {
  const known = new Set([...spec.indices.map(({ source }) => source), ...spec.aliases.map(({ name }) => name)]);
  return (
    phase.phase === 'target' && spec.adminPolicy === 'refuse' && expression.split(',').every((name) => known.has(name))
  );
};

/** APIs that may name what they ask about in `{name}` instead of `{index}`. */
const namesInName: ReadonlySet<string> = new Set([
  'indices.get_alias',
  'indices.exists_alias',
  'indices.get_data_stream',
  'indices.data_streams_stats',
  'indices.resolve_index',
  'cat.aliases',
]);

export const planRefresh = (context: Context): Plan => {
  const { operation } = context;
  const resolution = resolveIndices(context);
  if (resolution.kind === 'none') return unrouted;
  if (resolution.kind === 'mixed' || operation.indexSegment < 0)
    return planWideRefresh(operation, statesOf(resolution));
  return { kind: 'refresh', operation, state: resolution.state, indices: resolution.indices };
};

/** Everything without a route is on the source; of the routes, what may be read on the target is refreshed there too. */
const planWideRefresh = (operation: Operation, states: readonly RouteState[]): Plan => {
  const plan = pass('source', 'pinned');
  if (operation.family === 'flush') return plan;
  const refreshAlso = states.filter((state) => authorityOf(state) === 'target' || effectivePercents(state).read > 0);
  return refreshAlso.length === 0 ? plan : { ...plan, refreshAlso };
};

/** Force-merge, cache clearing and the like change no content: for a route they go to the authority, else to the source. */
export const planMaintenance = (context: Context): Plan => {
  const { operation } = context;
  const resolution = resolveIndices(context);
  if (resolution.kind === 'none') return unrouted;
  if (resolution.kind === 'mixed' || operation.indexSegment < 0) return pass('source', 'pinned');
  return { kind: 'index_info', operation, state: resolution.state, indices: resolution.indices };
};

/** Parameters that name an index or alias which the operation changes; without one it changes all indices. */
const changedNames = ({ group, params }: Operation): readonly string[] => {
  switch (group) {
    case 'indices.update_aliases':
    case 'indices.modify_data_stream':
      return [];
    case 'indices.put_alias':
      return [params.index, params.name].filter((name) => name !== undefined);
    case 'indices.create_data_stream':
    case 'indices.delete_data_stream':
      return [params.name ?? ''];
    default:
      return [params.index ?? params.alias ?? '', params.target, params.new_index].filter((name) => name !== undefined);
  }
};

/** Changes of an index or of aliases. Names may stand in the path, and for some also in the body. */
export const planIndexAdmin = (context: Context): Plan => {
  const { operation, table, now } = context;
  if (table.states.length === 0) return unrouted;
  const resolutions = changedNames(operation).map((name) => table.resolve(name, now));
  const states = [...new Set(resolutions.flatMap(statesOf))];
  if (states.length === 0) return operation.needsBody ? { kind: 'by_body', operation } : unrouted;
  const repeated = planRecreation(operation, resolutions) ?? planRepetition(operation, resolutions);
  return repeated ?? refuseAdmin(states) ?? planAllowedAdmin(operation, resolutions);
};

/**
 * Applications create their index when they start and live with being told that it is there. An index of a route is there
 * on its authority, so this changes nothing, and the cluster's own answer is the one they wait for.
 */
const planRecreation = (operation: Operation, resolutions: readonly Resolution[]): Plan | undefined => {
  const [resolution] = resolutions;
  if (operation.group !== 'indices.create' || operation.indexSegment < 0) return undefined;
  if (resolution?.kind !== 'route' || resolution.indices.length !== 1) return undefined;
  return { kind: 'admin', operation, state: resolution.state, indices: resolution.indices };
};

/** They also put their mapping, settings and alias again; whether that is the same is seen when the body is there. */
const planRepetition = (operation: Operation, [first, ...others]: readonly Resolution[]): Plan | undefined => {
  if (!isRepeatable(operation.group) || operation.indexSegment < 0 || first?.kind !== 'route') return undefined;
  const { state, indices } = first;
  const refused = others.flatMap(statesOf).every((other) => other === state) ? refuseAdmin([state]) : undefined;
  if (refused?.kind !== 'reject') return undefined;
  const plan: Plan = { kind: 'admin', operation, state, indices, refusal: refused.error };
  const onSource = operation.family === 'alias_admin' && hasOldAliases(state, expressionOf(operation));
  return onSource ? { ...plan, side: 'source' } : plan;
};

/**
 * The same for `POST /_aliases`. `expressions` are what the actions name: only the source's own names can be looked up one
 * by one, so with any other the refusal stands.
 */
export const planAliasRepetition = (
  operation: Operation,
  state: RouteState,
  { table, expressions, error }: { table: RouteTable; expressions: readonly string[]; error: CrossfadeError },
): Plan | undefined => {
  const names = new Set(expressions.flatMap((expression) => expression.split(',')));
  const sources = new Set(state.spec.indices.map(({ source }) => source));
  if (names.size === 0 || [...names].some((name) => !sources.has(name))) return undefined;
  const indices = [...names].flatMap((name) => table.lookup(name) ?? []);
  const plan: Plan = { kind: 'admin', operation, state, indices, refusal: error };
  return hasOldAliases(state, [...names].join(',')) ? { ...plan, side: 'source' } : plan;
};

/** @returns undefined when every touched route allows index administration */
export const refuseAdmin = (states: readonly RouteState[]): Plan | undefined => {
  const refusing = states.filter((state) => state.spec.adminPolicy === 'refuse');
  if (refusing.length === 0) return undefined;
  return reject(
    'ADMIN_REFUSED',
    `index administration is refused while the route is not off: ${slugsOf(refusing)} (adminPolicy refuse)`,
  );
};

/** Carried out when the path names indices of one route and nothing else. */
const planAllowedAdmin = (operation: Operation, resolutions: readonly Resolution[]): Plan => {
  const [first, ...others] = resolutions;
  const isWithin = first?.kind === 'route' && others.flatMap(statesOf).every((state) => state === first.state);
  if (isWithin && operation.indexSegment >= 0)
    return { kind: 'admin', operation, state: first.state, indices: first.indices };
  const slugs = slugsOf([...new Set(resolutions.flatMap(statesOf))]);
  return reject('MIXED_ROUTES', `the path must name the indices of one route and no others (${slugs} touched)`);
};

/** An API nobody told us about: to the authority of the index it seems to name, else to the one side of the cluster. */
export const planUnclassified = ({ head, table, now }: Context): Plan => {
  const first = head.path.split('/')[1] ?? '';
  if (first === '' || first.startsWith('_')) return pass(clusterSide(table), 'unclassified');
  const resolution = table.resolve(decodeComponent(first) ?? first, now);
  const [state] = statesOf(resolution);
  if (state === undefined) return pass('source', 'unclassified');
  return pass(resolution.kind === 'route' ? authorityOf(state) : clusterSide(table), 'unclassified');
};
