/**
 * May this spec replace that one? Pure. While a route is not off, its members and its follower hold state that depends on
 * which indices are paired and how documents are versioned; changing those would mix two migrations under one name. So would
 * an alias that the route no longer tells its requests by, as it goes on leading to the source's index on the cluster.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RouteState } from '../coordination/ports.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import { doubtOf } from '../fleet/known-routes.ts';

/** Fields that may change in phase `off` only; so may what an alias that is there says. */
const fixed = ['indices', 'versions', 'transform'] as const satisfies readonly (keyof RouteSpec)[];

export const changedFields = (before: RouteSpec | undefined, after: RouteSpec): string[] =>
  before === undefined
    ? ['new route']
    : (Object.keys({ ...before, ...after }) as (keyof RouteSpec)[]).filter(
        (field) => !isDeepStrictEqual(before[field], after[field]),
      );

const namesOf = (spec: RouteSpec): string[] => [
  ...spec.indices.map(({ source }) => source),
  ...spec.aliases.map(({ name }) => name),
];
const targetsOf = (spec: RouteSpec): string[] => spec.indices.map(({ target }) => target);

const aliasesCalled = (spec: RouteSpec, name: string) => spec.aliases.filter((alias) => alias.name === name);

/** New aliases may come at any time: what they lead to was outside the route before. */
const changedAliases = (before: RouteSpec, after: RouteSpec): string[] =>
  [...new Set(before.aliases.map(({ name }) => name))]
    .filter((name) => !isDeepStrictEqual(aliasesCalled(before, name), aliasesCalled(after, name)))
    .map((name) => `alias ${name}`);

/** What is fixed while a route is not off, and would not stay as it is. */
export const fixedChanges = (before: RouteSpec, after: RouteSpec): string[] => [
  ...fixed.filter((field) => !isDeepStrictEqual(before[field], after[field])),
  ...changedAliases(before, after),
];

type NamesOf = (spec: RouteSpec) => readonly string[];
const shared = (spec: RouteSpec, other: RouteSpec, names: NamesOf): string[] => {
  const taken = new Set(names(other));
  return names(spec).filter((name) => taken.has(name));
};

/**
 * Of names of the application a request could not tell which route is meant. Of one target the sweep of each route would
 * delete what the other has copied. A source may well be the target of another route, as where one migration follows
 * another or the sides are two clusters: whether it is a follower at the time, the preflight sees on the cluster.
 */
const conflicts = (spec: RouteSpec, others: readonly RouteSpec[]): string[] =>
  others
    .filter(({ route }) => route !== spec.route)
    .flatMap((other) => [
      ...shared(spec, other, namesOf).map((name) => `${name} belongs to route ${other.route} already`),
      ...shared(spec, other, targetsOf).map((name) => `${name} is the target of route ${other.route} already`),
    ]);

export type Objection = { kind: 'refused' | 'config'; message: string };

/** `others`: the specs of all routes as they would be, its own left out or not. */
export const objectionTo = (
  spec: RouteSpec,
  current: RouteState | undefined,
  others: readonly RouteSpec[],
): Objection | undefined => {
  const found = conflicts(spec, others);
  if (found.length > 0) return { kind: 'config', message: found.join('; ') };
  const doubt = current && doubtOf(current);
  if (doubt !== undefined) return { kind: 'refused', message: doubt };
  if (current === undefined || current.phase.phase === 'off') return undefined;
  const moved = fixedChanges(current.spec, spec);
  return moved.length === 0
    ? undefined
    : {
        kind: 'refused',
        message: `${moved.join(', ')} can change in phase off only; the route is in ${current.phase.phase}`,
      };
};
