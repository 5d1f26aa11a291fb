/**
 * Carries out what an operator asked for in `rt.<slug>.ask` and answers in `job.<slug>.ask`, with an audit entry for all
 * that changed something. A refusal is an answer, not an error: it says which condition is not met.
 */

import type { CutoverReport } from '../../coordination/job-status.ts';
import { keys } from '../../coordination/keys.ts';
import { pathBetween } from '../../coordination/phase-machine.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { type Ask, type AskResult, type Phase, type PhaseRecord } from '../../coordination/records.ts';
import { noWay, switchBetween } from '../../coordination/step-rules.ts';
import { CrossfadeError, type ErrorCode, isCrossfadeError } from '../../errors.ts';
import { gatherFacts } from '../preflight/gather.ts';
import { brakeAfter, released, rests } from './brake.ts';
import { repairRoute, verifyRoute } from './checks.ts';
import { answerOf, gateConditions, type SwitchKind } from './gate.ts';
import { unsettled } from './alias-watch.ts';
import { gatherGate } from './gate-facts.ts';
import { closeSource, movePhase } from './moves.ts';
import { type Begun, begunAt, type Overtaken, overtakenResult, resumedResult } from './resumed-ask.ts';
import type { Interruption } from './interruption.ts';
import type { Leading } from './leading.ts';
import { plainWriters } from './plain-writers.ts';
import { lookForUnheard } from './process-watch.ts';
import { forgetSides } from './side-watch.ts';
import { originsOf } from './stay-facts.ts';
import { heardSpec, isStored } from './stored-spec.ts';
import type { PhaseWrite } from './switch.ts';
import { runRouteSwitch } from './switch-runner.ts';

type Result = Omit<AskResult, 'schema' | 'id' | 'at'>;
const done = (message: string, details?: Record<string, unknown>): Result => ({
  state: 'done',
  message,
  ...(details === undefined ? {} : { details }),
});
const refused = (code: ErrorCode, message: string, details?: Record<string, unknown>): Result => ({
  state: 'refused',
  code,
  message,
  ...(details === undefined ? {} : { details }),
});

const barrierTimeoutMs = 30_000;

const stateNow = ({ deps }: Leading): RouteState => {
  const state = deps.state();
  if (state === undefined) throw new CrossfadeError('ROUTE_UNKNOWN');
  return state;
};

const moveOnce = async (leading: Leading, to: Phase, reason: string): Promise<PhaseWrite> => {
  const { deps, writer, job, journal, work } = leading;
  const { config } = deps.store;
  const spec = await heardSpec({ config, runtime: deps.runtime }, () => stateNow(leading).spec);
  const store = deps.store.status();
  const members = deps.members.view();
  const byQuerySeen = [...members.members.values()].reduce(
    (sum, { heartbeat }) => sum + (heartbeat?.routes[deps.slug]?.byQuery ?? 0),
    0,
  );
  const origins = () => originsOf(config, deps.slug, job.current());
  const preflight = async () => {
    const problem = await deps.transforms.problem(spec.transform);
    return gatherFacts({
      clusters: deps.clusters,
      spec,
      store: { kind: store.kind, connected: store.connected, detail: store.detail, members: members.members.size },
      copiedBefore: (await origins()).length > 0,
      byQuerySeen,
      nowMs: Date.parse(deps.clock()),
      ...(problem === undefined ? {} : { transform: { problem, where: 'agent' } }),
    });
  };
  const { write, findings } = await movePhase(
    {
      spec,
      clusters: deps.clusters,
      writer,
      members: deps.members,
      runtime: deps.runtime,
      preflight,
      plainWriters: async ({ record }) => {
        const unheard = await lookForUnheard(leading);
        return plainWriters(deps.members.view(), unheard, { slug: deps.slug, record });
      },
      barrierTimeoutMs,
      origins,
      isStored: () => isStored(config, spec),
      // A stay in dual begins with a backfill of its own, whatever an earlier stay had reached.
      onReady: async () => {
        await work.leave();
        await Promise.all([job.save({ work: undefined, next: undefined }), forgetSides(leading)]);
      },
    },
    to,
    reason,
  );
  deps.onStep?.(deps.slug, write);
  await journal.audit({
    what: `phase ${to}`,
    reason,
    evidence: { findings: findings.filter(({ level }) => level !== 'ok') },
  });
  return write;
};

/** Repeated whenever `final` is asked for. The phase stands whatever comes of it, so what fails here has refused nothing. */
const close = async ({ deps }: Leading, spec: RouteState['spec'], write: PhaseWrite): Promise<Result> => {
  const { clusters, members, runtime } = deps;
  try {
    await closeSource({ spec, clusters, members, runtime, barrierTimeoutMs }, write);
    return done('phase final');
  } catch (error) {
    return { ...failure(error), state: 'failed' };
  }
};

const walkTo = async (leading: Leading, to: Phase, reason: string): Promise<Result> => {
  const present = await leading.writer.read();
  const { record } = present;
  const { spec } = stateNow(leading);
  if (to === 'final' && record.phase === 'final') return close(leading, spec, present);
  const open = to === 'final' ? unsettled(leading, stateNow(leading)) : undefined;
  if (open !== undefined) return refused('GATE_REFUSED', open);
  const needed = switchBetween(record.phase, to);
  if (needed !== undefined) return refused('PHASE_REFUSED', `from ${record.phase} to ${to} only by a ${needed}`);
  let written: PhaseWrite = present;
  for (const phase of pathBetween(record.phase, to) ?? []) written = await moveOnce(leading, phase, reason);
  return to === 'final' ? close(leading, spec, written) : done(`phase ${to}`);
};

const switchResult = (report: CutoverReport): Result => {
  const details = { report };
  switch (report.result) {
    case 'committed':
    case 'rehearsed':
      return done(`${report.kind} ${report.result}, writes waited ${Math.round(report.pauseMs ?? 0)} ms`, details);
    case 'refused':
      return refused('PHASE_REFUSED', report.reason ?? '', details);
    case 'aborted':
    case 'failed':
      return { state: 'aborted', code: 'CUTOVER_ABORTED', message: report.reason ?? '', details };
    default:
      return report.result satisfies never;
  }
};

type Wanted = {
  kind: SwitchKind;
  reason: string;
  /** Whose conditions it has to meet: a rehearsal those of the switch that it rehearses. */
  as?: SwitchKind;
};

const switchNow = async (leading: Leading, { kind, reason, as = kind }: Wanted): Promise<Result> => {
  const state = stateNow(leading);
  const conditions = gateConditions(as, await gatherGate(leading, state, { isFresh: true }));
  const answer = answerOf(conditions);
  if (!answer.ok) return refused('GATE_REFUSED', answer.reasons.join('; '), { gate: conditions });
  return switchResult(await runRouteSwitch(leading, { kind, reason }));
};

/** Before a cutover only reads have moved, so bringing them home is the whole rollback. */
const readsHome = async ({ deps, journal }: Leading, reason: string): Promise<Result> => {
  await deps.store.config.put(keys.percent(deps.slug, 'read'), '0');
  await journal.audit({ what: 'reads home', reason });
  return done('all reads go to the authority');
};

const rollBack = (leading: Leading, phase: Phase, reason: string): Promise<Result> =>
  phase === 'target' ? switchNow(leading, { kind: 'rollback', reason }) : readsHome(leading, reason);

const advance = (leading: Leading, phase: Phase, reason: string): Promise<Result> =>
  phase === 'dual'
    ? switchNow(leading, { kind: 'cutover', reason })
    : walkTo(leading, phase === 'off' ? 'observe' : 'dual', reason);

/** `from`: where the route stood when somebody confirmed one step; another one is not what he meant. */
const movedOn = (leading: Leading, from: Phase | undefined): Result | undefined => {
  const { phase } = stateNow(leading).phase;
  if (from === undefined || from === phase) return undefined;
  return refused('PHASE_REFUSED', `the route is in ${phase} by now, and this step was from ${from}`);
};

/** Whoever confirmed that reads come home did not mean the authority; the other way round the less is done. */
const becameSwitch = (leading: Leading, from: Phase | undefined): Result | undefined =>
  from === 'dual' && stateNow(leading).phase.phase === 'target' ? movedOn(leading, from) : undefined;

/** Of the switch that leads out of the phase, the same way back included. */
const rehearse = (leading: Leading, phase: Phase, reason: string): Promise<Result> =>
  switchNow(leading, { kind: 'rehearsal', reason, as: phase === 'dual' ? 'cutover' : 'rollback' });

const relativeSteps = { advance, rehearse, rollback: rollBack };

/** From wherever the route stands. */
const step = (leading: Leading, action: keyof typeof relativeSteps, reason: string): Promise<Result> | Result => {
  const { phase } = stateNow(leading).phase;
  const barred = noWay(action, phase);
  return barred === undefined ? relativeSteps[action](leading, phase, reason) : refused('PHASE_REFUSED', barred);
};

const setPaused = async ({ job, journal }: Leading, paused: boolean, reason: string): Promise<Result> => {
  await job.save({ paused });
  await journal.audit({ what: paused ? 'paused' : 'resumed', reason });
  return done(paused ? 'backfill, tail and sweep are paused' : 'work goes on');
};

/** A hold lives inside one call of this loop, so an abort that is read here found none; see releaseOrphan. */
const abort = (leading: Leading): Result =>
  stateNow(leading).phase.hold === undefined
    ? done('no switch is under way')
    : refused('PHASE_REFUSED', 'a switch is ending');

/** A check gives way to whoever wants the loop, and goes on in the next turn. */
const check = async (
  leading: Leading,
  { id, action, args = {} }: Ask,
  interruption: Interruption,
): Promise<Result | undefined> => {
  let result: Result | undefined;
  await interruption.run(async (signal) => {
    const checking = { leading, state: stateNow(leading), ask: id, signal };
    result = await (action === 'repair' ? repairRoute(checking, args) : verifyRoute(checking, args));
  });
  return result;
};

const carryOut = (
  leading: Leading,
  ask: Ask,
  interruption: Interruption,
): Promise<Result | undefined> | Result | undefined => {
  const { action, phase, args, reason } = ask;
  switch (action) {
    case 'phase':
      return phase === undefined ? refused('USAGE', 'phase: missing') : walkTo(leading, phase, reason);
    case 'advance':
      return movedOn(leading, phase) ?? step(leading, args?.['rehearse'] === true ? 'rehearse' : 'advance', reason);
    case 'rollback':
      return becameSwitch(leading, phase) ?? step(leading, action, reason);
    case 'rehearse':
      return step(leading, action, reason);
    case 'finalize':
      return walkTo(leading, 'final', reason);
    case 'abort':
      return abort(leading);
    case 'pause':
      return setPaused(leading, true, reason);
    case 'resume':
      return setPaused(leading, false, reason);
    case 'verify':
    case 'repair':
      return check(leading, ask, interruption);
    default:
      return action satisfies never;
  }
};

const failure = (error: unknown): Result => {
  const message = error instanceof Error ? error.message : String(error);
  if (!isCrossfadeError(error)) return { state: 'failed', code: 'INTERNAL', message };
  const refusal = error.code.endsWith('_REFUSED') && error.code !== 'UPSTREAM_REFUSED';
  return {
    state: refusal ? 'refused' : 'failed',
    code: error.code,
    message,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
};

/** Who no longer knows what the store holds has to begin again from it: every later write would fail as well. */
const refuseUnknownStore = ({ code, message }: Result): void => {
  if (code === 'STORE_CONFLICT' || code === 'STORE_OUTCOME_UNKNOWN') throw new CrossfadeError(code, message);
};

/** The brake in `target` is a rollback; it is tried again each turn until it is done. */
const runStop = async (leading: Leading, state: RouteState): Promise<void> => {
  const { deps } = leading;
  const wanted = state.stop && state.phase.phase === 'target';
  if (!wanted) leading.brake = released;
  if (!wanted || rests(leading.brake, deps.runtime.now())) return;
  // What fails before the hold must not keep asks and tail from their turn.
  const result = await switchNow(leading, { kind: 'rollback', reason: 'stop is on' }).catch(failure);
  leading.brake = brakeAfter(leading.brake, result.state, deps.runtime.now());
  if (result.state !== 'done')
    deps.logger.warn({ slug: state.slug, reason: result.message }, 'stop is on and the rollback cannot be done yet');
  refuseUnknownStore(result);
};

/** Where the record cannot be read the last good one is in force; what has to step from it will say why it cannot. */
const presentRecord = async (leading: Leading): Promise<PhaseRecord> => {
  try {
    return (await leading.writer.read()).record;
  } catch (error) {
    if (!isCrossfadeError(error, 'CONFIG_INVALID')) throw error;
    return stateNow(leading).phase;
  }
};

type Pending = { ask: Ask; begun: Begun | undefined; before: Overtaken | undefined; interruption: Interruption };

/** Undefined when it goes on in the next turn. */
const begin = async (
  leading: Leading,
  { ask, begun: seen, interruption }: Pending,
  begun: Begun,
): Promise<Result | undefined> => {
  const details = { ...begun, action: ask.action };
  if (seen === undefined) await leading.journal.answer(ask, { state: 'running', message: '', details });
  return Promise.resolve()
    .then(() => carryOut(leading, ask, interruption))
    .catch(failure);
};

const carryOutAndAnswer = async (leading: Leading, pending: Pending): Promise<void> => {
  const { ask, begun: seen, before } = pending;
  const { journal, deps } = leading;
  const now = begunAt(await presentRecord(leading));
  if (before !== undefined) await journal.answer(before, overtakenResult(before, now));
  const begun = seen ?? now;
  const result: Result | undefined = resumedResult(ask, begun, now) ?? (await begin(leading, pending, begun));
  if (result === undefined) return;
  await journal.answer(ask, result);
  deps.logger.info(
    { slug: deps.slug, action: ask.action, by: ask.by, state: result.state, reason: result.message },
    'request carried out',
  );
  // A switch that was begun has an entry of its own, with its report.
  if (result.state !== 'done' && result.details?.['report'] === undefined)
    await journal.audit({ what: `${ask.action} ${result.state}`, reason: result.message });
  refuseUnknownStore(result);
};

export const runAsk = async (leading: Leading, state: RouteState, interruption: Interruption): Promise<void> => {
  const { journal } = leading;
  await runStop(leading, state);
  const pending = await journal.pendingAsk();
  if (pending === undefined) return;
  journal.actFor(pending.ask.by);
  try {
    await carryOutAndAnswer(leading, { ...pending, interruption });
  } finally {
    journal.actFor(undefined);
  }
};
