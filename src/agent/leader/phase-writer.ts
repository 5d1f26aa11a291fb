/**
 * Writes the next phase record of a route: step by the phase machine, compare-and-set, until the outcome is known.
 * Only the leader has one. Epochs are never reused and `by` and `at` name the writer, so a late write of our own can be
 * told from another leader's. Invariant: a record is written only over the revision it was stepped from.
 */
import { casAndConfirm } from '../../coordination/cas.ts';
import { keys } from '../../coordination/keys.ts';
import { type PhaseEvent, stepPhase } from '../../coordination/phase-machine.ts';
import { parseRecord } from '../../coordination/parse-record.ts';
import type { Bucket } from '../../coordination/ports.ts';
import { initialPhase, PhaseRecord, withFloor } from '../../coordination/records.ts';
import type { Timers } from '../../coordination/timers.ts';
import { CrossfadeError } from '../../errors.ts';
import type { PhaseWrite } from './switch.ts';

export type PhaseWriterOptions = {
  bucket: Bucket;
  slug: string;
  by: string;
  /** Revision of the record in force; 0 = there has been none. */
  known?: () => number;
  /** Monotonic milliseconds. */
  now: () => number;
  /** ISO time for people. */
  clock: () => string;
  timers?: Timers;
  patienceMs?: number;
};
export type StepOutcome = { ok: true; write: PhaseWrite } | { ok: false; message: string };
export interface PhaseWriter {
  /** @throws CrossfadeError CONFIG_INVALID when the record was deleted or cannot be read, STORE_UNAVAILABLE */
  read(): Promise<PhaseWrite>;
  /**
   * `from` = the record that the caller decided on; whether it is still the present one is asked by the write itself.
   * @throws CrossfadeError STORE_UNAVAILABLE, STORE_OUTCOME_UNKNOWN when even waiting did not tell
   */
  step(event: PhaseEvent, options: { reason: string; from: PhaseWrite }): Promise<StepOutcome>;
}

export const createPhaseWriter = (options: PhaseWriterOptions): PhaseWriter => {
  const { bucket, slug, by, known, now, clock, timers, patienceMs = 10_000 } = options;
  const key = keys.phase(slug);

  const read = async (): Promise<PhaseWrite> => {
    const entry = await bucket.get(key);
    if (entry === undefined && (known?.() ?? 0) === 0) return { record: initialPhase, revision: 0 };
    const record = parseRecord(PhaseRecord, entry?.value);
    if (entry !== undefined && record !== undefined)
      return { record: withFloor(record, entry.revision), revision: entry.revision };
    const problem = entry === undefined ? 'was deleted' : 'is not a phase record';
    throw new CrossfadeError(
      'CONFIG_INVALID',
      `${key} ${problem}: put back the last good one, which members still hold`,
    );
  };

  const write = async (record: PhaseRecord, expected: number): Promise<StepOutcome> => {
    const value = JSON.stringify(record);
    const patience = { now, deadlineMs: now() + patienceMs, ...(timers === undefined ? {} : { timers }) };
    const result = await casAndConfirm(bucket, { key, value, expected }, patience);
    if (result.ok)
      return { ok: true, write: { record: withFloor(record, result.revision), revision: result.revision } };
    if (result.reason === 'conflict') return { ok: false, message: 'another phase record was written meanwhile' };
    throw new CrossfadeError(result.reason === 'unknown' ? 'STORE_OUTCOME_UNKNOWN' : 'STORE_UNAVAILABLE');
  };

  const step: PhaseWriter['step'] = async (event, { reason, from }) => {
    const next = stepPhase(from.record, event, { by, reason, at: clock() });
    return next.ok ? write(next.record, from.revision) : { ok: false, message: next.message };
  };

  return { read, step };
};
