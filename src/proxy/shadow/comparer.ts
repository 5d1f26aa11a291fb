/**
 * Decides where two answers are compared: equal bytes and small answers between the events of clients, large ones apart,
 * in a thread of their own, because a comparison cannot be cut into pieces and what it parses has to be collected.
 * The verdict is the same wherever it is found.
 */
import { type Comparison, compareAnswers, compareBytes } from '../../compare/compare.ts';
import type { Answerer, Observation } from '../../compare/types.ts';
import type { IndexNames } from '../rename.ts';
import type { Turns } from './turns.ts';

/** A comparison in words alone; `names` maps the names in each answer to those that both share. */
export type ComparisonTask = Omit<Comparison, 'renameIndex'> & {
  readonly names: Readonly<Record<Answerer, IndexNames>>;
};
export type Compare = (task: ComparisonTask) => Promise<Observation>;

export const carryOut = ({ names, ...comparison }: ComparisonTask): Observation =>
  compareAnswers({ ...comparison, renameIndex: (name, answerer) => names[answerer].get(name) ?? name });

/** Bytes of both answers from which on handing them over costs less than what it saves clients: some 0.3 ms of work. */
const largeBytes = 16 * 1024;
const isLarge = ({ authority, other }: ComparisonTask): boolean =>
  authority.body.length + other.body.length >= largeBytes;

export type ComparerOptions = { readonly inTurn: Turns; readonly compareApart?: Compare };

export const createComparer = ({ inTurn, compareApart }: ComparerOptions): Compare => {
  if (compareApart === undefined) return (task) => inTurn(() => carryOut(task));
  return async (task) => {
    if (!isLarge(task)) return inTurn(() => carryOut(task));
    return (await inTurn(() => compareBytes(task))) ?? compareApart(task);
  };
};
