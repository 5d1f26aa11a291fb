/**
 * What all planners share: the request with its table, the words for passing and refusing, and the two questions that
 * keep coming back: which side holds the authority of these routes, and is it safe to let the bytes pass there.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { CrossfadeError, type ErrorCode } from '../../errors.ts';
import { isDateMath } from '../date-math.ts';
import { isPlainName } from '../index-expression.ts';
import type { ParsedQuery } from '../query.ts';
import type { Family, Operation, Plan, RequestHead, Resolution, RouteTable, SaidAnew } from '../types.ts';
import { hasSameNames, sayAnew } from './say-anew.ts';

export type PlanInput = {
  readonly operation: Operation;
  readonly head: RequestHead;
  readonly table: RouteTable;
  /** Date math is resolved against it, once for both sides. */
  readonly now: Date;
  /** Source and target are one cluster. */
  readonly sameCluster?: boolean;
};
/** `operation` is refined by the query already. */
export type Context = PlanInput & { readonly query: ParsedQuery };

type PassPlan = Extract<Plan, { kind: 'pass' }>;
export const pass = (side: Side, reason: PassPlan['reason']): PassPlan => ({ kind: 'pass', side, reason });
export const unrouted: Plan = pass('source', 'unrouted');
export const reject = (code: ErrorCode, message: string): Plan => ({
  kind: 'reject',
  error: new CrossfadeError(code, message),
});

export const authorityOf = (state: RouteState): Side => authorityIn(state.phase.phase);

/** The side that holds the authority of all these routes; undefined when they differ or there are none. */
export const commonAuthority = (states: readonly RouteState[]): Side | undefined => {
  const [first] = states;
  if (first === undefined) return undefined;
  const side = authorityOf(first);
  return states.every((state) => authorityOf(state) === side) ? side : undefined;
};

/** One side answers for the cluster as a whole: the authority's when all routes agree, else the source. */
export const clusterSide = (table: RouteTable): Side => commonAuthority(table.states) ?? 'source';

/** The index expression of the operation; empty when it has none, which mostly means all indices. */
export const expressionOf = ({ params }: Operation): string => params.index ?? params.alias ?? '';

const none: Resolution = { kind: 'none' };

export const resolveIndices = ({ operation, table, now }: Context): Resolution =>
  table.resolve(expressionOf(operation), now);

/** For APIs that take one literal index name: a list or a wildcard is no list there, but a name that cannot exist. */
export const resolveSingle = ({ operation, table, now }: Context): Resolution => {
  const name = expressionOf(operation);
  return isPlainName(name) || isDateMath(name) ? table.resolve(name, now) : none;
};

export const statesOf = (resolution: Resolution): readonly RouteState[] => {
  switch (resolution.kind) {
    case 'none':
      return [];
    case 'route':
      return [resolution.state];
    case 'mixed':
      return resolution.states;
    default:
      return resolution satisfies never;
  }
};

export const slugsOf = (states: readonly RouteState[]): string => states.map((state) => state.slug).join(', ');

const targetSlugs = (states: readonly RouteState[]): string =>
  slugsOf(states.filter((state) => authorityOf(state) === 'target'));

/** The source has every index with its last content while it holds the authority of all these routes. */
export const isAllOnSource = (states: readonly RouteState[]): boolean =>
  states.every((state) => authorityOf(state) === 'source');

/** Passes to the source while that is right for all these routes, else refuses with `reason`. */
export const pinnedOr = (states: readonly RouteState[], reason: string): Plan =>
  isAllOnSource(states)
    ? pass('source', 'pinned')
    : reject('UNSUPPORTED', `${reason} while the authority of ${targetSlugs(states)} is the target`);

type Mixed = Extract<Resolution, { kind: 'mixed' }>;

/**
 * A read over several routes, or over routed and other indices at once: right on the source while it has everything, right
 * on the target when every name is a routed index that has moved, and nowhere else.
 */
export const planMixed = (context: Context, resolution: Mixed): Plan => {
  const { states } = resolution;
  const expression = expressionOf(context.operation);
  const isSame = commonAuthority(states) === 'target' && hasSameNames(expression, context.table);
  const said = isSame ? undefined : saidAnew(context, resolution);
  if (said !== undefined)
    return { ...resolution, kind: 'mixed_read', operation: context.operation, side: said.side, said };
  if (isAllOnSource(states)) return mixedOn('source', context, resolution);
  if (isSame) return mixedOn('target', context, resolution);
  const others = resolution.unrouted ? ' and perhaps indices without a route' : '';
  const shown = expression === '' ? 'all indices' : `[${expression}]`;
  return reject(
    'MIXED_ROUTES',
    `${shown} addresses the routes ${slugsOf(states)}${others}, but ${targetSlugs(states)} moved to the target; name the indices of one route`,
  );
};

/** Reads that would count or show a document of authority and follower twice, and whose answers name indices in known places. */
const readingDocuments: ReadonlySet<Family> = new Set<Family>([
  'search',
  'template_search',
  'count',
  'field_caps',
  'validate',
  'rank_eval',
  'pit_create',
]);

const saidAnew = (context: Context, { states, unrouted: more }: Mixed): SaidAnew | undefined => {
  const { operation, table, now, sameCluster = false } = context;
  // Elsewhere than in the path the names cannot be put anew.
  if (!readingDocuments.has(operation.family)) return undefined;
  return sayAnew(expressionOf(operation), { table, now, states, sameCluster, unrouted: more });
};

/** The only answers over several indices that may hold a cursor or tokens. */
const showing: ReadonlySet<Family> = new Set<Family>(['search', 'template_search', 'pit_create']);

/** Those that show neither, but have a query of their own. */
const lookingUp: ReadonlySet<Family> = new Set<Family>(['count', 'validate', 'rank_eval', 'field_caps']);

/**
 * On the source in the first reign cursors and tokens are the cluster's own, and bytes pass, unless a body may look up what
 * has moved.
 */
const mixedOn = (side: Side, { operation, table }: Context, { states, unrouted: more }: Mixed): Plan => {
  const hasMoved = !isAllOnSource(table.states);
  const isFirst = side === 'source' && states.every(({ phase }) => phase.reign === 1);
  const shows = showing.has(operation.family) && (hasMoved || !isFirst);
  const looks = lookingUp.has(operation.family) && hasMoved;
  return !shows && !looks ? pass(side, 'pinned') : { kind: 'mixed_read', operation, side, states, unrouted: more };
};
