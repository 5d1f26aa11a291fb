/**
 * Keeps the ledger of the present reign up to date between switches and watches how far the growth of the authority's
 * sequence numbers runs ahead of what members account for: the gauge, and the reason not to begin a switch. The balance
 * that decides is struck inside the hold, see switch-io.ts. Before a first proof there is no ledger and so no figure,
 * but the movement can be watched all the same.
 */
import type { Membership } from '../../coordination/membership.ts';
import { balance, type Ledger, openLedger } from '../ledger.ts';
import type { Runtime } from '../runtime.ts';
import {
  addDrift,
  type Drift,
  isGrowing,
  newlyUnanswered,
  type Reading,
  type Reports,
  reported,
  reportsOf,
  unaccountedNow,
} from './drift.ts';
import { type JobStore, saveWork } from './job-state.ts';
import { observeAll } from './sequences.ts';

export type LedgerWatchDeps = { slug: string; job: JobStore; runtime: Runtime; members: () => Membership };
export interface LedgerWatch {
  /** `totals` reads the sequence numbers given out on the authority, by index. */
  look(reign: number, totals: () => Promise<readonly number[]>): Promise<void>;
  /** Writes that no member accounts for; undefined until a first proof gave the ledger its beginning. */
  unaccounted(): number | undefined;
  isGrowing(): boolean;
  /** Members with requests that were never answered lately; nobody knows how much these wrote. */
  unanswered(): string[];
  /** What was seen so far tells nothing about what comes: a new reign, or everybody out of reach was stopped. */
  forget(): void;
}

const unexplained = (ledger: Ledger, totals: readonly number[]): number =>
  balance(ledger, totals).unexplained.reduce((a, b) => a + b, 0);

export const createLedgerWatch = ({ slug, job, runtime, members }: LedgerWatchDeps): LedgerWatch => {
  let drift: Drift = [];
  let readings: readonly Reading[] = [];
  /** Stands in for the ledger until there is one: it remembers those that left, too. */
  let provisional: Ledger | undefined;
  /** The newest sample was taken against a ledger that a proof had opened. */
  let counted = false;

  const begun = (reign: number, indices: number): Ledger => {
    const known = job.current().work?.ledger ?? (provisional?.reign === reign ? provisional : undefined);
    return known ?? openLedger(reign, new Array<number>(indices).fill(0), []);
  };
  const keep = async (ledger: Ledger): Promise<void> => {
    counted = job.current().work?.ledger !== undefined;
    if (counted) await saveWork(job, { ledger });
    else provisional = ledger;
  };
  const judge = (ledger: Ledger, { heardMs, byQuery, pending, unanswered }: Reports): void => {
    const { reading, later } = reported(readings, heardMs);
    readings = later;
    if (reading === undefined || byQuery > 0) return;
    const { atMs, atMost } = reading;
    drift = addDrift(drift, { atMs, atMost, atLeast: unexplained(ledger, reading.totals) - pending, unanswered });
  };

  return {
    look: async (reign, read) => {
      const before = members();
      const totals = await read();
      const known = observeAll(begun(reign, totals.length), before, slug);
      const atMost = unexplained(known, totals) - reportsOf(before, slug).pending;
      readings = [...readings, { atMs: runtime.now(), totals, atMost }];
      const ledger = observeAll(known, members(), slug);
      judge(ledger, reportsOf(members(), slug));
      await keep(ledger);
    },
    unaccounted: () => (counted ? unaccountedNow(drift) : undefined),
    isGrowing: () => isGrowing(drift),
    unanswered: () => newlyUnanswered(drift),
    forget: () => {
      drift = [];
      readings = [];
      provisional = undefined;
      counted = false;
    },
  };
};
