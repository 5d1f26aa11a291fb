/**
 * The status of a Migration, with conditions as Kubernetes has them: one of each type, and the time of transition moves only
 * when the status does, so that a pass which changes nothing writes nothing. Pure.
 */
import type { Answer } from '../coordination/job-status.ts';
import type { RouteStatus } from '../fleet/fleet-status.ts';
import type { Step } from './plan.ts';
import { type Asked, type Condition, conditionTypes, type MigrationStatus } from './resource.ts';

type Said = Pick<Condition, 'status' | 'reason' | 'message'>;
export type Findings = {
  accepted: { ok: true } | { ok: false; reason: 'Invalid' | 'Refused'; message: string };
  step: Step | undefined;
  route: RouteStatus | undefined;
  asked: Asked | undefined;
  generation: number;
  at: string;
};

const unknown = (message: string): Said => ({ status: 'Unknown', reason: 'NotKnown', message });

const acceptedOf = ({ accepted }: Findings): Said =>
  accepted.ok
    ? { status: 'True', reason: 'Accepted', message: '' }
    : { status: 'False', reason: accepted.reason, message: accepted.message };

const reachedOf = ({ step, route }: Findings): Said => {
  if (step === undefined) return unknown('the spec is not in force');
  switch (step.kind) {
    case 'reached':
      return { status: 'True', reason: 'Reached', message: `the route is in ${route?.phase ?? 'off'}` };
    case 'ask':
      return { status: 'False', reason: 'Moving', message: `asked for ${step.what}` };
    case 'wait':
    case 'blocked':
      return { status: 'False', reason: step.reason, message: step.message };
    default:
      return step satisfies never;
  }
};

const safeOf = (answer: Answer | undefined): Said => {
  if (answer === undefined) return unknown('the route is not in the store yet');
  return answer.ok
    ? { status: 'True', reason: 'Safe', message: '' }
    : { status: 'False', reason: 'NotSafe', message: answer.reasons.join('; ') };
};

const saidOf = (findings: Findings): Record<Condition['type'], Said> => ({
  Accepted: acceptedOf(findings),
  PhaseReached: reachedOf(findings),
  SafeToAdvance: safeOf(findings.route?.safeToAdvance),
  SafeToRollBack: safeOf(findings.route?.safeToRollBack),
});

export const statusOf = (before: MigrationStatus | undefined, findings: Findings): MigrationStatus => {
  const { route, asked, generation, at } = findings;
  const said = saidOf(findings);
  const conditions = conditionTypes.map((type): Condition => {
    const old = before?.conditions.find((one) => one.type === type);
    const lastTransitionTime = old !== undefined && old.status === said[type].status ? old.lastTransitionTime : at;
    return { type, ...said[type], observedGeneration: generation, lastTransitionTime };
  });
  return {
    observedGeneration: generation,
    ...(route === undefined ? {} : { phase: route.phase, epoch: route.epoch, reign: route.reign }),
    ...(route?.stage === undefined || route.stage === null ? {} : { stage: route.stage }),
    ...(asked === undefined ? {} : { asked }),
    conditions,
  };
};
