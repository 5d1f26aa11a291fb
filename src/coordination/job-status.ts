/**
 * `job.<slug>.status`: what the leader of a route publishes for people and programs to read, every second or so. It is a
 * view, never an input of a decision, so it is read leniently: unknown fields are dropped and missing parts show as
 * unknown, which lets an older command line read a newer leader. Everything that decides has its own strict record.
 * Invariant: a reader that finds no record, or one whose leader no longer holds the lease, says so and never shows the
 * last good answer as present.
 */
import * as z from 'zod';
import { phases } from './records.ts';

/** The name of the record under `keys.job(slug, name)`. */
export const jobStatusName = 'status';
/** Where the leader answers an `Ask`, under `keys.job(slug, name)`. */
export const askResultName = 'ask';
/** The stages an operator sees, in their order; the last three can follow any of the others. */
export const stages = [
  'Preflight',
  'DualWrite',
  'Backfill',
  'Verify',
  'Shadow',
  'Ramp',
  'Cutover',
  'Soak',
  'Complete',
  'Paused',
  'Aborted',
  'Failed',
] as const;
export const Stage = z.enum(stages);
export type Stage = z.infer<typeof Stage>;

const count = z.number().min(0);
const ratioPercent = z.number().min(0).max(100);
const isoTime = z.string();

/** Work with a known end: states are closed, figures are present once they are known. */
export const BackfillStatus = z.object({
  state: z.enum(['none', 'waiting', 'running', 'paused', 'throttled', 'done', 'failed']),
  docs: count.describe('documents copied or found newer').default(0),
  total: count.optional().describe('documents to copy, estimated until the end'),
  percent: ratioPercent.optional(),
  rate: count.optional().describe('documents per second over the last seconds'),
  etaSeconds: count.optional(),
  chunksRemaining: count.optional(),
  startedAt: isoTime.optional(),
  finishedAt: isoTime.optional(),
  detail: z.string().optional(),
});
export type BackfillStatus = z.infer<typeof BackfillStatus>;

/** One shard of one index as the tail sees it; sequence numbers stay below 2^53 by the stamp's layout. */
const TailCursor = z.object({
  index: z.string(),
  shard: z.int().min(0),
  cursor: z.int().min(-1).describe('last sequence number handled'),
  checkpoint: z.int().min(-1).describe('global checkpoint of the authority when last asked'),
});
export const TailStatus = z.object({
  state: z.enum(['none', 'running', 'paused', 'failed']).default('none'),
  /** Age of the oldest change that the tail has not handled; 0 when it is at the checkpoint. */
  lagSeconds: count,
  behind: count.describe('sequence numbers between cursors and checkpoints').default(0),
  cursors: z.array(TailCursor).default([]),
  copied: count.optional().describe('documents copied by the tail since the leader began'),
  detail: z.string().optional(),
});
export type TailStatus = z.infer<typeof TailStatus>;

export const SweepStatus = z.object({
  state: z.enum(['none', 'needed', 'running', 'paused', 'done', 'failed']),
  scanned: count.default(0),
  total: count.optional(),
  percent: ratioPercent.optional(),
  removed: count.default(0),
  startedAt: isoTime.optional(),
  finishedAt: isoTime.optional(),
  detail: z.string().optional(),
});
export type SweepStatus = z.infer<typeof SweepStatus>;

/** The last proof that both sides hold the same documents. */
export const ProofStatus = z.object({
  at: isoTime,
  equal: z.boolean(),
  counts: z.array(z.object({ index: z.string(), authority: count, follower: count })).default([]),
  method: z.enum(['ledger', 'count', 'stamp', 'hash', 'full']).default('count'),
  detail: z.string().optional(),
});
export type ProofStatus = z.infer<typeof ProofStatus>;

export const LedgerStatus = z.object({
  unaccounted: z
    .number()
    .optional()
    .describe('growth of max_seq_no minus the writes that members account for; absent before the first clean check'),
  balanced: z.boolean(),
  since: isoTime.optional().describe('time of the clean check it counts from'),
});
export type LedgerStatus = z.infer<typeof LedgerStatus>;

/** One condition of the next step. `value` is what is, `need` what must be, both for people. */
export const GateCondition = z.object({
  condition: z.string(),
  ok: z.boolean(),
  value: z.string(),
  need: z.string(),
});
export type GateCondition = z.infer<typeof GateCondition>;

/** An answer with its reasons; `reasons` is empty exactly when it is yes. */
export const Answer = z.object({ ok: z.boolean(), reasons: z.array(z.string()) });
export type Answer = z.infer<typeof Answer>;

export const cutoverResults = ['committed', 'rehearsed', 'aborted', 'refused', 'failed'] as const;
export const CutoverReport = z.object({
  at: isoTime,
  kind: z.enum(['cutover', 'rollback', 'rehearsal']),
  result: z.enum(cutoverResults),
  path: z
    .enum(['fast', 'fenced'])
    .optional()
    .describe('fast: ledger and counts balanced inside the hold; fenced: both sides fenced first'),
  pauseMs: count.optional().describe('from the first held write to its release'),
  stepsMs: z.record(z.string(), count).default({}).describe('time of each step, by its name'),
  reason: z.string().optional().describe('why it was given up'),
});
export type CutoverReport = z.infer<typeof CutoverReport>;

export const NextSwitch = z.object({
  path: z.enum(['fast', 'fenced']),
  reasons: z.array(z.string()).describe('why it would be fenced; what was lost is counted since the ledger was opened'),
});
export type NextSwitch = z.infer<typeof NextSwitch>;

export const QuarantineStatus = z.object({
  total: count.default(0),
  reasons: z.array(z.object({ reason: z.string(), count, example: z.string().optional() })).default([]),
});
export type QuarantineStatus = z.infer<typeof QuarantineStatus>;

const share = z.number().min(0).max(1);
/** Rollback from `value` >= `limit` on; shares are of comparisons, `tolerated` is the largest allowed beyond the noise. */
const SeverityStatus = z.object({
  severity: z.string(),
  value: z.number(),
  limit: z.number(),
  share: share.optional(),
  low: share.optional(),
  high: share.optional(),
  tolerated: share.optional(),
  noise: share.optional().describe('share in which the authority differs from itself'),
});
const LatencyStatus = z.object({
  verdict: z.enum(['slower', 'not_slower', 'too_few']),
  pairs: count,
  medianRatio: z.number().optional().describe('of the other side to the authority, upper bound of its bucket'),
  reason: z.string(),
});

/** From the counters of all members together, those that left included. */
export const VerdictStatus = z.object({
  verdict: z.enum(['promote', 'hold', 'rollback', 'inconclusive']),
  reason: z.string().default(''),
  samples: count.default(0),
  pairs: count.optional().describe('samples for which the authority was asked twice'),
  members: count.optional().describe('processes whose evidence is in it'),
  eValues: z.array(SeverityStatus).default([]),
  perShape: z
    .array(
      SeverityStatus.extend({
        shape: z.string(),
        label: z.string(),
        samples: count,
        latency: LatencyStatus.optional(),
      }),
    )
    .default([])
    .describe('the most suspicious query shapes, with their strongest evidence'),
  latency: LatencyStatus.optional(),
});
export type VerdictStatus = z.infer<typeof VerdictStatus>;

export const RouteJobStatus = z.object({
  schema: z.literal(1),
  at: isoTime.describe('when the leader wrote this, on its own clock; for people only'),
  leader: z.string(),
  phase: z.enum(phases),
  epoch: z.int().min(0),
  reign: z.int().min(1),
  stage: Stage,
  detail: z.string().optional().describe('one sentence that can be pasted into a ticket'),
  paused: z.boolean().default(false),
  backfill: BackfillStatus.optional(),
  tail: TailStatus.optional(),
  sweep: SweepStatus.optional(),
  proof: ProofStatus.optional(),
  ledger: LedgerStatus.optional(),
  quarantine: QuarantineStatus.optional(),
  verdict: VerdictStatus.optional(),
  gate: z.array(GateCondition).default([]),
  safeToAdvance: Answer,
  safeToRollBack: Answer,
  nextSwitch: NextSwitch.optional().describe('the path of the next switch of authority, as far as is known now'),
  lastCutover: CutoverReport.optional(),
  pausesMs: z
    .array(count)
    .default([])
    .describe('client pauses of the latest cutovers and rollbacks, oldest first, bounded'),
  alarms: z
    .array(z.string())
    .default([])
    .describe('things noticed that need a person: a foreign writer, a recreated index, a moved alias'),
});
export type RouteJobStatus = z.infer<typeof RouteJobStatus>;

/** The record, or why it cannot be read. */
export const parseJobStatus = (text: string): RouteJobStatus | { problem: string } => {
  try {
    const parsed = RouteJobStatus.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : { problem: z.prettifyError(parsed.error) };
  } catch {
    return { problem: 'not JSON' };
  }
};
