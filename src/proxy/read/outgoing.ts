/**
 * Says a read in the words of one side. On the source the client's own expression stands, unless it used names that only
 * the target has; on the target the concrete indices stand in the path, the alias's routing is added where the client
 * gave none, and names inside the body are the target's. Nothing else of the request changes.
 */

import type { Side } from '../../coordination/records.ts';
import { addParam } from '../query.ts';
import type { SideRequest } from '../shadow/ports.ts';
import type { Family, Operation, RequestHead, RoutedIndex, RouteTable } from '../types.ts';
import { withoutType } from '../typeless.ts';
import type { BodyFacts } from './body-names.ts';
import { bodyFor } from './body-words.ts';
import { aliasRouting, nameOn, replaceSegment, targetNames, usesTargetName } from './side-names.ts';

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

export const wireTarget = ({ path, query }: { path: string; query: string }): string =>
  query === '' ? path : `${path}?${query}`;

export type WholeRead = AddressedRead & {
  readonly body: Buffer | undefined;
  readonly facts: BodyFacts;
  readonly table: RouteTable;
  readonly sameCluster: boolean;
};

export const sideRequest = (read: WholeRead, side: Side): SideRequest => ({
  ...sideTarget(read, side),
  body: read.body === undefined ? undefined : bodyFor(read.body, read.facts, { ...read, side }),
});
