/**
 * May this spec replace that one? Pure. While a route is not off, its members and its follower hold state that depends on
 * which indices are paired and how documents are versioned; changing those would mix two migrations under one name.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RouteState, RouteStates } from '../coordination/ports.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import { doubtOf } from '../fleet/known-routes.ts';

/** Fields that may change in phase `off` only. */
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

/** Names of the application that another route answers to already: a request could not tell which one is meant. */
const takenNames = (spec: RouteSpec, others: RouteStates): string[] =>
  [...others.values()]
    .filter(({ slug }) => slug !== spec.route)
    .flatMap((other) => {
      const taken = new Set(namesOf(other.spec));
      return namesOf(spec)
        .filter((name) => taken.has(name))
        .map((name) => `${name} belongs to route ${other.slug} already`);
    });

export type Objection = { kind: 'refused' | 'config'; message: string };

export const objectionTo = (
  spec: RouteSpec,
  current: RouteState | undefined,
  others: RouteStates,
): Objection | undefined => {
  const taken = takenNames(spec, others);
  if (taken.length > 0) return { kind: 'config', message: taken.join('; ') };
  const doubt = current && doubtOf(current);
  if (doubt !== undefined) return { kind: 'refused', message: doubt };
  if (current === undefined || current.phase.phase === 'off') return undefined;
  const moved = changedFields(current.spec, spec).filter((field) => (fixed as readonly string[]).includes(field));
  return moved.length === 0
    ? undefined
    : {
        kind: 'refused',
        message: `${moved.join(', ')} can change in phase off only; the route is in ${current.phase.phase}`,
      };
};
