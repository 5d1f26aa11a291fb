/**
 * What has to be asked for so that a route gets into the phase that its resource wants. Pure: one step at a time, from
 * what the store says. Invariants: nothing is asked twice for one generation of the spec, so that a switch which was
 * given up does not stop the writes of users again and again, and nobody who went back by hand is fought; the way to
 * `final`, from which none leads back, is gone only from `target`; nothing is asked while the brake is on or another
 * request stands.
 */
import { answerTo } from '../coordination/ask-answers.ts';
import { pathBetween } from '../coordination/phase-machine.ts';
import type { AskResult, Ask, Phase } from '../coordination/records.ts';
import type { Asked } from './resource.ts';

export type PlanFacts = {
  wanted: Phase | undefined;
  present: Phase;
  held: boolean;
  /** The brake: with it on the leader itself brings everything home. */
  stopped: boolean;
  /** A request that stands without an answer. */
  open: boolean;
  generation: number;
  asked: Asked | undefined;
  /** The leader's last answer. */
  result: AskResult | undefined;
  safeToAdvance: { ok: boolean; reasons: readonly string[] };
  safeToRollBack: { ok: boolean; reasons: readonly string[] };
};

export type Step =
  | { kind: 'reached' }
  | { kind: 'wait'; reason: 'Moving' | 'NotSafe' | 'Stopped'; message: string }
  | { kind: 'blocked'; reason: 'GivenUp' | 'NoWay'; message: string }
  | { kind: 'ask'; what: string; action: Ask['action']; phase?: Phase };

const wait = (reason: 'Moving' | 'NotSafe' | 'Stopped', message: string): Step => ({ kind: 'wait', reason, message });
const noWay = (message: string): Step => ({ kind: 'blocked', reason: 'NoWay', message });

const blocked = (message: string): Step => ({
  kind: 'blocked',
  reason: 'GivenUp',
  message: `${message}; change the spec to have it tried again`,
});

/** What became of a request made for this generation; undefined = none was made. */
const answered = ({ asked, generation, result }: PlanFacts, what: string): Step | undefined => {
  const made = asked?.generation === generation ? asked.requests.find((one) => one.what === what) : undefined;
  if (made === undefined) return undefined;
  const answer = answerTo(result, made.id);
  if (answer === undefined)
    return blocked(
      `${what} was asked for, and ${result === undefined ? 'there is no answer' : 'the last answer is to another request'}`,
    );
  if (answer.state === 'running') return wait('Moving', answer.message);
  if (answer.state === 'done') return blocked(`${what} was done, and the route has moved on since`);
  return blocked(`${what}: ${answer.state}: ${answer.message}`);
};

const once = (facts: PlanFacts, step: Extract<Step, { kind: 'ask' }>): Step => answered(facts, step.what) ?? step;
const phaseTo = (facts: PlanFacts, phase: Phase): Step =>
  once(facts, { kind: 'ask', what: `phase ${phase}`, action: 'phase', phase });

const switchTo = (facts: PlanFacts, action: 'advance' | 'rollback' | 'finalize'): Step => {
  const from = action === 'advance' ? { phase: facts.present } : {};
  const step = once(facts, { kind: 'ask', what: action, action, ...from });
  const safe = action === 'rollback' ? facts.safeToRollBack : facts.safeToAdvance;
  return step.kind === 'ask' && !safe.ok ? wait('NotSafe', safe.reasons.join('; ')) : step;
};

const towards = (wanted: Phase, facts: PlanFacts): Step => {
  const { present } = facts;
  if (present === 'final') return noWay('the migration is complete; no way leads back from final');
  if (wanted === 'final')
    return present === 'target' ? switchTo(facts, 'finalize') : noWay('final is reached from target only');
  if (wanted === 'target') return present === 'dual' ? switchTo(facts, 'advance') : phaseTo(facts, 'dual');
  if (present === 'target') return switchTo(facts, 'rollback');
  if (pathBetween(present, wanted) === undefined) return noWay(`no way leads from ${present} to ${wanted}`);
  return phaseTo(facts, wanted);
};

export const nextStep = (facts: PlanFacts): Step => {
  const { wanted, present, held, open, stopped } = facts;
  if (held) return wait('Moving', 'a switch of authority is under way');
  if (wanted === undefined || wanted === present) return { kind: 'reached' };
  if (stopped) return wait('Stopped', 'the brake is on');
  if (open) return wait('Moving', 'a request is being carried out');
  return towards(wanted, facts);
};
