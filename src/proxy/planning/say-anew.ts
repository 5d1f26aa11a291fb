/**
 * A read over several routes, said in the words of the one side that has all of them: in one cluster a wildcard without the
 * followers; and, once all of its routes have moved, a list of names by their names on the target. Pure.
 */
import { authorityIn } from '../../coordination/records.ts';
import type { RouteTable, SaidAnew } from '../types.ts';
import { itemsOf, namesOf, type SayOptions, withoutFollowers } from './one-cluster.ts';

/** `unrouted`: the expression names, or may name, indices that no route knows. */
type Options = SayOptions & { readonly sameCluster: boolean; readonly unrouted: boolean };

/** @returns undefined when the client's own words are right, or when there are none that would be */
export const sayAnew = (expression: string, { sameCluster, unrouted, ...options }: Options): SaidAnew | undefined => {
  if (sameCluster) return withoutFollowers(expression, options) ?? namedOnTarget(expression, options);
  return unrouted ? undefined : namedOnTarget(expression, options);
};

const namedOnTarget = (expression: string, { table, now, states }: SayOptions): SaidAnew | undefined => {
  if (states.some(({ phase }) => authorityIn(phase.phase) !== 'target')) return undefined;
  const items = itemsOf(expression, now);
  if (items.some(({ isPattern, isExclusion }) => isPattern || isExclusion)) return undefined;
  const said = items.map((item) => namesOf(item, { table, side: 'target' }));
  if (said.includes(undefined)) return undefined;
  const isKnown = items.every(({ text }) => table.lookup(text) !== undefined);
  return { side: 'target', names: [...new Set(said.flatMap((names) => names ?? []))], mayMiss: [], isKnown };
};

/** Whether each name of the list is an index that is called the same on the target, so that the client's words are right there. */
export const hasSameNames = (expression: string, table: RouteTable): boolean =>
  expression.split(',').every((name) => {
    const [index, ...more] = table.lookup(name) ?? [];
    const pair = index?.state.spec.indices[index.ordinal];
    return more.length === 0 && pair !== undefined && pair.source === name && pair.target === name;
  });
