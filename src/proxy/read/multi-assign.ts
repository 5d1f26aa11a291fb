/**
 * Gives each item of a multi request its side, and joins the items that travel together. Items without a route belong to
 * the source; items of a route to its authority, or to its follower when the route's percentage chose it and nothing in
 * the item pins it. An item that cannot be answered rightly anywhere gets an error in its own place.
 * Invariant: every item is in exactly one group or has an error, and keeps its position.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { sayAnew } from '../planning/say-anew.ts';
import type { RoutedIndex, RouteTable, SaidAnew } from '../types.ts';
import { type BodyFacts, inspectBody, noBodyFacts } from './body-names.ts';
import type { PinReason } from './choose-side.ts';
import { type Cursor, type CursorOrigin, type Mac, unwrapCursor } from './cursor-token.ts';
import type { MultiBody, MultiItem } from './multi-body.ts';
import type { Asked } from './missing-followers.ts';
import { bodyTrouble, pitTrouble } from './body-words.ts';
import { bodyPin, namesNodes } from './request-pins.ts';
import { originOfAll } from './reigns.ts';
import { aliasRouting } from './side-names.ts';

export type Assigned = {
  readonly position: number;
  readonly item: MultiItem;
  readonly facts: BodyFacts;
  /** Undefined for items without a route, and for points in time. */
  readonly route: { readonly state: RouteState; readonly indices: readonly RoutedIndex[] } | undefined;
  readonly cursor: Cursor | undefined;
  /** Without a route, because it is over several: where its hits come from, if that matters to their tokens. */
  readonly origin?: CursorOrigin;
  /** A wildcard that must not reach the followers of one cluster, or names of several routes that have moved. */
  readonly said?: SaidAnew;
  /** The same, once it is known which of them are there. */
  readonly asked?: Asked;
  /** Of an item over several. */
  readonly states?: readonly RouteState[];
};
export type Group = {
  readonly side: Side;
  /** Set when the side is this route's follower: the authority stands behind it. */
  readonly followerOf: RouteState | undefined;
  readonly items: readonly Assigned[];
};
export type Failed = { readonly position: number; readonly item: MultiItem; readonly error: CrossfadeError };
export type Assignment = { readonly groups: readonly Group[]; readonly failed: readonly Failed[] };

export type AssignContext = {
  readonly table: RouteTable;
  readonly now: Date;
  readonly defaultIndex: string | undefined;
  readonly mac: Mac;
  /** The side the route's percentage chose for this request. */
  readonly chosen: (state: RouteState) => Side;
  readonly isPending: (index: RoutedIndex, item: MultiItem) => boolean;
  /** A search would not find on the follower what was written before the last refresh. */
  readonly notRefreshed: (indices: readonly RoutedIndex[]) => boolean;
  readonly sameCluster: boolean;
};

type Place = { side: Side; followerOf: RouteState | undefined } | CrossfadeError;

export const assignItems = (body: MultiBody, context: AssignContext): Assignment => {
  const groups = new Map<string, { side: Side; followerOf: RouteState | undefined; items: Assigned[] }>();
  const failed: Failed[] = [];
  for (const [position, item] of body.items.entries()) {
    const assigned = { position, item, ...describe(body, item, context) };
    const place = assigned.trouble ?? placeOf(assigned, context);
    if (place instanceof CrossfadeError) {
      failed.push({ position, item, error: place });
      continue;
    }
    const key = `${place.side} ${place.followerOf?.slug ?? ''}`;
    const group = groups.get(key) ?? { ...place, items: [] };
    group.items.push(assigned);
    groups.set(key, group);
  }
  return { groups: [...groups.values()], failed };
};

type Described = Pick<Assigned, 'facts' | 'route' | 'cursor' | 'origin' | 'said' | 'states'> & {
  readonly trouble: CrossfadeError | undefined;
  readonly opaque: boolean;
};

const describe = (body: MultiBody, item: MultiItem, context: AssignContext): Described => {
  const facts = item.search === undefined ? noBodyFacts : itemFacts(body.buf, item.search);
  const plain = {
    facts: facts ?? noBodyFacts,
    route: undefined,
    cursor: undefined,
    trouble: undefined,
    opaque: facts === undefined,
  };
  if (facts?.pit !== undefined) {
    const cursor = unwrapCursor(facts.pit.id, context.mac);
    return cursor === undefined ? { ...plain, trouble: new CrossfadeError('CURSOR_INVALID') } : { ...plain, cursor };
  }
  const expression = item.expression ?? context.defaultIndex;
  if (expression === undefined && item.search === undefined) return plain;
  const resolution = context.table.resolve(expression ?? '', context.now);
  if (resolution.kind === 'route') return { ...plain, route: resolution };
  if (resolution.kind === 'none') return plain;
  const { states } = resolution;
  // By id one index is meant, and a list is a name that cannot exist.
  const said = item.search === undefined ? undefined : sayAnew(expression ?? '', { ...context, ...resolution });
  if (said !== undefined) return { ...plain, origin: originOfAll(said.side, resolution), said, states };
  if (states.every(({ phase }) => authorityIn(phase.phase) === 'source'))
    return { ...plain, origin: originOfAll('source', resolution), states };
  const shown = expression === undefined ? 'all indices' : `[${expression}]`;
  return {
    ...plain,
    trouble: new CrossfadeError('MIXED_ROUTES', `${shown} addresses indices that live on both sides`),
  };
};

/** Positions are those of the whole body. Undefined = not JSON: the cluster will say so. */
const itemFacts = (buf: Buffer, { start, end }: { start: number; end: number }): BodyFacts | undefined => {
  try {
    const facts = inspectBody(buf.subarray(start, end));
    const move = <T extends { slice: { start: number; end: number } }>(place: T): T => ({
      ...place,
      slice: { start: place.slice.start + start, end: place.slice.end + start },
    });
    return { ...facts, names: facts.names.map(move), pit: facts.pit === undefined ? undefined : move(facts.pit) };
  } catch {
    return undefined;
  }
};

const placeOf = (assigned: Assigned & Described, context: AssignContext): Place => {
  const { route, cursor, origin, states, facts } = assigned;
  if (cursor !== undefined)
    return pitTrouble({ ...context, facts, side: cursor.side }) ?? { side: cursor.side, followerOf: undefined };
  if (route === undefined) {
    const side = origin?.side ?? 'source';
    return (states && bodyTrouble({ ...context, facts, side, states, query: '' })) ?? { side, followerOf: undefined };
  }
  const authority = authorityIn(route.state.phase.phase);
  if (context.chosen(route.state) !== authority && pinOf(assigned, context) === undefined)
    return { side: otherSide(authority), followerOf: route.state };
  return troubleAt(authority, assigned, context) ?? { side: authority, followerOf: undefined };
};

const pinOf = ({ route, facts, item, opaque }: Assigned & Described, context: AssignContext): PinReason | undefined => {
  if (route === undefined) return undefined;
  if (item.search === undefined && route.indices.length > 1) return 'names';
  if (namesNodes(item.preference)) return 'node_preference';
  if (route.indices.some((index) => context.isPending(index, item))) return 'pending_copy';
  if (item.search !== undefined && context.notRefreshed(route.indices)) return 'not_refreshed';
  return bodyPin({ table: context.table, ...route, facts: opaque ? undefined : facts });
};

/** What the authority cannot answer rightly either. */
const troubleAt = (
  side: Side,
  { route, facts, item }: Assigned,
  context: AssignContext,
): CrossfadeError | undefined => {
  if (route === undefined) return undefined;
  const trouble = bodyTrouble({ ...context, facts, side, states: [route.state], query: '' });
  if (trouble !== undefined || side === 'source') return trouble;
  if (item.search === undefined && route.indices.length > 1)
    return new CrossfadeError('UNSUPPORTED', 'an alias of several indices cannot be read by id on the target');
  return aliasRouting(route.indices).kind === 'mixed'
    ? new CrossfadeError('UNSUPPORTED', 'aliases with different routing cannot be searched together on the target')
    : undefined;
};
