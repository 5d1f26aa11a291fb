/**
 * What the leader of a route must not forget when its process dies, in one record under `job.<slug>.state`, written by
 * compare-and-set so that a leader that woke up late breaks on its successor's revision. Everything else the leader
 * knows can be asked again. Invariant: a cursor here is never ahead of what is on the follower.
 */
import * as z from 'zod';
import { CutoverReport } from '../../coordination/job-status.ts';
import { casError } from '../../coordination/cas.ts';
import { keys } from '../../coordination/keys.ts';
import type { Bucket } from '../../coordination/ports.ts';
import { sides } from '../../coordination/records.ts';
import { type OnUnreadable, readKept } from '../kept-record.ts';
import { Ledger } from '../ledger.ts';
import { TailState } from '../tail.ts';

const SweepMark = z.strictObject({
  /** Events (see events.ts) covered by the last finished sweep; -1 = none finished. */
  coveredEvents: z.int(),
  removed: z.int(),
  finishedAt: z.string().optional(),
});
const ProofMark = z.strictObject({
  at: z.string(),
  equal: z.boolean(),
  counts: z.array(z.strictObject({ index: z.string(), authority: z.int(), follower: z.int() })),
});

/** Work of one reign; a commit replaces it as a whole. */
export const ReignWork = z.strictObject({
  reign: z.int(),
  authority: z.enum(sides),
  /** First epoch of the reign: earlier ones are fenced. */
  epoch: z.int(),
  /** running and done have their figures in the record that backfill.ts keeps. */
  backfill: z.enum(['none', 'running', 'done']),
  tail: TailState.optional(),
  sweep: SweepMark,
  proof: ProofMark.optional(),
  /** Opened at the last moment of rest at which both sides were proven equal. */
  ledger: Ledger.optional(),
  /** Events that this proof covers. */
  ledgerEvents: z.int(),
});
export type ReignWork = z.infer<typeof ReignWork>;
export type ProofMark = z.infer<typeof ProofMark>;

export const JobState = z.strictObject({
  schema: z.literal(1),
  paused: z.boolean(),
  work: ReignWork.optional(),
  /** Prepared just before a commit; adopted by whoever leads once the record shows its reign. */
  next: ReignWork.optional(),
  /** `member/boot` to the events it has reported (see events.ts). */
  events: z.record(z.string(), z.int()),
  lastCutover: CutoverReport.optional(),
  pausesMs: z.array(z.number()),
});
export type JobState = z.infer<typeof JobState>;

export const emptyJob: JobState = { schema: 1, paused: false, events: {}, pausesMs: [] };

/** Takes just these fields: `at` may carry more, and a record with more cannot be read again. */
export const newWork = ({ reign, authority, epoch }: Pick<ReignWork, 'reign' | 'authority' | 'epoch'>): ReignWork => ({
  reign,
  authority,
  epoch,
  backfill: 'none',
  sweep: { coveredEvents: -1, removed: 0 },
  ledgerEvents: 0,
});

/** Worked out when its turn to be written comes, where it depends on what stands then. */
export type Change = Partial<JobState> | ((now: JobState) => Partial<JobState>);

export interface JobStore {
  /** The state as last loaded or saved by this leader. */
  current(): JobState;
  load(): Promise<JobState>;
  /**
   * `always` also where nothing changes, which shows that no other leader wrote.
   * @throws STORE_CONFLICT when another leader wrote; STORE_OUTCOME_UNKNOWN, STORE_UNAVAILABLE
   */
  save(change: Change, when?: 'always'): Promise<void>;
}

export const createJobStore = (bucket: Bucket, slug: string, onUnreadable?: OnUnreadable): JobStore => {
  const key = keys.job(slug, 'state');
  let state = emptyJob;
  let revision = 0;
  let saved = '';
  const load = async (): Promise<JobState> => {
    const { entry, record } = await readKept(bucket, key, { schema: JobState, onUnreadable });
    revision = entry?.revision ?? 0;
    saved = entry?.value ?? '';
    // A record that cannot be read costs a new backfill, never a document.
    state = record ?? emptyJob;
    return state;
  };
  const write = async (next: JobState, when?: 'always'): Promise<void> => {
    const value = JSON.stringify(next);
    if (value === saved && when === undefined) return;
    const result = await bucket.update(key, value, revision);
    if (!result.ok) throw casError(result.reason, `${key} could not be saved`);
    revision = result.revision;
    saved = value;
    state = next;
  };
  // One write at a time: background work and the loop both save.
  let queue: Promise<void> = Promise.resolve();
  return {
    current: () => state,
    load,
    save: (change, when) => {
      const turn = queue.then(() =>
        write({ ...state, ...(typeof change === 'function' ? change(state) : change) }, when),
      );
      queue = turn.catch(() => undefined);
      return turn;
    },
  };
};

/** Nothing is kept of a reign that no work was begun for. */
export const saveWork = async (job: JobStore, change: Partial<ReignWork>, when?: 'always'): Promise<void> => {
  if (job.current().work === undefined) return;
  await job.save(({ work }) => (work === undefined ? {} : { work: { ...work, ...change } }), when);
};
