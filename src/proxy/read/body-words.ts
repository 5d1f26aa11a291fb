/**
 * Says the names inside a body in the words of one side, and tells when that cannot be done: when documents are looked up
 * that are not current there, or when the body selects by the name of its index in words that cannot be rewritten. Pure.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, type Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import { applyEdits, type Edit } from '../../json/scan.ts';
import { getParam } from '../query.ts';
import type { RoutedIndex, RouteTable } from '../types.ts';
import { type BodyFacts, type NamePlace, renameEdits, speaksOfIndex } from './body-names.ts';
import { nameOn, usesTargetName } from './side-names.ts';

/** Where a request is said, and in whose names. */
export type Words = { readonly table: RouteTable; readonly side: Side; readonly sameCluster: boolean };

/** What has to change in a body; to be sorted by the caller. */
export const nameEdits = (facts: Pick<BodyFacts, 'names'>, words: Words): Edit[] =>
  renameEdits(facts, (place) => nameFor(place, words));

/**
 * Hits have the names of the side that is searched. Documents that are looked up are read where they are current, which in
 * one cluster may be under the name of the other side. A name that stands for several indices stays for the cluster to judge.
 */
const nameFor = ({ name, isLookup }: NamePlace, { table, side, sameCluster }: Words): string => {
  const found = table.lookup(name) ?? [];
  const sideOf = ({ state }: RoutedIndex): Side => (isLookup && sameCluster ? authorityOf(state) : side);
  if (found.every((index) => sideOf(index) === 'source') && !(sameCluster && usesTargetName(name, found))) return name;
  const [only, ...others] = new Set(found.map((index) => nameOn(index, sideOf(index))));
  return only === undefined || others.length > 0 ? name : only;
};

const authorityOf = ({ phase }: RouteState): Side => authorityIn(phase.phase);

/** The same buffer when nothing has to change. */
export const bodyFor = (body: Buffer, facts: Pick<BodyFacts, 'names'>, words: Words): Buffer => {
  const edits = nameEdits(facts, words);
  return edits.length === 0 ? body : applyEdits(body, edits);
};

export const movedStates = ({ states }: Pick<RouteTable, 'states'>): readonly RouteState[] =>
  states.filter((state) => authorityOf(state) === 'target');

/** While a route has moved, a body may look documents up where they are not current. */
export const hasMoved = (table: Pick<RouteTable, 'states'>): boolean => movedStates(table).length > 0;

type PitBody = Words & { readonly facts: BodyFacts };

/** A point in time does not say of which routes it is; on the target it may be of any that has moved. */
export const pitTrouble = (said: PitBody): CrossfadeError | undefined =>
  bodyTrouble({ ...said, states: movedStates(said.table), query: '' });

/** A body may refer to other indices (terms lookup and the like); they must be current where the read runs. */
export const lookupElsewhere = (
  facts: Pick<BodyFacts, 'names'>,
  { table, side, sameCluster }: Words,
): CrossfadeError | undefined => {
  if (sameCluster) return undefined;
  const isHere = side === 'source' ? isOnSource : isOnTarget;
  const elsewhere = facts.names.find((place) => !isHere(place, table.lookup(place.name) ?? []));
  return (
    elsewhere &&
    new CrossfadeError('MIXED_ROUTES', `the body refers to [${elsewhere.name}], which is not current on the ${side}`)
  );
};

/** The source has what no route knows. Names of hits find nothing of a route that is not searched. */
const isOnSource = ({ isLookup }: NamePlace, found: readonly RoutedIndex[]): boolean =>
  !isLookup || found.every(({ state }) => authorityOf(state) === 'source');

const isOnTarget = (_: NamePlace, [only, ...others]: readonly RoutedIndex[]): boolean =>
  only !== undefined && others.length === 0 && authorityOf(only.state) === 'target';

/** A body as it is to be sent to a side, and the routes that it is searched in. */
export type SaidBody = Words & {
  /** undefined = it was not understood. */
  readonly facts: BodyFacts | undefined;
  /** It was not understood, and may name an index. */
  readonly hidesNames?: boolean;
  /** The query of the request. */
  readonly query: string;
  readonly states: readonly RouteState[];
};

/** Why the body would be answered wrongly on this side. */
export const bodyTrouble = (said: SaidBody): CrossfadeError | undefined => {
  const { facts, side, states } = said;
  const elsewhere = facts && lookupElsewhere(facts, said);
  if (elsewhere !== undefined || side === 'source' || !states.some(hasOtherNames)) return elsewhere;
  if (said.hidesNames === true)
    return new CrossfadeError('UNSUPPORTED', 'Names of indices must stand in a body in JSON to be said on the target.');
  // Words that select by the name of the index mean something else where it has another.
  return facts?.unsayable === true || speaksOfIndex(getParam(said.query, 'q') ?? '')
    ? new CrossfadeError('UNSUPPORTED', 'The query uses _index in a way that cannot be said on the target.')
    : undefined;
};

const hasOtherNames = ({ spec }: RouteState): boolean => spec.indices.some(({ source, target }) => source !== target);
