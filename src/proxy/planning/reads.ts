/**
 * Plans reads of documents. A read of one route may go to either side; what spans routes goes where all its indices are
 * current; what cannot be told before the body is read says so in the plan.
 */
import { aliasRouting } from '../read/side-names.ts';
import type { Plan, Resolution } from '../types.ts';
import {
  authorityOf,
  type Context,
  expressionOf,
  isAllOnSource,
  pass,
  pinnedOr,
  planMixed,
  reject,
  resolveIndices,
  resolveSingle,
  unrouted,
} from './context.ts';
import { mentionsRoute } from './mentions.ts';

export const planRead = (context: Context): Plan => planResolved(context, resolveIndices(context));

/** Reads of one document: a name that leads to several indices is an error of the cluster, not a list. */
export const planDocumentRead = (context: Context): Plan => {
  const resolution = resolveSingle(context);
  if (resolution.kind === 'route' && resolution.indices.length > 1)
    return pinnedOr([resolution.state], 'an alias of several indices cannot be read by id');
  return planResolved(context, resolution);
};

const planResolved = (context: Context, resolution: Resolution): Plan => {
  switch (resolution.kind) {
    case 'none':
      return unrouted;
    case 'mixed':
      return planMixed(context, resolution);
    case 'route':
      return planRouteRead(context, resolution);
    default:
      return resolution satisfies never;
  }
};

const planRouteRead = ({ operation }: Context, { state, indices }: Extract<Resolution, { kind: 'route' }>): Plan => {
  if (operation.indexSegment < 0) return pinnedOr([state], 'the index must stand in the path, not in the query,');
  if (authorityOf(state) === 'target' && aliasRouting(indices).kind === 'mixed')
    return reject('UNSUPPORTED', 'aliases with different routing cannot be searched together on the target');
  return { kind: 'read', operation, state, indices };
};

/** A search without an index may be one of a point in time, which names its own side. */
export const planSearch = (context: Context): Plan => {
  const { operation, table, query } = context;
  if (operation.group === 'view.search')
    return table.states.length === 0 ? unrouted : pinnedOr(table.states, 'a view cannot be searched');
  if (expressionOf(operation) !== '' || table.states.length === 0) return planRead(context);
  const source = query.params.get('source');
  if (source === undefined) return { kind: 'pit_search', operation };
  return namesPit(source)
    ? reject('UNSUPPORTED', 'a point in time must stand in the body, not in the source parameter')
    : planRead(context);
};

const namesPit = (source: string): boolean => {
  try {
    return Object.hasOwn(Object(JSON.parse(source)), 'pit');
  } catch {
    return source.includes('pit') || source.includes('\\u');
  }
};

/** msearch, mget, mtermvectors: any item may name any index, so the body decides as soon as there is a route. */
export const planMulti = (context: Context): Plan => {
  const { operation, table, now, query } = context;
  if (table.states.length === 0) return unrouted;
  const expression = expressionOf(operation);
  if (query.params.has('source')) return planMultiInQuery(context);
  if (operation.indexSegment < 0 && expression !== '' && table.resolve(expression, now).kind !== 'none')
    return pinnedOr(table.states, 'the index must stand in the path, not in the query,');
  return { kind: 'multi_read', operation, defaultIndex: expression === '' ? undefined : expression };
};

const planMultiInQuery = ({ operation, table, now, query }: Context): Plan => {
  const expression = expressionOf(operation);
  const isElsewhere = expression !== '' && table.resolve(expression, now).kind === 'none';
  if (isElsewhere && !mentionsRoute(query.params.get('source') ?? '', table.states)) return unrouted;
  return pinnedOr(table.states, 'items must stand in the body, not in the source parameter,');
};

/** The index is a query parameter, and the answer an id of one cluster. */
export const planAsyncSearch = (context: Context): Plan => {
  const resolution = resolveIndices(context);
  if (resolution.kind === 'none') return unrouted;
  const states = resolution.kind === 'route' ? [resolution.state] : resolution.states;
  return pinnedOr(states, 'asynchronous search of a routed index is not possible');
};

/** SQL and PPL name their indices in a text. What only reads may read on the source while nothing has moved. */
export const planQueryText = ({ operation, table, sameCluster }: Context): Plan => {
  if (table.states.length === 0) return unrouted;
  const onlyReads = operation.family === 'ppl';
  return onlyReads && sameCluster !== true && isAllOnSource(table.states)
    ? pass('source', 'pinned')
    : { kind: 'by_body', operation };
};

/** Ids of scrolls, points in time, asynchronous searches and tasks carry their side. */
export const planCursor = ({ operation, table, query }: Context): Plan => {
  if (table.states.length === 0) return unrouted;
  return query.params.has('source')
    ? reject('UNSUPPORTED', 'an id must stand in the path or in the body, not in the source parameter')
    : { kind: 'cursor', operation };
};
