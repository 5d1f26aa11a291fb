/**
 * The names of one route's indices on each side, and what has to be told the target that an alias says on the source.
 * On the source the client's own expression stands, so its aliases, wildcards and date math keep their meaning; on the
 * target the concrete indices are named, so nothing depends on aliases there before a cutover.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { RoutedIndex } from '../types.ts';

export const nameOn = ({ state, ordinal }: RoutedIndex, side: Side): string => {
  const pair = state.spec.indices[ordinal];
  if (pair === undefined) throw new RangeError(`route ${state.slug} has no index ${ordinal}`);
  return pair[side];
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

/** Concrete names on the target, each once, in the order addressed. */
export const targetNames = (indices: readonly RoutedIndex[]): readonly string[] => [
  ...new Set(indices.map((index) => nameOn(index, 'target'))),
];

/** `mixed`: the aliases give indices different routings, which one request to concrete names cannot say. */
export type AliasRouting = { kind: 'none' } | { kind: 'one'; routing: string } | { kind: 'mixed' };

/** An index addressed with and without routing is searched whole, as the server does it. */
export const aliasRouting = (indices: readonly RoutedIndex[]): AliasRouting => {
  if (indices.length === 1) return routingOf(indices[0]?.aliasRouting);
  const perIndex = new Map<number, Set<string | undefined>>();
  for (const { ordinal, aliasRouting: routing } of indices) {
    const known = perIndex.get(ordinal) ?? new Set();
    known.add(routing);
    perIndex.set(ordinal, known);
  }
  const routings = new Set([...perIndex.values()].map(unite));
  if (routings.size > 1) return { kind: 'mixed' };
  return routingOf([...routings][0]);
};

const routingOf = (routing: string | undefined): AliasRouting =>
  routing === undefined ? { kind: 'none' } : { kind: 'one', routing };

/** A comma list is how the server takes several routing values. */
const unite = (routings: ReadonlySet<string | undefined>): string | undefined =>
  routings.has(undefined) ? undefined : [...routings].sort().join(',');

/** Client names of target indices, for answers of the target; empty when every pair has one name. */
export const clientNames = (states: readonly RouteState[]): ReadonlyMap<string, string> =>
  new Map(
    states.flatMap(({ spec }) =>
      spec.indices
        .filter(({ source, target }) => source !== target)
        .map(({ source, target }) => [target, source] as const),
    ),
  );

/** Replaces the segment of a raw path that holds the index expression. */
export const replaceSegment = (path: string, segment: number, names: readonly string[]): string => {
  const segments = path.split('/');
  segments[segment] = names.map(encodeURIComponent).join(',');
  return segments.join('/');
};
