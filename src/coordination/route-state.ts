/**
 * Folds the entries and changes of the store into the state of each route: the last good value of every key. Decides
 * what a member believes, nothing else; delivery, disk and clocks are route-watcher.ts's.
 * Invariants: per key the applied revision only grows, and with it reign and epoch of the phase; rubbish keeps the last
 * good value and shows as an error; deleting pct.* and stop means their default, deleting the phase means nothing,
 * deleting the spec takes effect in phase `off` only. A phase that was deleted or cannot be read, and of which no good
 * value was ever seen, is not known: it never counts as `off`.
 */
import type * as z from 'zod';
import { type Parsed, parsePercent, parseRate, parseStop } from './human-values.ts';
import { keys, parseRouteKey, type PercentKind, percentKinds, type RouteField } from './keys.ts';
import type { Change, Entry, Loss, RouteState, RouteStates } from './ports.ts';
import { defaultPercents, initialPhase, type Percents, PhaseRecord, withFloor } from './records.ts';
import { RouteSpec } from './route-spec.ts';
import {
  type Cell,
  type CellRules,
  emptyCell,
  foldCell,
  type Good,
  isBack,
  present,
  rebaseCell,
  seenRevision,
  standingRefusal,
} from './route-cell.ts';

type Values = {
  cfg: RouteSpec;
  phase: PhaseRecord;
  'pct.read': number;
  'pct.shadow': number;
  'pct.write': number;
  stop: boolean;
  rate: number | 'pause';
};
type Cells = { readonly [F in RouteField]: Cell<Values[F]> };
type Slot = {
  readonly cells: Cells;
  /** Keys under the route that no setting has: most likely a slip of the pen, so they show as errors. */
  readonly strays: ReadonlyMap<string, Cell<never>>;
  readonly state: RouteState | undefined;
};
/** An immutable value; {@link foldChanges} returns the same object when nothing changed. */
export type RouteFold = ReadonlyMap<string, Slot>;
export const emptyFold: RouteFold = new Map();

const json = <T>(schema: z.ZodType<T>, text: string): Parsed<T> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: 'is not JSON' };
  }
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const [issue] = result.error.issues;
  return { ok: false, message: `${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'not valid'}` };
};

const readSpec = (text: string, slug: string): Parsed<RouteSpec> => {
  const parsed = json(RouteSpec as z.ZodType<RouteSpec>, text);
  return parsed.ok && parsed.value.route !== slug
    ? { ok: false, message: `route: names ${parsed.value.route}, not ${slug}` }
    : parsed;
};

const readPhase = (text: string, revision: number): Parsed<PhaseRecord> => {
  const parsed = json(PhaseRecord, text);
  return parsed.ok ? { ok: true, value: withFloor(parsed.value, revision) } : parsed;
};

const backwards = (next: PhaseRecord, current: PhaseRecord): string | undefined =>
  next.reign < current.reign || next.epoch < current.epoch
    ? `goes back from reign ${current.reign}, epoch ${current.epoch} to reign ${next.reign}, epoch ${next.epoch}`
    : undefined;

const rulesOf = (slug: string): { readonly [F in RouteField]: CellRules<Values[F]> } => ({
  cfg: { read: (text) => readSpec(text, slug) },
  phase: { read: readPhase, objection: backwards },
  'pct.read': { read: parsePercent },
  'pct.shadow': { read: parsePercent },
  'pct.write': { read: parsePercent },
  stop: { read: parseStop },
  rate: { read: parseRate },
});
const strayRules: CellRules<never> = { read: () => ({ ok: false, message: 'no setting has this name' }) };

const emptySlot: Slot = {
  cells: {
    cfg: emptyCell,
    phase: emptyCell,
    'pct.read': emptyCell,
    'pct.shadow': emptyCell,
    'pct.write': emptyCell,
    stop: emptyCell,
    rate: emptyCell,
  },
  strays: new Map(),
  state: undefined,
};

const strayKey = /^rt\.([a-z0-9][a-z0-9_-]{0,62})\.(?!ask$)/;

/** Applies changes in any order and any number of times; keys that are no route settings are ignored. */
export const foldChanges = (fold: RouteFold, changes: Iterable<Change>): RouteFold => {
  let next: Map<string, Slot> | undefined;
  for (const change of changes) {
    const route = parseRouteKey(change.key);
    const slug = route?.slug ?? strayKey.exec(change.key)?.[1];
    if (slug === undefined) continue;
    const before = (next ?? fold).get(slug) ?? emptySlot;
    const after = route === undefined ? foldStray(before, change) : foldField(before, { ...route, change });
    if (after === before) continue;
    next ??= new Map(fold);
    next.set(slug, { ...after, state: stateOf(slug, after) });
  }
  return next ?? fold;
};

type FieldChange<F extends RouteField> = { slug: string; field: F; change: Change };
const foldField = <F extends RouteField>(slot: Slot, { slug, field, change }: FieldChange<F>): Slot => {
  const cells: { readonly [K in RouteField]: Cell<Values[K]> } = slot.cells;
  const cell = foldCell<Values[F]>(cells[field], change, rulesOf(slug)[field]);
  return cell === cells[field] ? slot : { ...slot, cells: { ...cells, [field]: cell } };
};

const foldStray = (slot: Slot, change: Change): Slot => {
  const before = slot.strays.get(change.key) ?? emptyCell;
  const cell = foldCell(before, change, strayRules);
  return cell === before ? slot : { ...slot, strays: new Map(slot.strays).set(change.key, cell) };
};

/** Somebody wrote rubbish over the phase, or deleted it, before this process had seen a good one. */
const isPhaseLost = ({ cfg, phase }: Cells): boolean => {
  if (phase.good !== undefined) return false;
  const hasSpec = seenRevision(cfg) > cfg.deletedAt;
  return standingRefusal(phase) !== undefined || (phase.deletedAt > 0 && hasSpec);
};

const stateOf = (slug: string, { cells, strays }: Slot): RouteState | undefined => {
  if (isPhaseLost(cells)) return undefined;
  const phase = cells.phase.good?.value ?? initialPhase;
  const spec = phase.phase === 'off' ? present(cells.cfg) : cells.cfg.good;
  if (spec === undefined) return undefined;
  const phaseRevision = cells.phase.good?.revision ?? 0;
  return assemble(slug, { cells, strays }, { spec: spec.value, specRevision: spec.revision, phase, phaseRevision });
};

type Founded = Pick<RouteState, 'spec' | 'specRevision' | 'phase' | 'phaseRevision'>;

const assemble = (slug: string, { cells, strays }: Omit<Slot, 'state'>, founded: Founded): RouteState => {
  const { phase } = founded;
  return {
    slug,
    ...founded,
    percent: percentsOf(cells, phase.percentFloor),
    stop: present(cells.stop)?.value ?? false,
    rate: present(cells.rate)?.value,
    errors: errorsOf(slug, cells, strays),
  };
};

const percentsOf = (cells: Cells, floor: number): Percents => {
  const percents = { ...defaultPercents };
  for (const kind of percentKinds) percents[kind] = inForce(cells[`pct.${kind}`], floor)?.value ?? percents[kind];
  return percents;
};

/** Not voided by a switch. What the store has lost was in force then, and may stand level with the floor since. */
const inForce = (cell: Cell<number>, floor: number): Good<number> | undefined => {
  const set = present(cell);
  return set !== undefined && (set.revision > floor || (set.lost === true && set.revision === floor)) ? set : undefined;
};

const errorsOf = (slug: string, cells: Cells, strays: Slot['strays']): RouteState['errors'] => {
  const all: [string, Cell<unknown>][] = Object.entries(cells).map(([field, cell]) => [`rt.${slug}.${field}`, cell]);
  const refused = [...all, ...strays].flatMap(([key, cell]) => {
    const standing = standingRefusal(cell);
    if (standing !== undefined) return [{ key, message: standing.message }];
    if (isBack(cell))
      return [{ key, message: 'its deletion was lost by the store and holds here: delete or write it again' }];
    const isLost = present(cell)?.lost === true;
    return isLost ? [{ key, message: 'was lost by the store and stays in force here: write it again' }] : [];
  });
  return [...refused, ...deletionErrors(slug, cells)];
};

const deletionErrors = (slug: string, cells: Cells): RouteState['errors'] =>
  (['cfg', 'phase'] as const)
    .filter((field) => cells[field].deletedAt > 0 && cells[field].good !== undefined)
    .filter((field) => present<unknown>(cells[field]) === undefined)
    .map((field) => ({ key: `rt.${slug}.${field}`, message: 'was deleted; the last good value stays in force' }));

/** What stands in the store for the two values without which there is no route; `stands`: any text, be it rubbish. */
export type Foundations = {
  slug: string;
  spec: { good: RouteSpec | undefined; revision: number; stands: boolean };
  phase: { good: PhaseRecord | undefined; revision: number; stands: boolean };
};

const foundation = <T>(cell: Cell<T>): { good: T | undefined; revision: number; stands: boolean } => {
  const good = present(cell);
  const refused = standingRefusal(cell);
  return {
    good: refused === undefined ? good?.value : undefined,
    revision: good?.revision ?? 0,
    stands: good !== undefined || refused !== undefined,
  };
};

/** `slugs`: routes that are known from elsewhere, and of which the store may hold nothing. */
export const foundationsIn = (fold: RouteFold, slugs: Iterable<string>): Foundations[] =>
  [...new Set([...fold.keys(), ...slugs])].map((slug) => {
    const { cells } = fold.get(slug) ?? emptySlot;
    return { slug, spec: foundation(cells.cfg), phase: foundation(cells.phase) };
  });

/** A route of which spec and phase are known from elsewhere. */
export const stateOn = (fold: RouteFold, slug: string, founded: Founded): RouteState =>
  assemble(slug, fold.get(slug) ?? emptySlot, founded);

/** The routes whose spec is known, by slug. */
export const statesOf = (fold: RouteFold): RouteStates => {
  const states = new Map<string, RouteState>();
  for (const [slug, { state }] of fold) if (state !== undefined) states.set(slug, state);
  return states;
};

/**
 * Routes whose phase is not known, or that are not `off` and whose spec is not: their traffic must not pass as if it were
 * unrouted, nor go to the source as if they were `off`.
 */
export const routesWithoutSpec = (fold: RouteFold): string[] =>
  [...fold].flatMap(([slug, { cells, state }]) =>
    state === undefined && (isPhaseLost(cells) || (cells.phase.good?.value.phase ?? 'off') !== 'off') ? [slug] : [],
  );

/** Every refused or deleted value, also of routes that have no state yet. */
export const errorsIn = (fold: RouteFold): { key: string; message: string }[] =>
  [...fold].flatMap(([slug, { cells, strays }]) => [...errorsOf(slug, cells, strays)]);

/** Phase records that were refused because they lead backwards: somebody wrote past the leader, or the store lost data. */
export const alarmsOf = (fold: RouteFold): { key: string; message: string }[] =>
  [...fold].flatMap(([slug, { cells }]) => {
    const refusal = standingRefusal(cells.phase);
    return refusal?.alarm === true ? [{ key: `rt.${slug}.phase`, message: refusal.message }] : [];
  });

function* cellsOf(fold: RouteFold): Generator<[string, Cell<unknown>]> {
  for (const [slug, { cells, strays }] of fold) {
    for (const [field, cell] of Object.entries(cells)) yield [`rt.${slug}.${field}`, cell];
    yield* strays;
  }
}

/** Stands in the cache for a text that cannot be read. */
const rubbish = '';

/**
 * The good values and deletions as changes, and what is rubbish from the beginning: folding them again gives the same
 * states, so this is what the cache holds.
 */
export const changesOf = (fold: RouteFold): Change[] =>
  [...cellsOf(fold)].flatMap(([key, { good, deletedAt, deletionLost, refused }]) => [
    ...(good === undefined ? [] : [{ key, value: good.text, revision: good.revision, lost: good.lost }]),
    ...(good !== undefined || refused === undefined ? [] : [{ key, value: rubbish, revision: refused.revision }]),
    ...(deletedAt === 0 ? [] : [{ key, value: undefined, revision: deletedAt, lost: deletionLost }]),
  ]);

/**
 * The phases that were never written, as a complete listing tells: `off`, which whoever has seen it holds against rubbish
 * and deletions like any other good value. `told`: routes that members know to be beyond it.
 */
export const unwritten = (
  now: RouteFold,
  listing: readonly Entry[],
  told: Pick<ReadonlyMap<string, number>, 'has'> = new Map(),
): Change[] =>
  listing.flatMap(({ key }) => {
    const route = parseRouteKey(key);
    if (route?.field !== 'cfg') return [];
    const phase = now.get(route.slug)?.cells.phase ?? emptyCell;
    const isNew = phase.good === undefined && seenRevision(phase) === 0 && !told.has(route.slug);
    return isNew && !listing.some((entry) => entry.key === keys.phase(route.slug))
      ? [{ key: keys.phase(route.slug), value: JSON.stringify(initialPhase), revision: 0 }]
      : [];
  });

/**
 * Deletions that a complete listing implies: keys known before it was asked for, unchanged since, and not in it. A key
 * that changed in the meantime is left alone, because the listing may be older than the change.
 */
export const absences = (before: RouteFold, now: RouteFold, listing: readonly Entry[]): Change[] => {
  const listed = new Set(listing.map((entry) => entry.key));
  const cellsNow = new Map(cellsOf(now));
  return [...cellsOf(before)].flatMap(([key, cell]) => {
    const revision = seenRevision(cell);
    const later = cellsNow.get(key) ?? emptyCell;
    const stands = revision > cell.deletedAt && seenRevision(later) === revision && later.good?.lost !== true;
    return stands && !listed.has(key) ? [{ key, value: undefined, revision }] : [];
  });
};

/** Keys whose revision in the store is below the one applied before it was asked: the store lost acknowledged writes. */
export const regressions = (before: RouteFold, listing: readonly Entry[]): { key: string; message: string }[] => {
  const proven = [...cellsOf(before)].filter(([, cell]) => cell.good?.lost !== true && !isBack(cell));
  const seen = new Map(proven.map(([key, cell]) => [key, seenRevision(cell)]));
  return listing
    .filter((entry) => entry.revision < (seen.get(entry.key) ?? 0))
    .map(({ key, revision }) => ({
      key,
      message: `stands at revision ${revision}, below ${seen.get(key)} already applied`,
    }));
};

/** The highest revision that anything here was read at. */
export const highestIn = (fold: RouteFold): number =>
  Math.max(0, ...[...cellsOf(fold)].map(([, cell]) => seenRevision(cell)));

const stands = ({ good }: Cell<unknown>, entry: Entry | undefined): boolean =>
  good !== undefined && good.revision === entry?.revision && good.text === entry.value;

/** The last revision of these that a listing still shows. */
export const keptIn = (fold: RouteFold, listing: readonly Entry[]): number => {
  const listed = new Map(listing.map((entry) => [entry.key, entry]));
  const kept = [...cellsOf(fold)].filter(([key, cell]) => stands(cell, listed.get(key)));
  return Math.max(0, ...kept.map(([, { good }]) => good?.revision ?? 0));
};

/** A switch voids what was written before it, and so nothing that the store gets from now on. */
const rebasePhase = (cell: Cell<PhaseRecord>, end: number): Cell<PhaseRecord> => {
  const { good } = cell;
  if (good === undefined || good.value.percentFloor <= end) return cell;
  const value = { ...good.value, percentFloor: end };
  return { ...cell, good: { ...good, value, text: JSON.stringify(value) } };
};

/**
 * What the store holds between `kept` and `end` may be news and may be older than what it has lost, so what was in force stays.
 * The brake alone goes on by it: of two readings that one harms nobody.
 */
const rebaseCells = (cells: Cells, { end, kept }: Loss, isListed: (field: RouteField) => boolean): Cells => {
  const floor = cells.phase.good?.value.percentFloor ?? 0;
  const isBraked = present(cells.stop)?.value === true;
  const own = <F extends Exclude<RouteField, 'phase'>>(
    field: F,
    goodOf: (cell: Cell<Values[F]>) => Good<Values[F]> | undefined = present,
  ): Cell<Values[F]> => {
    const cell: Cell<Values[F]> = cells[field];
    const level = Math.max(1, field === 'stop' && !isBraked ? kept : end);
    return isListed(field) ? cell : rebaseCell(cell, { kept, level }, goodOf(cell));
  };
  const percent = (field: `pct.${PercentKind}`): Cell<number> => own(field, (cell) => inForce(cell, floor));
  return {
    cfg: present(cells.cfg) === undefined ? cells.cfg : own('cfg'),
    // Its reign and epoch say which of two records is the newer one.
    phase: rebasePhase(cells.phase, end),
    'pct.read': percent('pct.read'),
    'pct.shadow': percent('pct.shadow'),
    'pct.write': percent('pct.write'),
    stop: own('stop'),
    rate: own('rate'),
  };
};

/** The store has lost writes: what people write from now on counts, until then all stays as it is. */
export const rebase = (fold: RouteFold, loss: Loss, listing: readonly Entry[]): RouteFold => {
  const listed = new Map(listing.map((entry) => [entry.key, entry]));
  return new Map(
    [...fold].map(([slug, slot]) => {
      const isListed = (field: RouteField): boolean => {
        const cell = slot.cells[field];
        return seenRevision(cell) === cell.good?.revision && stands(cell, listed.get(`rt.${slug}.${field}`));
      };
      const after = { ...slot, cells: rebaseCells(slot.cells, loss, isListed) };
      return [slug, { ...after, state: stateOf(slug, after) }];
    }),
  );
};
