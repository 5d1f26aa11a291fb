/**
 * May the authority move now? Each condition is listed with its value and what is needed, also when it holds, so that an
 * operator sees the whole checklist. The same list answers *safe to advance* and *safe to roll back*. Pure: the leader
 * gathers the facts, this file judges them. The hard proof is repeated inside the hold; the gate only keeps a switch
 * that would be given up from pausing anyone.
 */
import type { Answer, GateCondition } from '../../coordination/job-status.ts';
import type { PhaseRecord } from '../../coordination/records.ts';
import { type IndexHealth, isWhole } from '../control-answers.ts';
import { plainWritersText } from './plain-writers.ts';

export type GateFacts = {
  record: PhaseRecord;
  paused: boolean;
  /** The brake is on. */
  stop: boolean;
  backfillDone: boolean;
  /** `hasRun`: under this leader, so that it can tell. */
  tail: { hasRun: boolean; behind: number; lagSeconds: number; maxLagSeconds: number };
  quarantined: number;
  sweepPending: boolean;
  /** Age of the last clean proof under this reign; undefined when there was none. */
  proofAgeSeconds: number | undefined;
  maxProofAgeSeconds: number;
  verdict: 'promote' | 'hold' | 'rollback' | 'inconclusive';
  /** `outOfReach`: lost members that no fence stops yet; they may write on and nobody hears of it. */
  members: {
    live: number;
    behind: string[];
    outOfReach: string[];
    /** May write to the source by its plain name. */
    plainWriters: string[];
  };
  byQuery: readonly { member: string; running: number }[];
  health: { source: IndexHealth; target: IndexHealth };
  /** Writes past the sidecars that were seen growing over the last polls. */
  unaccountedGrowing: boolean;
  /** Members with requests over the same time that were never answered, so that nobody knows what they wrote. */
  unanswered: readonly string[];
  alarms: readonly string[];
  /** Why the last switch has not come to its end, which stands among the alarms as well. */
  unsettled: string | undefined;
  storeConnected: boolean;
};

const condition = (name: string, ok: boolean, value: string | number, need: string): GateCondition => ({
  condition: name,
  ok,
  value: String(value),
  need,
});
const seconds = (value: number | undefined): string => (value === undefined ? 'never' : `${value.toFixed(1)} s ago`);

/**
 * A member that lost the store writes on through its epoch alias and cannot tell: that growth has a name, and the fence
 * of the switch ends it. Whoever else writes moves sequence numbers behind the fence, where the switch looks again.
 */
const foreignWrites = ({ unaccountedGrowing, unanswered, members }: GateFacts): GateCondition => {
  const explained = members.outOfReach.length > 0;
  const perhaps = unanswered.length === 0 ? '' : `, perhaps by requests of ${unanswered.join(', ')} without an answer`;
  const growing = explained ? `growing while ${members.outOfReach.join(', ')} is out of reach` : `growing${perhaps}`;
  return condition(
    'nobody writes past the sidecars',
    !unaccountedGrowing || explained,
    unaccountedGrowing ? growing : 'steady',
    'steady, or a member out of reach',
  );
};

const pastAliases = ({ members: { plainWriters } }: GateFacts): GateCondition => {
  const nobody = plainWriters.length === 0;
  return condition(
    'nobody writes past the aliases',
    nobody,
    nobody ? 'nobody' : plainWritersText(plainWriters),
    'nobody',
  );
};

const tailCaughtUp = ({ tail: { hasRun, lagSeconds, behind, maxLagSeconds } }: GateFacts): GateCondition =>
  condition(
    'tail caught up',
    hasRun && lagSeconds <= maxLagSeconds,
    hasRun ? `${lagSeconds.toFixed(1)} s, ${behind} behind` : 'not known yet',
    `at most ${maxLagSeconds} s`,
  );

const running = ({ byQuery }: GateFacts): string =>
  byQuery.map((one) => `${one.running} at ${one.member}`).join(', ') || '0';

export type SwitchKind = 'cutover' | 'rollback' | 'rehearsal';

/** A rollback is wanted most when the evidence is bad, so the verdict never bars it. */
export const gateConditions = (kind: SwitchKind, facts: GateFacts): GateCondition[] => [
  condition('store connected', facts.storeConnected, facts.storeConnected ? 'yes' : 'no', 'yes'),
  condition('not paused', !facts.paused, facts.paused ? 'paused' : 'running', 'running'),
  ...(kind === 'rollback' ? [] : [condition('stop is off', !facts.stop, facts.stop ? 'on' : 'off', 'off')]),
  condition('no switch under way', facts.record.hold === undefined, facts.record.hold?.to ?? 'none', 'none'),
  condition(
    'members alive and in phase',
    facts.members.live > 0 && facts.members.behind.length === 0,
    facts.members.behind.length === 0 ? `${facts.members.live} in phase` : `behind: ${facts.members.behind.join(', ')}`,
    'at least one, all in phase',
  ),
  ...(kind === 'rollback' ? [] : [pastAliases(facts)]),
  condition('backfill complete', facts.backfillDone, facts.backfillDone ? 'yes' : 'no', 'yes'),
  tailCaughtUp(facts),
  condition('quarantine empty', facts.quarantined === 0, facts.quarantined, '0'),
  condition('no sweep pending', !facts.sweepPending, facts.sweepPending ? 'pending' : 'none', 'none'),
  condition(
    'proof clean and recent',
    facts.proofAgeSeconds !== undefined && facts.proofAgeSeconds <= facts.maxProofAgeSeconds,
    seconds(facts.proofAgeSeconds),
    `within ${facts.maxProofAgeSeconds} s`,
  ),
  condition('no by-query or reindex running', facts.byQuery.length === 0, running(facts), '0'),
  ...(kind === 'rollback' ? [] : [condition('verdict', facts.verdict !== 'rollback', facts.verdict, 'not rollback')]),
  foreignWrites(facts),
  ...(['source', 'target'] as const).map((side) =>
    condition(`${side} healthy`, isWhole(facts.health[side]), facts.health[side], 'green or yellow'),
  ),
  condition('no alarms', facts.alarms.length === 0, facts.alarms.join('; ') || 'none', 'none'),
];

export const answerOf = (conditions: readonly GateCondition[]): Answer => {
  const reasons = conditions
    .filter(({ ok }) => !ok)
    .map(({ condition: name, value, need }) => `${name}: ${value} (needs ${need})`);
  return { ok: reasons.length === 0, reasons };
};
