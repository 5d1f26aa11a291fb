/**
 * Answers where a name in a request leads: to which indices of which routes, or to none. Names of a route are its source
 * and target indices and its aliases; routes in `off` have none. A source name or alias beats another route's target
 * name, because the application speaks in the source's names. Where the sides are two clusters the source may have an
 * index of its own that is called like a target: such a name is the route's only once the target has had the authority, from
 * when on an application may have been taken over to it, and never where another route, be it `off`, has it on its source.
 * Invariant: a route that the cluster could touch through an expression is always reported; when it is not certain that
 * nothing else is touched, `unrouted` is true.
 */
import type { RouteState, RouteStates } from '../coordination/ports.ts';
import { authorityIn } from '../coordination/records.ts';
import { covers, writeIndexAmong } from '../coordination/route-aliases.ts';
import type { RouteAlias } from '../coordination/route-spec.ts';
import { type ExpressionItem, isPlainName, matchesPattern, parseIndexExpression } from './index-expression.ts';
import type { Resolution, RoutedIndex, RouteTable } from './types.ts';

const none: Resolution = { kind: 'none' };

/** `sameCluster`: source and target are one cluster. */
export const createRouteTable = (states: RouteStates, { sameCluster }: { sameCluster: boolean }): RouteTable => {
  const known = [...states.values()];
  const active = known.filter((state) => state.phase.phase !== 'off');
  const onSource = new Set(known.flatMap(sourceNames));
  const speaks: SpeaksTarget = (state, target) => sameCluster || (hasHadAuthority(state) && !onSource.has(target));
  const byName = collectNames(active, speaks);
  const concretes = active.flatMap((state) => concreteIndices(state, speaks));
  const resolutions = new Map([...byName].map(([name, indices]) => [name, combine([indices])]));
  const all: Resolution = active.length === 0 ? none : { kind: 'mixed', states: active, unrouted: true };
  return {
    states: active,
    lookup: (name) => byName.get(name),
    resolve: (expression, now) => {
      if (active.length === 0) return none;
      if (isPlainName(expression)) return resolutions.get(expression) ?? none;
      const parsed = parseIndexExpression(expression, now);
      if (parsed.kind === 'all') return all;
      if (parsed.hasPattern) return resolvePatterns(parsed.items, concretes, byName);
      return combine(parsed.items.map((item) => byName.get(item.text)));
    },
  };
};

type Names = Map<string, readonly RoutedIndex[]>;
/** Whether the name of a target is the route's. */
type SpeaksTarget = (state: RouteState, target: string) => boolean;

const sourceNames = ({ spec }: RouteState): string[] => [
  ...spec.indices.map(({ source }) => source),
  ...spec.aliases.map(({ name }) => name),
];

/** The target, now or before a rollback: only a switch sets the floor, while a reign may begin with a stay in `dual`. */
const hasHadAuthority = ({ phase }: RouteState): boolean =>
  authorityIn(phase.phase) === 'target' || phase.percentFloor > 0;

const collectNames = (states: readonly RouteState[], speaks: SpeaksTarget): Names => {
  const names: Names = new Map();
  const add = (name: string, indices: readonly RoutedIndex[]): void => {
    names.set(name, mergeIndices([...(names.get(name) ?? []), ...indices]));
  };
  for (const state of states) {
    for (const [ordinal, pair] of state.spec.indices.entries()) add(pair.source, [indexOf(state, ordinal)]);
    for (const alias of state.spec.aliases) add(alias.name, aliasIndices(state, alias));
  }
  const spoken = new Set(names.keys());
  for (const state of states)
    for (const [ordinal, pair] of state.spec.indices.entries())
      if (!spoken.has(pair.target) && speaks(state, pair.target)) add(pair.target, [indexOf(state, ordinal)]);
  return names;
};

const indexOf = (state: RouteState, ordinal: number): RoutedIndex => ({ state, ordinal, aliasRouting: undefined });

const aliasIndices = (state: RouteState, alias: RouteAlias): RoutedIndex[] =>
  state.spec.indices.flatMap((pair, ordinal) =>
    covers(alias, pair.source) ? [{ state, ordinal, aliasRouting: alias.routing }] : [],
  );

/**
 * The index of an alias (or of a plain index name) that takes writes: the declared one, else the only one.
 * @returns undefined when the name leads to several and none is declared, or to several routes
 */
export const writeIndexOf = (name: string, indices: readonly RoutedIndex[]): RoutedIndex | undefined =>
  writeIndexAmong(indices, ({ state, ordinal }) => {
    const alias = state.spec.aliases.find((one) => one.name === name);
    return alias?.writeIndex !== undefined && alias.writeIndex === state.spec.indices[ordinal]?.source;
  });

/** Joins what several exact names lead to; undefined stands for an unrouted name. */
const combine = (found: readonly (readonly RoutedIndex[] | undefined)[]): Resolution => {
  const indices = mergeIndices(found.flatMap((part) => part ?? []));
  const states = [...new Set(indices.map((index) => index.state))];
  const [state] = states;
  if (state === undefined) return none;
  const unrouted = found.includes(undefined);
  return states.length === 1 && !unrouted ? { kind: 'route', state, indices } : { kind: 'mixed', states, unrouted };
};

/** One entry per index. Named both with and without routing it is searched on all shards; several routings add up. */
const mergeIndices = (indices: readonly RoutedIndex[]): RoutedIndex[] => {
  const merged: RoutedIndex[] = [];
  for (const index of indices) {
    const at = merged.findIndex((one) => one.state === index.state && one.ordinal === index.ordinal);
    const before = merged[at];
    if (before === undefined) merged.push(index);
    else merged[at] = { ...before, aliasRouting: joinRouting(before.aliasRouting, index.aliasRouting) };
  }
  return merged;
};

const joinRouting = (a: string | undefined, b: string | undefined): string | undefined => {
  if (a === undefined || b === undefined) return undefined;
  return [...new Set([...a.split(','), ...b.split(',')])].join(',');
};

/** A concrete index on one side, with the aliases that a wildcard could reach it by. */
type Concrete = { readonly state: RouteState; readonly name: string; readonly aliases: readonly string[] };

const concreteIndices = (state: RouteState, speaks: SpeaksTarget): Concrete[] =>
  state.spec.indices.flatMap((pair) => {
    const covering = state.spec.aliases.filter((alias) => covers(alias, pair.source));
    const aliases = covering.map((alias) => alias.name);
    const names =
      pair.source === pair.target || !speaks(state, pair.target) ? [pair.source] : [pair.source, pair.target];
    return names.map((name) => ({ state, name, aliases }));
  });

/**
 * Wildcards expand to concrete indices, and exclusions take concrete indices away again: a literal one by its own name,
 * a pattern also through aliases. What may be left is touched, and so may be indices that no route knows.
 */
const resolvePatterns = (
  items: readonly ExpressionItem[],
  concretes: readonly Concrete[],
  byName: ReadonlyMap<string, readonly RoutedIndex[]>,
): Resolution => {
  const touched = new Set<Concrete>();
  for (const { text, isPattern, isExclusion } of items) {
    const reached = concretes.filter(({ name, aliases }) =>
      isPattern ? [name, ...aliases].some((one) => matchesPattern(text, one)) : name === text,
    );
    for (const concrete of reached) {
      if (isExclusion) touched.delete(concrete);
      else touched.add(concrete);
    }
    if (!isPattern && !isExclusion) for (const index of byName.get(text) ?? []) addIndex(touched, concretes, index);
  }
  const states = [...new Set([...touched].map((concrete) => concrete.state))];
  return states.length === 0 ? none : { kind: 'mixed', states, unrouted: true };
};

const addIndex = (touched: Set<Concrete>, concretes: readonly Concrete[], { state, ordinal }: RoutedIndex): void => {
  const source = state.spec.indices[ordinal]?.source;
  for (const concrete of concretes) if (concrete.state === state && concrete.name === source) touched.add(concrete);
};
