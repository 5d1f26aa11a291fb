/**
 * Which alias must point where, for each step of a route's life, and the one `_aliases` call that gets there. Wanted
 * state is compared with what the cluster has, so every step may be repeated after a crash. Invariant: an alias of a
 * past epoch is never removed but pointed at the write-blocked fence index, because a late writer to a name that does
 * not exist would create an index of that name.
 */
import { copyAlias, epochAlias, fenceIndex } from '../../coordination/keys.ts';
import { otherSide, type RouteSpec, type Side } from '../../coordination/records.ts';

/** Alias name to the one index it points at. */
export type Wanted = ReadonlyMap<string, string>;
export type AliasAction =
  | { add: { index: string; alias: string; is_write_index: true; is_hidden: true } }
  | { remove: { index: string; alias: string } };
/** As in the answer of `GET /_alias`: index name to its aliases. */
export type Aliases = Readonly<Record<string, readonly string[]>>;
type RouteNames = Pick<RouteSpec, 'route' | 'indices'>;

/** What an epoch needs on one side: the write alias on its authority, the copy alias on its follower. */
export const openEpoch = (
  spec: RouteNames,
  epoch: number,
  { authority, side }: { authority: Side; side: Side },
): Wanted => {
  const name = side === authority ? epochAlias : copyAlias;
  return new Map(spec.indices.map((pair, ordinal) => [name(spec.route, epoch, ordinal), pair[side]]));
};

const epochName = (slug: string, alias: string): number | undefined => {
  const rest = alias.startsWith(`crossfade-${slug}-`) ? alias.slice(`crossfade-${slug}-`.length) : '';
  const match = /^[ec](\d+)(?:-\d+)?$/.exec(rest);
  return match === null ? undefined : Number(match[1]);
};

/** Every alias of the route's epochs up to `through` that a side still has open, pointed at the fence. */
export const fenceThrough = (current: Aliases, slug: string, through: number): Wanted => {
  const names = Object.values(current).flat();
  return new Map(
    names
      .filter((name) => (epochName(slug, name) ?? Number.POSITIVE_INFINITY) <= through)
      .map((name) => [name, fenceIndex]),
  );
};

/**
 * Opened on both sides before a hold begins: `next` for the commit, `next + 1` for the way back. Nobody uses them until a
 * phase record names their epoch.
 */
export const prepareSwitch = (spec: RouteNames, next: number, { from, side }: { from: Side; side: Side }): Wanted =>
  new Map([
    ...openEpoch(spec, next, { authority: otherSide(from), side }),
    ...openEpoch(spec, next + 1, { authority: from, side }),
  ]);

export const aliasActions = (current: Aliases, wanted: Wanted): AliasAction[] => {
  const actions: AliasAction[] = [];
  for (const [alias, index] of wanted) {
    const holders = Object.keys(current).filter((name) => current[name]?.includes(alias));
    for (const holder of holders) if (holder !== index) actions.push({ remove: { index: holder, alias } });
    if (!holders.includes(index)) actions.push({ add: { index, alias, is_write_index: true, is_hidden: true } });
  }
  return actions;
};
