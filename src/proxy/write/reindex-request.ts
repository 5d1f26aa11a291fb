/**
 * Decides where a reindex runs and writes its body with the names of that side, also those that its query looks up or
 * selects by. Reading and writing happen on one cluster, so all its indices must be current there; what would read from one
 * cluster and write to the other is refused. Pure.
 */
import type { RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import {
  applyEdits,
  type Edit,
  eachElement,
  members,
  parseSlice,
  rawOf,
  type Slice,
  skipSpace,
  textOf,
} from '../../json/scan.ts';
import { type BodyFacts, inspectBody } from '../read/body-names.ts';
import { bodyTrouble, nameEdits } from '../read/body-words.ts';
import { aliasRouting, usesTargetName } from '../read/side-names.ts';
import type { RoutedIndex, RouteTable } from '../types.ts';
import { authorityOf, concreteName, resolveWrite, type WriteTarget, writeName } from './names.ts';

export type ReindexPlan = {
  readonly side: Side;
  /** The route that is written to; undefined when the destination is not routed. */
  readonly dest: RoutedIndex | undefined;
  /** Routes that are read from. */
  readonly sources: readonly RoutedIndex[];
  readonly destSlice: Slice | undefined;
  /** Of what is written. */
  readonly versionType: string | undefined;
  /** Of what is read. */
  readonly edits: readonly Edit[];
};

type PlanOptions = { readonly table: RouteTable; readonly date: Date; readonly sameCluster: boolean };

/** @throws CrossfadeError BAD_BODY, UNSUPPORTED, MIXED_ROUTES */
export const planReindexBody = (body: Buffer, { table, date, sameCluster }: PlanOptions): ReindexPlan => {
  const places = findPlaces(body);
  const dest = destOf(resolveNamed(body, places.dest, (name) => resolveWrite(table, name, date)));
  const expression = places.remote ? undefined : expressionOf(body, places.source);
  const read = readFrom(expression, { table, date });
  const side = sideOf({ dest, read, sameCluster });
  if ((dest !== undefined || read.indices.length > 0) && places.changesIndex)
    throw new CrossfadeError('UNSUPPORTED', 'A reindex of routed indices must not set ctx._index in its script.');
  const edits = places.remote ? [] : readEdits({ places, expression, read, table, sameCluster });
  return { side, dest, sources: read.indices, destSlice: places.dest, versionType: places.versionType, edits };
};

type Places = {
  source: Slice | undefined;
  dest: Slice | undefined;
  versionType: string | undefined;
  remote: boolean;
  /** A script that may write to an index of its own choice. */
  changesIndex: boolean;
  facts: BodyFacts;
};

const findPlaces = (body: Buffer): Places => {
  try {
    const root = members(body, skipSpace(body, 0), ['source', 'dest', 'script']);
    const source = root.source === undefined ? {} : members(body, root.source.start, ['index', 'remote']);
    const dest = root.dest === undefined ? {} : members(body, root.dest.start, ['index', 'version_type']);
    return {
      source: source.index,
      dest: dest.index,
      versionType: textOf(body, dest.version_type),
      remote: source.remote !== undefined,
      changesIndex: root.script !== undefined && rawOf(body, root.script).includes('_index'),
      facts: inspectBody(body),
    };
  } catch (cause) {
    throw new CrossfadeError('BAD_BODY', 'The body of a reindex must be JSON to be routed.', { cause });
  }
};

const resolveNamed = (body: Buffer, slice: Slice | undefined, resolve: (name: string) => WriteTarget): WriteTarget => {
  const name = slice === undefined ? undefined : parseSlice(body, slice);
  return typeof name === 'string' ? resolve(name) : { kind: 'unrouted' };
};

const destOf = (target: WriteTarget): RoutedIndex | undefined => {
  if (target.kind === 'ambiguous')
    throw new CrossfadeError('UNSUPPORTED', 'The destination leads to several indices without a declared write index.');
  if (target.kind === 'unrouted') return undefined;
  if (target.index.aliasRouting !== undefined)
    throw new CrossfadeError('UNSUPPORTED', 'The destination is an alias with routing; name the index instead.');
  return target.index;
};

/** A name or a list of names, as one expression. */
const expressionOf = (body: Buffer, slice: Slice | undefined): string | undefined => {
  if (slice === undefined) return undefined;
  if (body[slice.start] !== 0x5b) return String(parseSlice(body, slice));
  const names: string[] = [];
  eachElement(body, slice.start, (item) => {
    names.push(String(parseSlice(body, item)));
  });
  return names.join(',');
};

type Read = {
  readonly indices: readonly RoutedIndex[];
  /** Routes touched by an expression that also touches more; their names cannot be replaced one by one. */
  readonly mixed: readonly RouteState[];
  readonly unrouted: boolean;
};
const nothingRead: Read = { indices: [], mixed: [], unrouted: false };

const readFrom = (expression: string | undefined, { table, date }: { table: RouteTable; date: Date }): Read => {
  if (expression === undefined) return nothingRead;
  const resolution = table.resolve(expression, date);
  switch (resolution.kind) {
    case 'none':
      return { ...nothingRead, unrouted: true };
    case 'route':
      return { ...nothingRead, indices: resolution.indices };
    case 'mixed':
      return { indices: [], mixed: resolution.states, unrouted: resolution.unrouted };
    default:
      return resolution satisfies never;
  }
};

const sideOf = ({
  dest,
  read,
  sameCluster,
}: {
  dest: RoutedIndex | undefined;
  read: Read;
  sameCluster: boolean;
}): Side => {
  const readAt = [...read.indices.map((index) => authorityOf(index.state)), ...read.mixed.map(authorityOf)];
  const sides = new Set<Side>(readAt);
  if (read.unrouted && !sameCluster) sides.add('source');
  if (dest !== undefined) sides.add(authorityOf(dest.state));
  else if (!sameCluster) sides.add('source');
  const [side = 'source', other] = sides;
  if (other !== undefined && !(sameCluster && read.mixed.length === 0)) throw mixedSides();
  if (read.mixed.length > 0 && side === 'target') throw mixedSides();
  return dest === undefined ? side : authorityOf(dest.state);
};

const mixedSides = (): CrossfadeError =>
  new CrossfadeError(
    'UNSUPPORTED',
    'This reindex would read on one cluster and write on the other, because the authority of a route has moved.',
  );

type Reading = { places: Places; expression: string | undefined; read: Read; table: RouteTable; sameCluster: boolean };

/**
 * In one cluster the side is that of the destination, and what is read may have moved before it: then it is read, and
 * selected, by its own names. So is what is asked for by a name of the target, as in any read.
 */
const readEdits = ({ places, expression, read, table, sameCluster }: Reading): Edit[] => {
  const { indices } = read;
  const { facts } = places;
  const hasMoved = indices.some(({ state }) => authorityOf(state) === 'target');
  const words = { table, side: hasMoved ? 'target' : 'source', sameCluster } as const;
  const trouble = bodyTrouble({ ...words, facts, query: '', states: indices.map(({ state }) => state) });
  if (trouble !== undefined) throw trouble;
  const edits = nameEdits(facts, words);
  if (places.source === undefined || !(hasMoved || usesTargetName(expression, indices))) return edits;
  if (aliasRouting(indices).kind !== 'none')
    throw new CrossfadeError('UNSUPPORTED', 'The source is an alias with routing; name the index instead.');
  const names = [...new Set(indices.map((index) => concreteName(index.state, index.ordinal)))];
  return [...edits, { ...places.source, text: JSON.stringify(names) }];
};

/** @param state of the destination's route, from the ticket */
export const reindexBody = (body: Buffer, plan: ReindexPlan, state: RouteState | undefined): Buffer => {
  const edits = [...plan.edits];
  const { dest, destSlice } = plan;
  if (dest !== undefined && destSlice !== undefined && state !== undefined)
    edits.push({ ...destSlice, text: JSON.stringify(writeName(state, dest.ordinal)) });
  return applyEdits(
    body,
    edits.sort((a, b) => a.start - b.start),
  );
};
