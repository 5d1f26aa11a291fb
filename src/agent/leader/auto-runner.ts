/** Gathers the evidence for auto.ts each turn, and carries out what it decides, with an audit entry that holds both. */
import { suffixes } from '../../compare/evidence.ts';
import type { Severity } from '../../compare/types.ts';
import type { Judgement } from '../../compare/verdict.ts';
import { verdictOptionsFrom } from '../../compare/verdict-options.ts';
import { parsePercent } from '../../coordination/human-values.ts';
import { keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type AutoDecision, type AutoEvidence, decideAuto } from './auto.ts';
import { gatherGate } from './gate-facts.ts';
import type { Leading } from './leading.ts';
import { verdictStatus } from './verdict-status.ts';

type Seen = {
  percent: number;
  atMs: number;
  homes: number;
  /** Our last change, which may not have come back from the store yet. */
  written: { percent: number; atMs: number } | undefined;
};

/** By then a change of ours is seen, or somebody has overwritten it. */
const echoMs = 10_000;

/** When this leader first saw the percentage that stands; a new leader begins to dwell anew. */
const seen = new WeakMap<Leading, Seen>();

/** A share that somebody else has chosen ends the doubling of the dwell. */
const noteShare = (leading: Leading, percent: number): Seen => {
  const nowMs = leading.deps.runtime.now();
  const known = seen.get(leading);
  if (known?.percent === percent) return known;
  const isOurs = known?.written?.percent === percent;
  const now = { percent, atMs: nowMs, homes: isOurs ? known.homes : 0, written: undefined };
  seen.set(leading, now);
  return now;
};

const worstBeyond = ({ severities, shapes }: Judgement): Severity | undefined =>
  [...severities, ...shapes.map(({ worst }) => worst)]
    .filter(({ isBeyond }) => isBeyond)
    .map(({ severity }) => severity)
    .sort()[0];

type Gathered = { evidence: AutoEvidence; verdict: ReturnType<typeof verdictStatus> };

const gather = async (leading: Leading, state: RouteState): Promise<Gathered> => {
  const gate = await gatherGate(leading, state);
  const { judgement, summary, tellers } = await leading.verdict.judge(state);
  const share = noteShare(leading, state.percent.read);
  const evidence = {
    readPercent: state.percent.read,
    sinceChangeMs: leading.deps.runtime.now() - share.atMs,
    homes: share.homes,
    verdict: judgement.verdict,
    verdictReason: judgement.reason,
    recent: suffixes(summary.windows),
    severity: worstBeyond(judgement),
    lagSeconds: gate.tail.lagSeconds,
    quarantined: gate.quarantined,
    alpha: verdictOptionsFrom(state.spec.shadow.verdict).alpha,
  };
  return { evidence, verdict: verdictStatus(judgement, tellers) };
};

/** Bringing reads home overrules everybody; raising must not overwrite what a person has set meanwhile. */
const write = async ({ deps }: Leading, decision: Made, standing: number): Promise<boolean> => {
  const key = keys.percent(deps.slug, 'read');
  if (decision.kind === 'home') return (await deps.store.config.put(key, '0')) > 0;
  const entry = await deps.store.config.get(key);
  const present = parsePercent(entry?.value ?? '0');
  if (!present.ok || present.value !== standing) return false;
  return (await deps.store.config.update(key, String(decision.to), entry?.revision ?? 0)).ok;
};

const remember = (leading: Leading, decision: Made, percent: number): void => {
  const known = seen.get(leading);
  if (known === undefined) return;
  const homes = decision.kind === 'home' ? known.homes + 1 : known.homes;
  seen.set(leading, { ...known, homes, written: { percent, atMs: leading.deps.runtime.now() } });
};

type Made = Exclude<AutoDecision, { kind: 'none' }>;

const carryOut = async (leading: Leading, decision: Made, { evidence, verdict }: Gathered): Promise<void> => {
  const percent = decision.kind === 'raise' ? decision.to : 0;
  if (!(await write(leading, decision, evidence.readPercent))) return;
  remember(leading, decision, percent);
  const { recent: _, ...figures } = evidence;
  const what = `auto: pct.read ${percent}`;
  await leading.journal.audit({ what, reason: decision.reason, evidence: { ...figures, judged: verdict } });
};

export const runAuto = async (leading: Leading, state: RouteState): Promise<void> => {
  const { auto } = state.spec;
  if (state.phase.phase !== 'dual' || (auto.ramp === undefined && auto.rollback === undefined) || state.stop) return;
  const { written, percent } = noteShare(leading, state.percent.read);
  if (written !== undefined && written.percent !== percent && leading.deps.runtime.now() - written.atMs < echoMs)
    return;
  const gathered = await gather(leading, state);
  const decision = decideAuto(auto, gathered.evidence);
  if (decision.kind !== 'none') await carryOut(leading, decision, gathered);
};
