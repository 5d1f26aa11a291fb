/**
 * Says a read in the words of one side. On the source the client's own expression stands, unless it used names that only
 * the target has; on the target the concrete indices stand in the path, the alias's routing is added where the client
 * gave none, and names inside the body are the target's. Nothing else of the request changes.
 */

import { authorityIn, type Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { applyEdits } from '../../json/scan.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { addParam, getParam } from '../query.ts';
import type { SideRequest } from '../shadow/ports.ts';
import type { Family, Operation, RequestHead, RoutedIndex, RouteTable } from '../types.ts';
import { withoutType } from '../typeless.ts';
import { type BodyFacts, renameEdits, speaksOfIndex } from './body-names.ts';
import { aliasRouting, nameOn, replaceSegment, targetNameOf, targetNames } from './side-names.ts';

export type AddressedRead = {
  readonly operation: Operation;
  readonly head: Pick<RequestHead, 'path' | 'query'>;
  readonly indices: readonly RoutedIndex[];
};

/** The only APIs that take a routing; any other would refuse the parameter. Documents of a multi request have their own. */
const routingFamilies: ReadonlySet<Family> = new Set<Family>([
  'get',
  'search',
  'template_search',
  'count',
  'explain',
  'termvectors',
  'pit_create',
  'search_shards',
  'mget',
  'mtermvectors',
]);

export const sideTarget = (
  { operation, head, indices }: AddressedRead,
  side: Side,
): { path: string; query: string } => {
  if (side === 'source' && !usesTargetName(operation.params.index, indices)) return head;
  const names = side === 'target' ? targetNames(indices) : [...new Set(indices.map((index) => nameOn(index, side)))];
  const routing = aliasRouting(indices);
  const path = replaceSegment(head.path, operation.indexSegment, names);
  return {
    path: side === 'target' ? withoutType(path, operation) : path,
    query:
      routing.kind === 'one' && routingFamilies.has(operation.family)
        ? addParam(head.query, 'routing', routing.routing)
        : head.query,
  };
};

/** The route table also knows target names, for applications that already use the new ones. */
export const usesTargetName = (expression: string | undefined, indices: readonly RoutedIndex[]): boolean => {
  const named = (expression ?? '').split(',');
  return indices.some((index) => {
    const [source, target] = [nameOn(index, 'source'), nameOn(index, 'target')];
    return source !== target && named.includes(target) && !isKnownOnSource(index, target);
  });
};

const isKnownOnSource = ({ state }: RoutedIndex, name: string): boolean =>
  state.spec.indices.some(({ source }) => source === name) || state.spec.aliases.some((alias) => alias.name === name);

export const wireTarget = ({ path, query }: { path: string; query: string }): string =>
  query === '' ? path : `${path}?${query}`;

/** The same buffer when nothing has to change. A name that stands for several indices stays for the cluster to judge. */
export const targetBody = (body: Buffer, facts: BodyFacts, table: RouteTable): Buffer => {
  const edits = renameEdits(facts, (name) => targetNameOf(table, name) ?? name);
  return edits.length === 0 ? body : applyEdits(body, edits);
};

export type WholeRead = AddressedRead & {
  readonly body: Buffer | undefined;
  readonly facts: BodyFacts;
  readonly table: RouteTable;
};

export const sideRequest = (read: WholeRead, side: Side): SideRequest => ({
  ...sideTarget(read, side),
  body: side === 'target' && read.body !== undefined ? targetBody(read.body, read.facts, read.table) : read.body,
});

/** A body may refer to other indices (terms lookup and the like); they must be current where the read runs. */
export const lookupElsewhere = (
  facts: BodyFacts,
  { table, side, sameCluster }: { table: RouteTable; side: Side; sameCluster: boolean },
): CrossfadeError | undefined => {
  if (sameCluster || side === 'source') return undefined;
  const isHere = (name: string): boolean => {
    const [only, ...others] = table.lookup(name) ?? [];
    return only !== undefined && others.length === 0 && authorityIn(only.state.phase.phase) === side;
  };
  const elsewhere = facts.names.find(({ name }) => !isHere(name));
  return (
    elsewhere &&
    new CrossfadeError('MIXED_ROUTES', `the body refers to [${elsewhere.name}], which is not current on the target`)
  );
};

/** Selects documents by the name of their index in words that mean something else on the target, where it has another. */
export const unsayableOnTarget = (
  facts: Pick<BodyFacts, 'unsayable'> | undefined,
  query: string,
  { spec }: RouteState,
): CrossfadeError | undefined => {
  const selects = facts?.unsayable === true || speaksOfIndex(getParam(query, 'q') ?? '');
  return selects && spec.indices.some(({ source, target }) => source !== target)
    ? new CrossfadeError('UNSUPPORTED', 'The query uses _index in a way that cannot be said on the target.')
    : undefined;
};
