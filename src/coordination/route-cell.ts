/**
 * What a member knows of one key: the last good value, the last deletion and the last refused text, each with its
 * revision. Every part only moves to a higher revision, so pushes, polls and the cache on disk may overlap, repeat and
 * overtake one another: the result is the same.
 * Invariant: rubbish never displaces a good value; a value at or below the last deletion is gone; what the store has
 * lost stays, value or deletion, until somebody writes or deletes it anew.
 */
import type { Parsed } from './human-values.ts';
import type { Change } from './ports.ts';

export type Good<T> = {
  readonly revision: number;
  readonly text: string;
  readonly value: T;
  /** The store has lost it since, so its absence there means nothing. */
  readonly lost?: true | undefined;
};
export type Refused = { readonly revision: number; readonly message: string; readonly alarm: boolean };
export type Cell<T> = {
  readonly good: Good<T> | undefined;
  /** Revision at which the key was last seen deleted; 0 = never. */
  readonly deletedAt: number;
  /** The store has lost that deletion since: it holds against what stands there again. */
  readonly deletionLost?: true | undefined;
  readonly refused: Refused | undefined;
};
export const emptyCell: Cell<never> = { good: undefined, deletedAt: 0, refused: undefined };

/** How a cell reads a text, and whether a well-formed newer value may follow the good one. */
export type CellRules<T> = {
  read: (text: string, revision: number) => Parsed<T>;
  objection?: (next: T, current: T) => string | undefined;
};

/** The highest revision that this cell has seen in any form. */
export const seenRevision = (cell: Cell<unknown>): number =>
  Math.max(cell.good?.revision ?? 0, cell.deletedAt, cell.refused?.revision ?? 0);

/** The value in force, or undefined when it was never set or is deleted. */
export const present = <T>(cell: Cell<T>): Good<T> | undefined =>
  cell.good !== undefined && cell.good.revision > cell.deletedAt ? cell.good : undefined;

/** The text that stands in the store and is not in force. */
export const standingRefusal = (cell: Cell<unknown>): Refused | undefined =>
  cell.refused !== undefined && cell.refused.revision > Math.max(cell.good?.revision ?? 0, cell.deletedAt)
    ? cell.refused
    : undefined;

export const foldCell = <T>(cell: Cell<T>, change: Change, rules: CellRules<T>): Cell<T> => {
  const { revision, value: text, lost } = change;
  if (text === undefined)
    return revision > cell.deletedAt ? { ...cell, deletedAt: revision, deletionLost: lost } : cell;
  // Listings repeat everything all the time, and nothing at or below a good value can change the cell.
  if (cell.good !== undefined && revision <= cell.good.revision) return cell;
  const parsed = rules.read(text, revision);
  if (!parsed.ok) return refuse(cell, { revision, message: parsed.message, alarm: false });
  return offer(cell, { revision, text, value: parsed.value, ...(lost && { lost }) }, rules);
};

/** `kept`: the last revision that the store has not lost. `level`: up to where what it holds counts as older than the cell. */
export type CellLoss = { kept: number; level: number };

/**
 * What was in force stays, and whatever is written beyond `level` is newer, though its revision may be lower than one that
 * was seen before.
 */
export const rebaseCell = <T>(cell: Cell<T>, { kept, level }: CellLoss, inForce: Good<T> | undefined): Cell<T> => {
  if (seenRevision(cell) <= kept) return cell;
  if (inForce === undefined) {
    const isDeleted = cell.deletedAt > Math.max(kept, cell.good?.revision ?? 0);
    return { good: undefined, deletedAt: level, refused: undefined, ...(isDeleted && { deletionLost: true }) };
  }
  const good = inForce.revision > kept ? { ...inForce, revision: level, lost: true as const } : inForce;
  return { good, deletedAt: Math.min(cell.deletedAt, good.revision - 1), refused: undefined };
};

/** A value stands in the store again whose deletion it has lost. */
export const isBack = ({ good, deletedAt, deletionLost }: Cell<unknown>): boolean =>
  deletionLost === true && good !== undefined && good.revision <= deletedAt;

const refuse = <T>(cell: Cell<T>, refused: Refused): Cell<T> =>
  refused.revision > (cell.refused?.revision ?? 0) ? { ...cell, refused } : cell;

const offer = <T>(cell: Cell<T>, candidate: Good<T>, rules: CellRules<T>): Cell<T> => {
  const { good } = cell;
  if (good !== undefined && candidate.revision <= good.revision) return cell;
  const message = good === undefined ? undefined : rules.objection?.(candidate.value, good.value);
  return message === undefined
    ? { ...cell, good: candidate }
    : refuse(cell, { revision: candidate.revision, message, alarm: true });
};
