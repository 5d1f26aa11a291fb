/**
 * Where both sides of a route are one cluster, a wildcard reaches the authority and the follower, and a read would show
 * every document twice. Says such an expression anew, so that of each pair only the authority is reached. The client
 * speaks the source's names: a pair is meant where the expression would reach its source index, or names its target; what
 * the client takes away counts by the source's names alone. Pure.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, otherSide, type Side } from '../../coordination/records.ts';
import { covers } from '../../coordination/route-aliases.ts';
import { type ExpressionItem, matchesPattern, parseIndexExpression } from '../index-expression.ts';
import { nameOn, targetNames, usesTargetName } from '../read/side-names.ts';
import type { RouteTable, SaidAnew } from '../types.ts';

export type Item = ExpressionItem & { readonly written: string };
type Pair = {
  readonly source: string;
  readonly target: string;
  readonly aliases: readonly string[];
};
export type SayOptions = { readonly table: RouteTable; readonly now: Date; readonly states: readonly RouteState[] };

/** @returns undefined when there is no wildcard, or when it cannot be said for all these routes at once */
export const withoutFollowers = (expression: string, { table, now, states }: SayOptions): SaidAnew | undefined => {
  const items = itemsOf(expression, now);
  const [side, ...others] = new Set(states.map(({ phase }) => authorityIn(phase.phase)));
  if (side === undefined || others.length > 0 || !items.some(({ isPattern }) => isPattern)) return undefined;
  const said = items.map((item) => namesOf(item, { table, side }));
  if (said.includes(undefined)) return undefined;
  const added = states.flatMap((state) => pairsOf(state).map((pair) => ({ state, pair })));
  const additionsOf = ({ pair }: { pair: Pair }): string[] => additions(items, pair, side);
  const mayMiss = added
    .filter(({ state: { phase } }) => phase.phase === 'observe' || phase.phase === 'final')
    .flatMap((one) => additionsOf(one).filter((name) => name === `-${one.pair[otherSide(side)]}`));
  return {
    side,
    names: [...said.flatMap((names) => names ?? []), ...added.flatMap(additionsOf)],
    mayMiss,
    isKnown: items.every(({ text, isPattern }) => isPattern || table.lookup(text) !== undefined),
  };
};

export const itemsOf = (expression: string, now: Date): Item[] => {
  const parsed = parseIndexExpression(expression, now);
  if (parsed.kind === 'all') return [{ text: '*', written: '*', isPattern: true, isExclusion: false }];
  const written = expression.split(',');
  return parsed.items.map((item, i) => ({ ...item, written: written[i] as string }));
};

const pairsOf = (state: RouteState): Pair[] =>
  state.spec.indices.map(({ source, target }) => {
    const covering = state.spec.aliases.filter((alias) => covers(alias, source));
    return { source, target, aliases: covering.map(({ name }) => name) };
  });

/** One name in the words of the side; undefined for an alias whose routing only the source's alias says. */
export const namesOf = (
  { text, written, isPattern, isExclusion }: Item,
  { table, side }: { table: RouteTable; side: Side },
): readonly string[] | undefined => {
  const found = isPattern || isExclusion ? undefined : table.lookup(text);
  if (found === undefined) return [written];
  if (side === 'source') return usesTargetName(text, found) ? found.map((index) => nameOn(index, 'source')) : [written];
  return found.some(({ aliasRouting }) => aliasRouting !== undefined) ? undefined : targetNames(found);
};

/**
 * What has to stand behind the expression, so that of this pair the authority is reached if it is meant, and nothing else.
 * What is named without a wildcard has been put in the words of the side already.
 */
const additions = (items: readonly Item[], pair: Pair, side: Side): string[] => {
  const [authority, follower] = [pair[side], pair[otherSide(side)]];
  const expands = ({ isPattern, isExclusion }: Item): boolean => isPattern && !isExclusion;
  const isReached = items.some((item) => expands(item) && reaches(item, [follower, ...pair.aliases]));
  const dropped = isReached ? [`-${follower}`] : [];
  if (!isMeant(items, pair)) return items.some((item) => names(item, pair)) ? [...dropped, `-${authority}`] : dropped;
  const isThere = isLeft(items, (item) =>
    item.isPattern || item.isExclusion ? reaches(item, [authority]) : names(item, pair),
  );
  return isThere ? dropped : [...dropped, authority];
};

const isMeant = (items: readonly Item[], pair: Pair): boolean => {
  const { source, aliases } = pair;
  return isLeft(items, (item) =>
    item.isExclusion ? reaches(item, item.isPattern ? [source, ...aliases] : [source]) : names(item, pair),
  );
};

const names = (item: Item, { source, target, aliases }: Pair): boolean =>
  !item.isExclusion && reaches(item, [source, target, ...aliases]);

const reaches = ({ text, isPattern }: Item, names: readonly string[]): boolean =>
  names.some((name) => (isPattern ? matchesPattern(text, name) : text === name));

/** The last item that reaches it decides. */
const isLeft = (items: readonly Item[], reached: (item: Item) => boolean): boolean => {
  const last = items.findLast(reached);
  return last !== undefined && !last.isExclusion;
};
