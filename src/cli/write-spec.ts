/**
 * Puts the spec of a route into the store, over the one that it was judged against and no other: for `apply` and for the
 * operator. Invariant: the revision and the open request are read before the states, so that what they show is of this
 * revision, or of a later one over which the write is refused, and a move that was answered by then shows in them.
 */
import { casError } from '../coordination/cas.ts';
import { keys } from '../coordination/keys.ts';
import type { RouteState, RouteStates, Store } from '../coordination/ports.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import { changedFields, fixedChanges, type Objection, objectionTo } from './apply-check.ts';
import { openRequest, readStates } from './route-states.ts';

export type SpecWrite =
  | { objection: Objection }
  /** `revision` null: nothing had changed. `before`: the route as it was. */
  | { objection?: undefined; changed: string[]; revision: number | null; before: RouteState | undefined };

/** Of a move that the leader prepares with the settings as they are. */
const underWay = (
  before: RouteState | undefined,
  after: RouteSpec,
  open: string | undefined,
): Objection | undefined => {
  const moved = before === undefined ? [] : fixedChanges(before.spec, after);
  if (open === undefined || moved.length === 0) return undefined;
  return { kind: 'refused', message: `${moved.join(', ')} cannot change now: ${open}` };
};

/**
 * `all`: the specs of all routes as they would be.
 * @throws CrossfadeError STORE_CONFLICT when somebody else changed the spec, STORE_OUTCOME_UNKNOWN, STORE_UNAVAILABLE
 */
export const writeSpec = async (
  store: Store,
  spec: RouteSpec,
  all: (states: RouteStates) => readonly RouteSpec[],
): Promise<SpecWrite> => {
  const key = keys.config(spec.route);
  const expected = (await store.config.get(key))?.revision ?? 0;
  const open = await openRequest(store, spec.route);
  const states = await readStates(store);
  const before = states.get(spec.route);
  const objection = objectionTo(spec, before, all(states)) ?? underWay(before, spec, open);
  if (objection !== undefined) return { objection };
  const changed = changedFields(before?.spec, spec);
  if (changed.length === 0) return { changed, revision: null, before };
  const written = await store.config.update(key, JSON.stringify(spec), expected);
  if (!written.ok) throw casError(written.reason);
  return { changed, revision: written.revision, before };
};
