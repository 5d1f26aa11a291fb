/**
 * What an alias of a route stands for, in the source's index names: which indices it covers and which of them takes writes.
 * The proxy resolves names by it and the preflight holds the cluster's own aliases to it, so that both mean the same. Pure.
 */
import type { RouteAlias, RouteSpec } from './route-spec.ts';

export const covers = ({ indices }: RouteAlias, source: string): boolean =>
  indices === undefined || indices.includes(source);

export const coveredBy = (spec: Pick<RouteSpec, 'indices'>, alias: RouteAlias): string[] =>
  spec.indices.map(({ source }) => source).filter((source) => covers(alias, source));

/** Of what a name covers: the declared one, else the only one; undefined when writes through the name are refused. */
export const writeIndexAmong = <T>(covered: readonly T[], isDeclared: (one: T) => boolean): T | undefined => {
  const declared = covered.filter(isDeclared);
  const candidates = declared.length > 0 ? declared : covered;
  return candidates.length === 1 ? candidates[0] : undefined;
};

/** Undefined when the route refuses writes through the alias. */
export const writeIndexOfAlias = (spec: Pick<RouteSpec, 'indices'>, alias: RouteAlias): string | undefined =>
  writeIndexAmong(coveredBy(spec, alias), (source) => source === alias.writeIndex);
