/**
 * Says a group of items in the words of one side. On the source the client's path and items stand, unless they use names that
 * only the target has; on the target every item names its concrete index itself, so that the default of the path does not
 * matter there. Pure.
 */
import type { Side } from '../../coordination/records.ts';
import type { SideRequest } from '../shadow/ports.ts';
import type { Family, Operation, RequestHead, RouteTable } from '../types.ts';
import type { Assigned } from './multi-assign.ts';
import type { MultiBody } from './multi-body.ts';
import { composeMulti, type ItemChange } from './multi-compose.ts';
import { nameEdits } from './body-words.ts';
import { sideTarget } from './outgoing.ts';
import { aliasRouting, nameOn, targetNames, usesTargetName } from './side-names.ts';

export type GroupWords = {
  readonly operation: Operation;
  readonly head: Pick<RequestHead, 'path' | 'query'>;
  readonly table: RouteTable;
  readonly body: MultiBody;
  readonly items: readonly Assigned[];
  readonly sameCluster: boolean;
};

/** The body is the client's own buffer when the group is the whole request and nothing changes. */
export const groupRequest = (words: GroupWords, side: Side): SideRequest => {
  if (words.body.form === 'ids') return idsRequest(words, side);
  const chosen = words.items.map((assigned) => ({ item: assigned.item, change: itemChange(words, assigned, side) }));
  const isWhole = chosen.length === words.body.items.length && chosen.every(({ change }) => change === undefined);
  return {
    path: side === 'target' ? barePath(words.operation.family) : words.head.path,
    query: words.head.query,
    body: isWhole && side === 'source' ? words.body.buf : composeMulti(words.body, chosen),
  };
};

const idsRequest = ({ operation, head, body, items }: GroupWords, side: Side): SideRequest => ({
  ...sideTarget({ operation, head, indices: items[0]?.route?.indices ?? [] }, side),
  body: body.buf,
});

const barePath = (family: Family): string => (family === 'msearch_template' ? '/_msearch/template' : `/_${family}`);

const itemChange = (words: GroupWords, assigned: Assigned, side: Side): ItemChange | undefined => {
  const { route, facts, item, said, asked } = assigned;
  const searchEdits = [...pitEdits(assigned), ...nameEdits(facts, { ...words, side })];
  searchEdits.sort((a, b) => a.start - b.start);
  if (said !== undefined) {
    const { names, ignoreUnavailable } = asked ?? { names: said.names, ignoreUnavailable: false };
    return { ...unchanged, indices: names, ignoreUnavailable, searchEdits };
  }
  const edited = searchEdits.length === 0 ? undefined : { ...unchanged, searchEdits };
  if (route === undefined) return edited;
  if (side === 'target') {
    const routing = aliasRouting(route.indices);
    return {
      indices: targetNames(route.indices),
      routing: routing.kind === 'one' ? routing.routing : undefined,
      searchEdits,
    };
  }
  if (!usesTargetName(item.expression ?? words.operation.params.index, route.indices)) return edited;
  return { ...unchanged, searchEdits, indices: route.indices.map((index) => nameOn(index, 'source')) };
};

const unchanged: ItemChange = { indices: undefined, routing: undefined, searchEdits: [] };

const pitEdits = ({ facts: { pit }, cursor }: Assigned) =>
  pit === undefined || cursor === undefined || pit.id === cursor.id
    ? []
    : [{ ...pit.slice, text: JSON.stringify(cursor.id) }];
