/**
 * The whole fleet as one value: what every route is in, who runs it and what its leader says, put together from the two
 * buckets alone. The command line and the admin API of every member show this same value, so a laptop with NATS access
 * sees what the dashboard sees. Pure: entries in, status out.
 * Invariant: what nobody has reported is undefined or a reason, never a zero that looks like good news.
 */

import { brakeText, effectivePercents } from '../coordination/effective.ts';
import { shownStatus } from '../coordination/incarnation.ts';
import {
  type Answer,
  type BackfillStatus,
  type CutoverReport,
  type GateCondition,
  type NextSwitch,
  jobStatusName,
  type ProofStatus,
  parseJobStatus,
  type QuarantineStatus,
  type RouteJobStatus,
  type Stage,
  type SweepStatus,
  type VerdictStatus,
} from '../coordination/job-status.ts';
import { heartbeatPrefix, keys, percentKinds } from '../coordination/keys.ts';
import type { Entry, RouteState, StoreStatus } from '../coordination/ports.ts';
import { Heartbeat, type Hold, type MemberRoute, type Percents, type Phase } from '../coordination/records.ts';
import { emptyFold, errorsIn, foldChanges } from '../coordination/route-state.ts';
import { knownRoutes } from './known-routes.ts';

export type MemberStatus = {
  member: string;
  boot: string;
  version: string;
  admin: string | undefined;
  stale: boolean;
  /** The member's line of the route asked for; undefined when it does not know the route yet. */
  route: MemberRoute | undefined;
};
export type CopyTotals = {
  pending: number;
  pendingBytes: number;
  oldestPendingMs: number;
  dropped: number;
  quarantined: number;
  unknownOutcomes: number;
  sweepNeeded: number;
};
export type RouteStatus = {
  route: string;
  phase: Phase;
  epoch: number;
  reign: number;
  hold: Hold | null;
  stage: Stage | null;
  stop: boolean;
  rate: number | 'pause' | null;
  /** In force after phase and stop. */
  percent: Percents;
  /** As written. */
  percentSet: Percents;
  /** Why no read goes to the follower although a share of them was set; null when nothing bars it. */
  readBarrier: string | null;
  indices: RouteState['spec']['indices'];
  members: (Omit<MemberStatus, 'route'> & Partial<MemberRoute>)[];
  copies: CopyTotals;
  shadow: { compared: number; mismatched: number; skipped: number; verdict: MemberRoute['verdict'] };
  leader: string | null;
  /** The leader's report, or undefined parts when there is none. */
  backfill: BackfillStatus | null;
  tail: { lagSeconds: number | null; behind: number | null } & Record<string, unknown>;
  sweep: SweepStatus | null;
  proof: ProofStatus | null;
  ledger: { unaccounted: number | null; balanced: boolean | null };
  quarantine: QuarantineStatus | null;
  verdict: VerdictStatus | null;
  gate: GateCondition[];
  safeToAdvance: Answer;
  safeToRollBack: Answer;
  /** The path of the next switch of authority; null in phases that have none before them. */
  nextSwitch: NextSwitch | null;
  lastCutover: CutoverReport | null;
  pausesMs: number[];
  alarms: string[];
  errors: { key: string; message: string }[];
  changed: { at: string; by: string; reason: string };
};
export type FleetStatus = {
  store: StoreStatus;
  routes: RouteStatus[];
  members: MemberStatus[];
  /** Values that were refused, also of routes without a spec. */
  errors: { key: string; message: string }[];
};

export type FleetInput = { store: StoreStatus; config: readonly Entry[]; live: readonly Entry[] };

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Who is there. Heartbeats that cannot be read are left out: an unknown member must not count as a healthy one. */
export const heartbeatsIn = (live: readonly Entry[]): Heartbeat[] =>
  live
    .filter(({ key }) => key.startsWith(heartbeatPrefix))
    .flatMap(({ value }) => {
      const parsed = Heartbeat.safeParse(json(value));
      return parsed.success && !parsed.data.leaving ? [parsed.data] : [];
    })
    .sort((a, b) => (a.member < b.member ? -1 : 1));

const textAt = (entries: readonly Entry[], key: string): string | undefined =>
  entries.find((entry) => entry.key === key)?.value;

const memberOf = ({ member, boot, version, admin, stale }: Heartbeat) => ({ member, boot, version, admin, stale });

const linesOf = (beats: readonly Heartbeat[], slug: string): MemberRoute[] =>
  beats.flatMap(({ routes }) => (routes[slug] === undefined ? [] : [routes[slug]]));

const sum = (lines: readonly MemberRoute[], field: 'compared' | 'mismatched' | 'skipped' | keyof CopyLine): number =>
  lines.reduce((total, line) => total + line[field], 0);
type CopyLine = Pick<
  MemberRoute,
  'pendingCopies' | 'pendingBytes' | 'dropped' | 'quarantined' | 'unknownOutcomes' | 'sweepNeeded'
>;

const copyTotals = (lines: readonly MemberRoute[]): CopyTotals => ({
  pending: sum(lines, 'pendingCopies'),
  pendingBytes: sum(lines, 'pendingBytes'),
  oldestPendingMs: Math.max(0, ...lines.map(({ oldestPendingMs }) => oldestPendingMs)),
  dropped: sum(lines, 'dropped'),
  quarantined: sum(lines, 'quarantined'),
  unknownOutcomes: sum(lines, 'unknownOutcomes'),
  sweepNeeded: sum(lines, 'sweepNeeded'),
});

/** One pod's alarm is enough to look. */
const worstVerdict = (lines: readonly MemberRoute[]): MemberRoute['verdict'] => {
  const order = ['rollback', 'hold', 'inconclusive', 'promote'] as const;
  return order.find((verdict) => lines.some((line) => line.verdict === verdict)) ?? 'inconclusive';
};

const unknown = (reason: string): Answer => ({ ok: false, reasons: [reason] });

type ReportInput = { text: string | undefined; leader: string | null; phase: RouteState['phase'] };

/**
 * The leader's record, or why nothing can be said. Whether it is of now is told by the lease, which expires by the store's
 * clock; comparing the time in the record with the clock of this machine would compare two machines.
 */
const reportOf = ({ text, leader, phase }: ReportInput): RouteJobStatus | { problem: string } => {
  if (leader === null) return { problem: 'no member leads this route now' };
  if (text === undefined) return { problem: 'the leader has not reported yet' };
  const report = parseJobStatus(text);
  if ('problem' in report) return { problem: `the report of the leader cannot be read: ${report.problem}` };
  if (report.leader !== leader) return { problem: 'the new leader has not reported yet' };
  const older = report.epoch < phase.epoch || report.phase !== phase.phase;
  return older ? { problem: 'the leader has not reported since the phase changed' } : report;
};

type LeaderPart = Pick<
  RouteStatus,
  | ('stage' | 'backfill' | 'tail' | 'sweep' | 'proof' | 'ledger' | 'quarantine' | 'verdict' | 'gate')
  | ('safeToAdvance' | 'safeToRollBack' | 'nextSwitch' | 'lastCutover' | 'pausesMs' | 'alarms')
>;

const withoutReport = (problem: string): LeaderPart => ({
  stage: null,
  backfill: null,
  tail: { lagSeconds: null, behind: null },
  sweep: null,
  proof: null,
  ledger: { unaccounted: null, balanced: null },
  quarantine: null,
  verdict: null,
  gate: [],
  safeToAdvance: unknown(problem),
  safeToRollBack: unknown(problem),
  nextSwitch: null,
  lastCutover: null,
  pausesMs: [],
  alarms: [],
});

const fromReport = (report: RouteJobStatus): LeaderPart => ({
  stage: report.stage,
  backfill: report.backfill ?? null,
  tail: report.tail ?? { lagSeconds: null, behind: null },
  sweep: report.sweep ?? null,
  proof: report.proof ?? null,
  ledger: { unaccounted: report.ledger?.unaccounted ?? null, balanced: report.ledger?.balanced ?? null },
  quarantine: report.quarantine ?? null,
  verdict: report.verdict ?? null,
  gate: report.gate,
  safeToAdvance: report.safeToAdvance,
  safeToRollBack: report.safeToRollBack,
  nextSwitch: report.nextSwitch ?? null,
  lastCutover: report.lastCutover ?? null,
  pausesMs: report.pausesMs,
  alarms: report.alarms,
});

/** The lease's value names its holder; a bare name and a JSON object with `member` are both read. */
const holderOf = (text: string | undefined): string | null => {
  if (text === undefined) return null;
  const value = json(text);
  const member = typeof value === 'object' && value !== null ? (value as { member?: unknown }).member : undefined;
  return typeof member === 'string' ? member : text;
};

/**
 * A refused value leaves the last good one in force, and the store does not hold that any more: the members know it.
 */
const percentsInForce = (state: RouteState, [line]: readonly MemberRoute[]): Percents => {
  const percents = { ...effectivePercents(state) };
  if (line === undefined) return percents;
  const refused = new Set(state.errors.map(({ key }) => key));
  // Which percentages a switch has voided stands in the phase record, and whether stop is on in its own key.
  if (refused.has(keys.phase(state.slug)) || refused.has(keys.stop(state.slug))) return line.percent;
  for (const kind of percentKinds) if (refused.has(keys.percent(state.slug, kind))) percents[kind] = line.percent[kind];
  return percents;
};

type Waiting = { lines: readonly MemberRoute[]; backfill: BackfillStatus | null; sweep: SweepStatus | null };

/** Of this stay in `dual`. */
const hasSwept = ({ sweep }: Waiting): boolean =>
  sweep !== null && (sweep.finishedAt !== undefined || sweep.state === 'none' || sweep.state === 'done');

/** Members say what they do; the leader's report is sooner than their next word once a share is set or the sweep ends. */
const readBarrierOf = (state: RouteState, told: Waiting): string | null => {
  const isBraked = ({ percent, errors }: MemberRoute): boolean => percent.read === 0 && errors.includes(brakeText);
  if (effectivePercents(state).read > 0 && told.lines.length > 0 && told.lines.every(isBraked)) return brakeText;
  const isCopied = told.backfill?.state === 'done';
  if (state.phase.phase !== 'dual' || effectivePercents(state).read === 0 || (isCopied && hasSwept(told))) return null;
  const isServed = told.lines.length === 0 || told.lines.some(({ percent }) => percent.read > 0);
  if (isServed) return null;
  if (!isCopied) return 'the backfill is not known to be complete';
  const { detail } = told.sweep ?? {};
  return `the first sweep is not known to be complete${detail === undefined ? '' : `: ${detail}`}`;
};

const routeStatus = (state: RouteState, beats: readonly Heartbeat[], input: FleetInput): RouteStatus => {
  const { slug, phase } = state;
  const lines = linesOf(beats, slug);
  const leader = holderOf(textAt(input.live, keys.lease(slug)));
  const told = reportOf({ text: textAt(input.config, keys.job(slug, jobStatusName)), leader, phase });
  const report = 'problem' in told ? withoutReport(told.problem) : fromReport(told);
  const readBarrier = readBarrierOf(state, { lines, ...report });
  const percent = percentsInForce(state, lines);
  return {
    route: slug,
    phase: phase.phase,
    epoch: phase.epoch,
    reign: phase.reign,
    hold: phase.hold ?? null,
    stop: state.stop,
    rate: state.rate ?? null,
    percent: readBarrier === null ? percent : { ...percent, read: 0 },
    percentSet: state.percent,
    readBarrier,
    indices: state.spec.indices,
    members: beats.map((beat) => ({ ...memberOf(beat), ...beat.routes[slug] })),
    copies: copyTotals(lines),
    shadow: {
      compared: sum(lines, 'compared'),
      mismatched: sum(lines, 'mismatched'),
      skipped: sum(lines, 'skipped'),
      verdict: worstVerdict(lines),
    },
    leader,
    ...report,
    errors: [...state.errors],
    changed: { at: phase.at, by: phase.by, reason: phase.reason },
  };
};

/** Those of routes, and those of keys that make no route. */
const allErrors = (config: readonly Entry[], routes: readonly RouteStatus[]): FleetStatus['errors'] => {
  const refused = errorsIn(foldChanges(emptyFold, config));
  const seen = new Set(refused.map(({ key }) => key));
  return [...refused, ...routes.flatMap(({ errors }) => errors.filter(({ key }) => !seen.has(key)))];
};

export const fleetStatus = (input: FleetInput): FleetStatus => {
  const beats = heartbeatsIn(input.live);
  const routes = [...knownRoutes(input.config, beats).values()].map((state) => routeStatus(state, beats, input));
  return {
    store: shownStatus(input.store),
    routes,
    members: beats.map((beat) => ({ ...memberOf(beat), route: undefined })),
    errors: allErrors(input.config, routes),
  };
};
