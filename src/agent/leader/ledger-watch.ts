/**
 * Keeps the ledger of the present reign up to date between switches and watches how far the growth of the authority's
 * sequence numbers runs ahead of what members account for: the gauge, and the reason not to begin a switch. The balance
 * that decides is struck inside the hold, see switch-io.ts. Before a first proof there is no ledger and so no figure,
 * but the movement can be watched all the same.
 */
import type { Membership } from '../../coordination/membership.ts';
import { balance, observe, openLedger } from '../ledger.ts';
import type { Runtime } from '../runtime.ts';
import { addDrift, type Drift, isGrowing, unaccountedNow } from './drift.ts';
import { type JobStore, saveWork } from './job-state.ts';
import { ledgerSamples } from './sequences.ts';

export type LedgerWatchDeps = { slug: string; job: JobStore; runtime: Runtime; members: () => Membership };
export interface LedgerWatch {
  /** `totals`: sequence numbers given out on the authority, by index. */
  look(reign: number, totals: readonly number[]): Promise<void>;
  /** Writes that no member accounts for; undefined until a first proof gave the ledger its beginning. */
  unaccounted(): number | undefined;
  isGrowing(): boolean;
  /** What was seen so far tells nothing about what comes: a new reign, or everybody out of reach was stopped. */
  forget(): void;
}

const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

export const createLedgerWatch = ({ slug, job, runtime, members }: LedgerWatchDeps): LedgerWatch => {
  let drift: Drift = [];
  /** The newest sample was taken against a ledger that a proof had opened. */
  let counted = false;
  return {
    look: async (reign, totals) => {
      const known = job.current().work?.ledger;
      const samples = ledgerSamples(members(), slug);
      const nothing = openLedger(
        reign,
        totals.map(() => 0),
        [],
      );
      const ledger = samples.reduce(observe, known ?? nothing);
      if (known !== undefined) await saveWork(job, { ledger });
      const unaccounted = sum(balance(ledger, totals).unexplained);
      counted = known !== undefined;
      drift = addDrift(drift, { atMs: runtime.now(), unaccounted, sequences: sum(totals) });
    },
    unaccounted: () => (counted ? unaccountedNow(drift) : undefined),
    isGrowing: () => isGrowing(drift),
    forget: () => {
      drift = [];
      counted = false;
    },
  };
};
