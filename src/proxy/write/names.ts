/**
 * The names that a write goes by: the epoch alias it is sent through, the concrete index it is read back from, and what
 * the client is to see instead of either.
 */
import { epochAlias } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, hasFollower, type Side } from '../../coordination/records.ts';
import { resolveSingleName } from '../index-expression.ts';
import { setParam } from '../query.ts';
import { clientNames, replaceSegment } from '../read/side-names.ts';
import type { IndexNames } from '../rename.ts';
import { writeIndexOf } from '../route-table.ts';
import { withoutType } from '../typeless.ts';
import type { Operation, RequestHead, RoutedIndex, RouteTable } from '../types.ts';

export const authorityOf = ({ phase }: RouteState): Side => authorityIn(phase.phase);

export const isCopying = ({ phase }: RouteState): boolean => hasFollower(phase.phase);

/** Writes go only through this name, so that the fence of its epoch closes them all. */
export const writeName = (state: RouteState, ordinal: number): string =>
  epochAlias(state.slug, state.phase.epoch, ordinal);

/** The index itself: a fenced alias would show an empty index. */
export const concreteName = (state: RouteState, ordinal: number): string => {
  const pair = state.spec.indices[ordinal];
  if (pair === undefined) throw new RangeError(`route ${state.slug} has no index ${ordinal}`);
  return pair[authorityOf(state)];
};

/**
 * Names in the authority's answers to the names that clients know. Concrete indices show as the source's; an epoch alias
 * shows as the source's index, or as `addressed` where a request addressed one name, because it stands in errors only.
 */
export const shownNames = (states: readonly RouteState[], addressed?: string): IndexNames => {
  const names = new Map<string, string>();
  for (const state of states) {
    for (const [ordinal, pair] of state.spec.indices.entries())
      names.set(writeName(state, ordinal), addressed ?? pair.source);
    if (authorityOf(state) === 'target') for (const [from, to] of clientNames([state])) names.set(from, to);
  }
  return names;
};

/**
 * Where one name that takes writes leads. `ambiguous`: an alias of several indices without a declared write index; sent
 * on under its own name it could reach an index past the fence.
 */
export type WriteTarget = { kind: 'unrouted' } | { kind: 'routed'; index: RoutedIndex } | { kind: 'ambiguous' };

const unrouted: WriteTarget = { kind: 'unrouted' };

export const resolveWrite = (table: RouteTable, expression: string, date: Date): WriteTarget => {
  const name = resolveSingleName(expression, date);
  const found = table.lookup(name);
  if (found !== undefined) {
    const index = writeIndexOf(name, found);
    return index === undefined ? { kind: 'ambiguous' } : { kind: 'routed', index };
  }
  // A date that could not be told comes back as a pattern; the server refuses any other wildcard in a write.
  const undetermined = name !== expression && name.includes('*');
  return undetermined && table.resolve(expression, date).kind !== 'none' ? { kind: 'ambiguous' } : unrouted;
};

/** Whether the client addressed an alias, as `require_alias` means it. */
export const isAliasName = ({ spec }: RouteState, expression: string, date: Date): boolean => {
  const name = resolveSingleName(expression, date);
  return spec.aliases.some((alias) => alias.name === name);
};

/** Path and query as a side knows them, with other index names: in the path, or in `?index=` where the path has none. */
export const withIndex = (
  { path, query, side }: Pick<RequestHead, 'path' | 'query'> & { readonly side: Side },
  operation: Pick<Operation, 'indexSegment' | 'params' | 'family'>,
  names: readonly string[],
): { path: string; query: string } => {
  const { indexSegment } = operation;
  if (indexSegment < 0) return { path, query: setParam(query, 'index', names.join(',')) };
  const named = replaceSegment(path, indexSegment, names);
  return { path: side === 'target' ? withoutType(named, operation) : named, query };
};

export const pathWithQuery = ({ path, query }: { path: string; query: string }): string =>
  query === '' ? path : `${path}?${query}`;
