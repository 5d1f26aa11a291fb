/**
 * Which alias must point where, for each step of a route's life, and the one `_aliases` call that gets there. Wanted
 * state is compared with what the cluster has, so every step may be repeated after a crash. Invariants: an alias of a
 * past epoch is never removed but pointed at the write-blocked fence index, because a late writer to a name that does
 * not exist would create an index of that name; an alias at the fence is never opened again, so that a leader that woke
 * up late can undo no fence. A second write index under one name is refused by the cluster itself.
 */
import { copyAlias, type EpochAlias, epochAlias, fenceIndex, parseEpochAlias } from '../../coordination/keys.ts';
import { switchEpochs } from '../../coordination/phase-machine.ts';
import { otherSide, type Side } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';

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

const epochAliasOf = (slug: string, name: string): EpochAlias | undefined => {
  const alias = parseEpochAlias(name);
  return alias?.slug === slug ? alias : undefined;
};

/** Every alias of the route's epochs up to `through` that a side still has open, pointed at the fence. */
export const fenceThrough = (current: Aliases, slug: string, through: number): Wanted => {
  const names = Object.values(current).flat();
  return new Map(
    names
      .filter((name) => (epochAliasOf(slug, name)?.epoch ?? Number.POSITIVE_INFINITY) <= through)
      .map((name) => [name, fenceIndex]),
  );
};

export type Reigning = {
  epoch: number;
  /** First epoch of the reign. */
  firstEpoch: number;
  authority: Side;
  side: Side;
};

/**
 * What must not be open on a side any more under a record without a hold: everything of earlier reigns, the other
 * direction, and the ending of the last switch that did not come. Later epochs may be those of a switch of a newer leader.
 */
export const closeOthers = (current: Aliases, spec: RouteNames, reigning: Reigning): Wanted => {
  const { epoch, firstEpoch, authority, side } = reigning;
  const open = side === authority ? 'writes' : 'copies';
  const other = new Set(spec.indices.map((pair) => pair[otherSide(side)]));
  // Both sides may be one cluster: there the other side's aliases are its own matter.
  const held = Object.entries(current).flatMap(([index, names]) => (other.has(index) ? [] : names));
  const isOver = (name: string): boolean => {
    const found = epochAliasOf(spec.route, name);
    if (found === undefined || found.epoch > epoch + 1) return false;
    return found.epoch < firstEpoch || found.epoch > epoch || found.use !== open;
  };
  return new Map(held.filter(isOver).map((name) => [name, fenceIndex]));
};

/** Has somebody prepared a switch from this epoch, or one after it, that no record names yet? */
export const isPrepared = (current: Aliases, slug: string, epoch: number): boolean =>
  Object.entries(current).some(
    ([index, names]) =>
      index !== fenceIndex && names.some((name) => (epochAliasOf(slug, name)?.epoch ?? 0) > epoch + 1),
  );

/**
 * Opened on both sides before a hold begins: the copies inside the hold, the commit, and the release. Nobody uses them
 * until a phase record names their epoch.
 */
export const prepareSwitch = (spec: RouteNames, epoch: number, { from, side }: { from: Side; side: Side }): Wanted => {
  const { hold, commit, release } = switchEpochs(epoch);
  return new Map([
    ...(side === from ? [] : openEpoch(spec, hold, { authority: from, side })),
    ...openEpoch(spec, commit, { authority: otherSide(from), side }),
    ...openEpoch(spec, release, { authority: from, side }),
  ]);
};

/** Wanted open and not standing alone where they should: moved by somebody, or closed for ever. */
export const misplaced = (current: Aliases, wanted: Wanted): string[] =>
  [...wanted]
    .filter(([alias, index]) => {
      const holders = Object.keys(current).filter((name) => current[name]?.includes(alias));
      return holders.length !== 1 || holders[0] !== index;
    })
    .map(([alias]) => alias);

export const aliasActions = (current: Aliases, wanted: Wanted): AliasAction[] => {
  const actions: AliasAction[] = [];
  for (const [alias, index] of wanted) {
    const holders = Object.keys(current).filter((name) => current[name]?.includes(alias));
    if (index !== fenceIndex && holders.includes(fenceIndex)) continue;
    for (const holder of holders) if (holder !== index) actions.push({ remove: { index: holder, alias } });
    if (!holders.includes(index)) actions.push({ add: { index, alias, is_write_index: true, is_hidden: true } });
  }
  return actions;
};
