/**
 * The records that replicas agree on, as zod schemas with their types: what the store holds under each key, parsed at
 * the edge and plain data afterwards. Unknown fields in our own records are errors (strict objects): a newer writer
 * must raise `schema`, never smuggle a field past an older reader.
 * Keys are built and taken apart in keys.ts, what an operator writes for a route is in route-spec.ts.
 */
import * as z from 'zod';

export const sides = ['source', 'target'] as const;
/** One of the two ends of a migration: a cluster and the index's name there. */
export type Side = (typeof sides)[number];
export const otherSide = (side: Side): Side => (side === 'source' ? 'target' : 'source');

export const phases = ['off', 'observe', 'dual', 'target', 'final'] as const;
export type Phase = (typeof phases)[number];
/** The side that orders writes and answers the client in a phase. */
export const authorityIn = (phase: Phase): Side => (phase === 'target' || phase === 'final' ? 'target' : 'source');
/** The side that receives copies in a phase; undefined where nothing is copied. */
export const copiedTo = (phase: Phase): Side | undefined =>
  phase === 'dual' || phase === 'target' ? otherSide(authorityIn(phase)) : undefined;
/** Whether the follower gets what the authority gets. */
export const hasFollower = (phase: Phase): boolean => copiedTo(phase) !== undefined;

/** A slug is one token of a NATS subject and part of alias names, so its alphabet is narrow. */
export const Slug = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'lower-case letters, digits, - and _; at most 63');
const stampLayouts = ['narrow', 'wide'] as const;
export type StampLayout = (typeof stampLayouts)[number];

/** A cutover or rollback under way. `budgetMs` counts from when each member first saw the record, never from a foreign clock. */
export const Hold = z.strictObject({
  to: z.enum(['dual', 'target']),
  rehearsal: z.boolean(),
  budgetMs: z.int(),
  graceMs: z.int(),
});
export type Hold = z.infer<typeof Hold>;

/** `rt.<slug>.phase`: written by the leader alone, by compare-and-set on the revision. */
export const PhaseRecord = z.strictObject({
  schema: z.literal(1),
  epoch: z.int().min(0),
  reign: z.int().min(1),
  phase: z.enum(phases),
  layout: z.enum(stampLayouts),
  hold: Hold.optional(),
  percentFloor: z
    .int()
    .min(0)
    .describe('values of pct.* with this revision or a lower one belong to an earlier reign and count as unset'),
  at: z.string().describe('ISO time, for people only'),
  by: z.string(),
  reason: z.string(),
});
export type PhaseRecord = z.infer<typeof PhaseRecord>;

/**
 * The floor of a commit is its own revision, which its writer cannot know: a percentage that is set in the moment before it
 * is void too. Stands for that in the store; whoever does not know the word takes every percentage for void.
 */
export const ownRevision = Number.MAX_SAFE_INTEGER;
/** A record as it is meant, read at this revision. */
export const withFloor = (record: PhaseRecord, revision: number): PhaseRecord =>
  record.percentFloor === ownRevision ? { ...record, percentFloor: revision } : record;

/** What a route has before anything was written: traffic passes untouched. */
export const initialPhase: PhaseRecord = {
  schema: 1,
  epoch: 0,
  reign: 1,
  phase: 'off',
  layout: 'narrow',
  percentFloor: 0,
  at: '',
  by: '',
  reason: '',
};

/** Percentages are exact to 0.001, so thousandths keep arithmetic in integers. */
export type Percents = { read: number; shadow: number; write: number };
export const defaultPercents: Percents = { read: 0, shadow: 0, write: 100 };

/** One line of a member's report about one route. Counters are cumulative over the life of `boot`. */
export const MemberRoute = z.strictObject({
  phaseRevision: z.int().describe('revision of the phase record applied'),
  epoch: z.int(),
  phase: z.enum(phases),
  held: z.boolean().describe('admission of writes is closed'),
  drained: z.boolean().describe('nothing that began before phaseRevision is still under way'),
  inFlight: z.int(),
  pendingCopies: z.int(),
  pendingBytes: z.int(),
  oldestPendingMs: z.number(),
  dropped: z.int(),
  quarantined: z.int().describe('copies that the follower refused for good'),
  unknownOutcomes: z.int().describe('authority writes whose answer never came'),
  sweepNeeded: z.int().describe('events after which only a sweep proves deletes'),
  byQuery: z.int().describe('by-query and reindex requests under way'),
  ledger: z
    .array(z.int())
    .describe('per index of the route: authority writes of this reign whose copy was acknowledged'),
  left: z
    .array(z.int())
    .optional()
    .describe('per index of the route: authority writes of this reign that were left to the tail'),
  unclear: z.int().optional().describe('requests with copies whose answer never came'),
  reign: z.int(),
  percent: z.strictObject({ read: z.number(), shadow: z.number(), write: z.number() }),
  compared: z.int(),
  mismatched: z.int(),
  skipped: z.int(),
  verdict: z.enum(['promote', 'hold', 'rollback', 'inconclusive']),
  errors: z.array(z.string()),
});
export type MemberRoute = z.infer<typeof MemberRoute>;

/** `hb.<member>` in the live bucket. */
export const Heartbeat = z.strictObject({
  schema: z.literal(1),
  member: z.string(),
  boot: z.string().describe('random per process start'),
  admin: z.string().optional().describe('URL of the admin listener'),
  version: z.string().describe('empty: with `leaving`, said by an operator of all starts of the member'),
  stale: z.boolean().describe('serving from cached state, the store is out of reach'),
  leaving: z.literal(true).optional().describe('the last report of a process that has ended all its work'),
  routes: z.record(z.string(), MemberRoute),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** A live member names itself in subjects and keys. */
export const MemberName = z.string().regex(/^[-/=.\w]{1,128}$/);

export const askActions = [
  'phase',
  'advance',
  'rehearse',
  'rollback',
  'abort',
  'pause',
  'resume',
  'finalize',
  'verify',
  'repair',
] as const;
/** `rt.<slug>.ask`: what an operator wants; the leader carries it out and answers in `job.<slug>.ask`. */
export const Ask = z.strictObject({
  schema: z.literal(1),
  id: z.string(),
  action: z.enum(askActions),
  phase: z
    .enum(phases)
    .optional()
    .describe(
      'phase: where to; advance and rollback: from where, as whoever asked saw it; another switch than that is refused',
    ),
  args: z.record(z.string(), z.unknown()).optional(),
  by: z.string(),
  reason: z.string(),
  at: z.string(),
});
export type Ask = z.infer<typeof Ask>;

const EarlierAnswer = z.strictObject({
  id: z.string(),
  state: z.enum(['running', 'done', 'refused', 'aborted', 'failed']),
  code: z.string().optional().describe('a code of errors.ts when not done'),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
  at: z.string(),
});
export type EarlierAnswer = z.infer<typeof EarlierAnswer>;

export const AskResult = EarlierAnswer.extend({
  schema: z.literal(1),
  earlier: z.array(EarlierAnswer).optional().describe('final answers to the requests before, newest first'),
});
export type AskResult = z.infer<typeof AskResult>;

/** `audit.<slug>.<n>` */
export const AuditEntry = z.strictObject({
  schema: z.literal(1),
  at: z.string(),
  by: z.string(),
  what: z.string(),
  reason: z.string(),
  evidence: z.record(z.string(), z.unknown()).optional(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** `meta`: created once; another incarnation is an alarm. */
export const Meta = z.strictObject({ schema: z.literal(1), incarnation: z.string() });
export type Meta = z.infer<typeof Meta>;
