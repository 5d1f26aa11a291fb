/**
 * What the leader publishes about its route, put together from facts: stage, progress, gate, and the two answers that an
 * operator wants: is it safe to advance, is it safe to roll back. Pure.
 */
import type { Answer, RouteJobStatus, Stage } from '../../coordination/job-status.ts';
import { hasFollower, type PhaseRecord } from '../../coordination/records.ts';
import { type BackfillRecord, backfillProgress } from '../backfill.ts';
import { leftIn, unclearIn } from '../ledger.ts';
import { type QuarantineRecord, summarize } from '../quarantine.ts';
import { answerOf, type GateFacts, gateConditions } from './gate.ts';
import type { JobState, ReignWork } from './job-state.ts';
import { nextSwitch } from './next-path.ts';
import type { SweepProgress } from './sweeper.ts';
import { plainWritersText } from './plain-writers.ts';

export type WorkFacts = {
  backfill: {
    record: BackfillRecord | undefined;
    remaining: number;
    /** How much of the remaining chunks is done, in chunks. */
    open: number;
    rate: number;
    state: 'running' | 'paused' | 'throttled';
  };
  tail: {
    state: 'none' | 'running' | 'failed';
    behind: number;
    lagSeconds: number;
    detail: string | undefined;
    copied: number;
  };
  sweep: SweepProgress;
  /** Undefined before a first proof. */
  unaccounted: number | undefined;
};
export type StatusInput = {
  at: string;
  leader: string;
  slug: string;
  record: PhaseRecord;
  job: JobState;
  work: WorkFacts;
  gate: GateFacts;
  /** Members that the ledger or the list of processes knows, and that are not heard. */
  missing: readonly string[];
  percentRead: number;
  percentShadow: number;
  quarantines: readonly QuarantineRecord[];
  verdict: RouteJobStatus['verdict'];
};

/** A switch that was given up has moved the epoch on; a stay in dual begins with the one that the last one ended with. */
const hasGivenUp = ({ epoch }: PhaseRecord, { work, lastCutover }: JobState): boolean =>
  work !== undefined && epoch > work.epoch && (lastCutover?.result === 'aborted' || lastCutover?.result === 'failed');

const stageOf = (record: PhaseRecord, job: JobState, percent: { read: number; shadow: number }): Stage => {
  if (record.hold !== undefined) return 'Cutover';
  if (job.paused) return 'Paused';
  switch (record.phase) {
    case 'off':
    case 'observe':
      return 'Preflight';
    case 'target':
      return 'Soak';
    case 'final':
      return 'Complete';
    case 'dual':
      return hasGivenUp(record, job) ? 'Aborted' : dualStage(job, percent);
    default:
      return record.phase satisfies never;
  }
};

const dualStage = (job: JobState, percent: { read: number; shadow: number }): Stage => {
  const { work } = job;
  if (work === undefined || work.backfill === 'none') return 'DualWrite';
  if (work.backfill === 'running') return 'Backfill';
  if (percent.read > 0) return 'Ramp';
  if (percent.shadow > 0) return 'Shadow';
  return 'Verify';
};

const no = (reason: string): Answer => ({ ok: false, reasons: [reason] });

/** In `off` whoever was lost may still come back, or be said to be gone, before copies begin. */
const mayBegin = ({ phase }: PhaseRecord, { members: { plainWriters } }: GateFacts): Answer =>
  phase === 'off' || plainWriters.length === 0 ? { ok: true, reasons: [] } : no(plainWritersText(plainWriters));

/** Finalize, which is refused while the last switch has not come to its end. */
const mayEnd = ({ hold }: PhaseRecord, { unsettled }: GateFacts): Answer => {
  if (hold !== undefined) return no('a switch is under way');
  return unsettled === undefined ? { ok: true, reasons: [] } : no(unsettled);
};

/** The next step from here: a cutover in `dual`, otherwise a move that the phase machine allows at once. */
export const safeToAdvance = (record: PhaseRecord, gate: GateFacts): Answer => {
  switch (record.phase) {
    case 'off':
    case 'observe':
      return gate.members.live > 0 ? mayBegin(record, gate) : no('no member is alive');
    case 'dual':
      return answerOf(gateConditions('cutover', gate));
    case 'target':
      return mayEnd(record, gate);
    case 'final':
      return no('the migration is complete');
    default:
      return record.phase satisfies never;
  }
};

/** Before the cutover a rollback moves reads only, and nothing can make that unsafe. */
export const safeToRollBack = (record: PhaseRecord, gate: GateFacts): Answer => {
  if (record.phase === 'target') return answerOf(gateConditions('rollback', gate));
  if (record.phase === 'final') return no('the source takes no writes any more');
  return { ok: true, reasons: [] };
};

const backfillStatus = (
  work: ReignWork,
  { record, remaining, open, rate, state }: WorkFacts['backfill'],
): RouteJobStatus['backfill'] => {
  if (work.backfill === 'none' || record === undefined)
    return { state: work.backfill === 'done' ? 'done' : 'waiting', docs: 0 };
  const done = work.backfill === 'done';
  return {
    state: done ? 'done' : state,
    ...backfillProgress(record, { remaining: done ? 0 : Math.max(0, remaining - open), rate: done ? 0 : rate }),
    chunksRemaining: done ? 0 : remaining,
    startedAt: record.startedAt,
    ...(record.finishedAt === undefined ? {} : { finishedAt: record.finishedAt }),
  };
};

const tailStatus = (
  work: ReignWork,
  { state, behind, lagSeconds, detail, copied }: WorkFacts['tail'],
): RouteJobStatus['tail'] => ({
  state: work.tail === undefined ? 'none' : state,
  lagSeconds,
  behind,
  cursors: (work.tail?.indices ?? []).flatMap(({ cursors }, ordinal) =>
    cursors.map((cursor, shard) => ({ index: String(ordinal), shard, cursor, checkpoint: cursor })),
  ),
  copied,
  ...(detail === undefined ? {} : { detail }),
});

const sweepStatus = (work: ReignWork, gate: GateFacts, facts: WorkFacts['sweep']): RouteJobStatus['sweep'] => ({
  state: facts.running
    ? 'running'
    : gate.sweepPending
      ? 'needed'
      : work.sweep.finishedAt === undefined
        ? 'none'
        : 'done',
  scanned: facts.scanned,
  removed: facts.running ? facts.removed : work.sweep.removed,
  ...(facts.total === undefined ? {} : { total: facts.total }),
  ...(work.sweep.finishedAt === undefined ? {} : { finishedAt: work.sweep.finishedAt }),
  ...(facts.detail === undefined ? {} : { detail: facts.detail }),
});

const isBalanced = ({ ledger }: ReignWork, { unaccounted }: WorkFacts): boolean =>
  ledger !== undefined &&
  ledger.unsure.length === 0 &&
  unclearIn(ledger) === 0 &&
  leftIn(ledger) === 0 &&
  unaccounted === 0;

const workStatus = (work: ReignWork, input: StatusInput): Partial<RouteJobStatus> => ({
  backfill: backfillStatus(work, input.work.backfill),
  tail: tailStatus(work, input.work.tail),
  sweep: sweepStatus(work, input.gate, input.work.sweep),
  ...(work.proof === undefined ? {} : { proof: { ...work.proof, method: 'count' as const } }),
  ledger: {
    ...(input.work.unaccounted === undefined ? {} : { unaccounted: input.work.unaccounted }),
    balanced: isBalanced(work, input.work),
  },
});

const nextSwitchOf = (work: ReignWork, { job, missing, work: { unaccounted } }: StatusInput) =>
  nextSwitch({ work, events: job.events, unaccounted, missing });

export const buildStatus = (input: StatusInput): RouteJobStatus => {
  const { record, job, gate, percentRead, percentShadow } = input;
  const kind = record.phase === 'target' ? 'rollback' : 'cutover';
  // In the other phases nothing is copied: what the job remembers is of an earlier stay.
  const copies = hasFollower(record.phase);
  const work = copies ? job.work : undefined;
  return {
    schema: 1,
    at: input.at,
    leader: input.leader,
    phase: record.phase,
    epoch: record.epoch,
    reign: record.reign,
    stage: stageOf(record, job, { read: percentRead, shadow: percentShadow }),
    paused: job.paused,
    ...(work === undefined ? {} : workStatus(work, input)),
    ...(copies ? { quarantine: summarize(input.quarantines) } : {}),
    ...(input.verdict === undefined ? {} : { verdict: input.verdict }),
    gate: copies ? gateConditions(kind, gate) : [],
    ...(work === undefined ? {} : { nextSwitch: nextSwitchOf(work, input) }),
    safeToAdvance: safeToAdvance(record, gate),
    safeToRollBack: safeToRollBack(record, gate),
    ...(job.lastCutover === undefined ? {} : { lastCutover: job.lastCutover }),
    pausesMs: job.pausesMs,
    alarms: [...gate.alarms],
  };
};
