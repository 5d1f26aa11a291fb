/**
 * Does a mismatch that outlived a refresh count? Under constant writes both sides are never seen at the same moment, so
 * the documents behind the mismatch decide. A document moves while its copy may be on the way: it changed lately, and the
 * sides do not agree on it yet. What only moving documents explain says nothing about the other side. What concerns a
 * document that stood still, or what no document explains, is a mismatch.
 */
import { idOf, type Listing, type Standing } from './listing.ts';
import { isGrave, isOfContent } from './subject.ts';
import type { Difference, PathSegment } from './types.ts';

export type Listings = { readonly authority: Listing; readonly other: Listing };
/** `earlier` is seconds older than the answers; `before` and `after` enclose them with no refresh in between. */
export type Look = { readonly earlier: Listings; readonly before: Listings; readonly after: Listings };

/** What the other side's version says of the authority's document; `unknown` where versions are not stamps. */
export type Agreement = 'same' | 'stale' | 'unknown';
export type Agrees = (authority: Standing, other: Standing) => Agreement;

/** Keys of documents. */
export type Movement = {
  readonly moving: ReadonlySet<string>;
  /** Stand still, but on one side only, or as an older state. */
  readonly apart: ReadonlySet<string>;
};

const isSame = (a: Standing | undefined, b: Standing | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.seq === b.seq && a.term === b.term && a.version === b.version);

const isUnchanged = (from: Listings, to: Listings, key: string): boolean =>
  isSame(from.authority.get(key), to.authority.get(key)) && isSame(from.other.get(key), to.other.get(key));

const agreement = ({ authority, other }: Listings, key: string, agrees: Agrees): Agreement => {
  const [a, b] = [authority.get(key), other.get(key)];
  if (a === undefined && b === undefined) return 'same';
  return a === undefined || b === undefined ? 'stale' : agrees(a, b);
};

const keysOf = ({ earlier, before, after }: Look): Set<string> =>
  new Set([earlier, before, after].flatMap(({ authority, other }) => [...authority.keys(), ...other.keys()]));

const fateOf = ({ earlier, before, after }: Look, key: string, agrees: Agrees): 'moving' | 'apart' | 'agreed' => {
  if (!isUnchanged(before, after, key)) return 'moving';
  const now = agreement(before, key, agrees);
  if (now === 'same') return 'agreed';
  if (!isUnchanged(earlier, before, key)) return 'moving';
  return now === 'stale' ? 'apart' : 'agreed';
};

export const movementOf = (look: Look, agrees: Agrees): Movement => {
  const [moving, apart] = [new Set<string>(), new Set<string>()];
  for (const key of keysOf(look)) {
    const fate = fateOf(look, key, agrees);
    if (fate !== 'agreed') (fate === 'moving' ? moving : apart).add(key);
  }
  return { moving, apart };
};

/** More ids would make the question long; what is left must be most of what was asked for. */
const maxLeftOut = 1000;

/** The documents to leave out so that the rest can be judged; undefined where none or too many move, or some stand apart. */
export const toLeaveOut = (look: Look, agrees: Agrees): ReadonlySet<string> | undefined => {
  const { moving, apart } = movementOf(look, agrees);
  const isFew = moving.size > 0 && moving.size <= Math.min(maxLeftOut, look.after.authority.size / 2);
  return isFew && apart.size === 0 ? moving : undefined;
};

/** Have all others stood still, alike on both sides, from `before` to `after`? */
export const stoodStill = (look: Look, leftOut: ReadonlySet<string>, agrees: Agrees): boolean => {
  const { moving, apart } = movementOf(look, agrees);
  return apart.size === 0 && [...moving].every((key) => leftOut.has(key));
};

const namedDocument = (path: readonly PathSegment[]): string | undefined => {
  const at = path[0] === 'docs' ? path[1] : path[0] === 'hits' && path[1] === 'hits' ? path[2] : undefined;
  return typeof at === 'object' ? at.key : undefined;
};

/** `now`: no document explains it. `at_last`: some that stood still do; they may yet be late copies. `no`: only moving ones do. */
export type Persistence = 'now' | 'at_last' | 'no';

export const persistence = (differences: readonly Difference[], { moving, apart }: Movement): Persistence => {
  if (moving.size === 0) return apart.size === 0 ? 'now' : 'at_last';
  if (apart.size > 0) return 'at_last';
  const movingIds = new Set([...moving].map(idOf));
  const isOfStill = ({ path }: Difference): boolean => {
    const id = namedDocument(path);
    return id !== undefined && !movingIds.has(id);
  };
  return differences.filter(isOfContent).some(isOfStill) ? 'at_last' : 'no';
};

/** The part of an answer that hangs together: a page with its total, one aggregation, one document; per item. */
const placeOf = (path: readonly PathSegment[]): string => {
  const inItem = path[0] === 'responses' ? path.slice(0, 2) : [];
  const [part, name] = path.slice(inItem.length);
  const whole = part === 'aggregations' || part === 'docs' ? [part, name] : [part];
  return JSON.stringify([...inItem, ...whole]);
};

/**
 * The same question where documents cannot be listed: `own` is how the authority's answer changed meanwhile. Only a
 * difference in a part of the answer that did not change at the authority is held against the other side.
 */
export const persistsBeside = (differences: readonly Difference[], own: readonly Difference[]): boolean => {
  const changed = new Set(own.filter(isGrave).map(({ path }) => placeOf(path)));
  return differences.filter(isGrave).some(({ path }) => !changed.has(placeOf(path)));
};
