/** Gathers the evidence for auto.ts each turn, and carries out what it decides, with an audit entry that holds both. */
import { suffixes } from '../../compare/beginnings.ts';
import { addCounters } from '../../compare/summary.ts';
import type { Severity } from '../../compare/types.ts';
import type { Judgement } from '../../compare/verdict.ts';
import { verdictOptionsFrom } from '../../compare/verdict-options.ts';
import { formatPercent, parsePercent } from '../../coordination/human-values.ts';
import { keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { isFilled } from '../leader-record.ts';
import { type AutoDecision, type AutoEvidence, decideAuto } from './auto.ts';
import { awaitsEcho, noteShare, rememberShare } from './auto-share.ts';
import { listedIn } from './gate-facts.ts';
import type { Leading } from './leading.ts';
import { maxLagSeconds } from './route-work.ts';
import { verdictStatus } from './verdict-status.ts';

const worstBeyond = ({ severities, shapes }: Judgement): Severity | undefined =>
  [...severities, ...shapes.map(({ worst }) => worst)]
    .filter(({ isBeyond }) => isBeyond)
    .map(({ severity }) => severity)
    .sort()[0];

/** A follower that takes nothing is soon left alone by shadow reads: what they saw before still looks well then. */
const barrierOf = ({ job, work }: Leading): string | undefined => {
  const { paused, work: begun } = job.current();
  const { state, lagSeconds } = work.facts().tail;
  if (paused) return 'paused';
  if (begun?.backfill !== 'done') return 'the backfill is not complete';
  if (!isFilled(begun)) return 'the first sweep is not complete';
  return state !== 'running' || lagSeconds > maxLagSeconds ? 'the tail is not caught up' : undefined;
};

/** Before a backfill has begun there is nothing to lag behind. */
const lagOf = ({ job, work }: Leading): number | undefined => {
  const { state, lagSeconds } = work.facts().tail;
  return state === 'none' && job.current().work?.backfill !== 'done' ? undefined : lagSeconds;
};

type Gathered = { state: RouteState; evidence: AutoEvidence; judged: ReturnType<typeof verdictStatus> };

/** From what the leader has at hand: a cluster that hangs must not keep reads from coming home. */
const gather = async (leading: Leading, state: RouteState): Promise<Gathered> => {
  const { work, deps } = leading;
  const { judgement, summary, tellers } = await leading.verdict.judge(state);
  const share = await noteShare(leading, state);
  const evidence = {
    readPercent: state.percent.read,
    sinceChangeMs: deps.runtime.now() - share.atMs,
    homes: share.homes,
    verdict: judgement.verdict,
    verdictReason: judgement.reason,
    recent: suffixes(summary.windows, addCounters),
    shapes: Object.values(summary.shapes),
    severity: worstBeyond(judgement),
    lagSeconds: lagOf(leading),
    quarantined: listedIn(work.quarantines()),
    barrier: barrierOf(leading),
    alpha: verdictOptionsFrom(state.spec.shadow.verdict).alpha,
  };
  return { state, evidence, judged: verdictStatus(judgement, tellers) };
};

type Made = Exclude<AutoDecision, { kind: 'none' }>;

/** The new revision. Bringing reads home overrules everybody; raising must not overwrite what a person has set meanwhile. */
const write = async ({ deps }: Leading, decision: Made, state: RouteState): Promise<number | undefined> => {
  const key = keys.percent(deps.slug, 'read');
  if (decision.kind === 'home') return deps.store.config.put(key, '0');
  const entry = await deps.store.config.get(key);
  // What was written before the last switch of authority is void, and stands there all the same.
  const isVoid = entry === undefined || entry.revision <= state.phase.percentFloor;
  const present = parsePercent(isVoid ? '0' : entry.value);
  if (!present.ok || present.value !== state.percent.read) return undefined;
  const written = await deps.store.config.update(key, formatPercent(decision.to), entry?.revision ?? 0);
  return written.ok ? written.revision : undefined;
};

const carryOut = async (leading: Leading, decision: Made, { state, evidence, judged }: Gathered): Promise<void> => {
  const { recent: _recent, shapes: _shapes, ...figures } = evidence;
  const { homes } = evidence;
  const isHome = decision.kind === 'home';
  const percent = isHome ? 0 : decision.to;
  const revision = await write(leading, decision, state);
  if (revision === undefined) return;
  await rememberShare(leading, { state, percent, revision, homes: isHome ? homes + 1 : homes });
  const what = `auto: pct.read ${percent}`;
  await leading.journal.audit({
    by: leading.deps.member,
    what,
    reason: decision.reason,
    evidence: { ...figures, judged },
  });
};

/** While something else goes on only reads come home: a share that rises under a switch would outlive it. */
export type AutoScope = 'anything' | 'only home';

export const runAuto = async (leading: Leading, state: RouteState, scope: AutoScope): Promise<void> => {
  const { auto } = state.spec;
  if (state.phase.phase !== 'dual' || (auto.ramp === undefined && auto.rollback === undefined)) return;
  const share = await noteShare(leading, state);
  // While the brake is on the evidence is about something else, and so is the dwell.
  if (state.stop || awaitsEcho(share, leading.deps.runtime.now())) return;
  const gathered = await gather(leading, state);
  const decision = decideAuto(auto, gathered.evidence);
  if (decision.kind === 'none' || (scope === 'only home' && decision.kind !== 'home')) return;
  await carryOut(leading, decision, gathered);
};
