/** Gathers the evidence for auto.ts each turn, and carries out what it decides, with an audit entry that holds both. */
import { keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type AutoDecision, type AutoEvidence, decideAuto } from './auto.ts';
import { gatherGate } from './gate-facts.ts';
import type { Leading } from './route-leader.ts';

/** When this leader first saw the percentage that stands; a new leader begins to dwell anew. */
const seen = new WeakMap<Leading, { percent: number; atMs: number }>();

const sinceChange = (leading: Leading, percent: number): number => {
  const nowMs = leading.deps.runtime.now();
  const known = seen.get(leading);
  if (known?.percent === percent) return nowMs - known.atMs;
  seen.set(leading, { percent, atMs: nowMs });
  return 0;
};

const evidenceOf = async (leading: Leading, state: RouteState): Promise<AutoEvidence> => {
  const gate = await gatherGate(leading, state);
  return {
    readPercent: state.percent.read,
    sinceChangeMs: sinceChange(leading, state.percent.read),
    verdict: gate.verdict,
    verdictReason: 'reported by members',
    errorRatePercent: undefined,
    latencyWorsePercent: undefined,
    severity: gate.verdict === 'rollback' ? 'S0' : undefined,
    lagSeconds: gate.tail.lagSeconds,
    quarantined: gate.quarantined,
  };
};

const carryOut = async ({ deps, journal }: Leading, decision: AutoDecision, evidence: AutoEvidence): Promise<void> => {
  if (decision.kind === 'none') return;
  const percent = decision.kind === 'raise' ? decision.to : 0;
  await deps.store.config.put(keys.percent(deps.slug, 'read'), String(percent));
  await journal.audit({ what: `auto: pct.read ${percent}`, reason: decision.reason, evidence: { ...evidence } });
};

export const runAuto = async (leading: Leading, state: RouteState): Promise<void> => {
  const { auto } = state.spec;
  if (state.phase.phase !== 'dual' || (auto.ramp === undefined && auto.rollback === undefined) || state.stop) return;
  const evidence = await evidenceOf(leading, state);
  await carryOut(leading, decideAuto(auto, evidence), evidence);
};
