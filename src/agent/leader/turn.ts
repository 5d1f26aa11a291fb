/**
 * One turn of the leader's loop: recover what a predecessor left half done, keep aliases as the phase needs them, carry out
 * what operators ask, work (route-work.ts), and publish the status. Invariant: every step can be repeated, and every write
 * that matters is a compare-and-set, so a leader that woke up late can do no harm.
 */
import { jobStatusName } from '../../coordination/job-status.ts';
import { keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { hasFollower } from '../../coordination/records.ts';
import { isCrossfadeError } from '../../errors.ts';
import { sleep } from '../runtime.ts';
import { keepAliases } from './alias-watch.ts';
import { runAsk } from './ask-runner.ts';
import { runAuto } from './auto-runner.ts';
import { gatherGate } from './gate-facts.ts';
import type { Interruption } from './interruption.ts';
import type { Leading } from './leading.ts';
import { missingFrom } from './next-path.ts';
import { watchProcesses } from './process-watch.ts';
import { watchSides } from './side-watch.ts';
import { buildStatus } from './status.ts';
import { endUnheldSwitch } from './unheld-switch.ts';
import { verdictStatus } from './verdict-status.ts';

/** A hold that this leader did not begin: its leader is gone, so the writes go back to the old authority. */
const releaseOrphan = async ({ deps, writer, journal }: Leading, state: RouteState): Promise<boolean> => {
  if (state.phase.hold === undefined) return false;
  const step = await writer.step(
    { kind: 'release' },
    { reason: 'the leader of the switch is gone', from: { record: state.phase, revision: state.phaseRevision } },
  );
  if (step.ok) {
    deps.onStep?.(deps.slug, step.write);
    await journal.audit({ what: 'switch released', reason: 'the leader of the switch is gone' });
  }
  return true;
};

const publish = async (leading: Leading, state: RouteState): Promise<void> => {
  const { deps, job, work } = leading;
  const gate = await gatherGate(leading, state);
  const { judgement, tellers } = await leading.verdict.judge(state);
  const status = buildStatus({
    at: deps.clock(),
    leader: deps.member,
    slug: deps.slug,
    record: state.phase,
    job: job.current(),
    work: work.facts(),
    gate,
    missing: missingFrom(job.current().work?.ledger, deps.members.view(), gate.members.outOfReach),
    percentRead: state.stop ? 0 : state.percent.read,
    percentShadow: state.percent.shadow,
    quarantines: work.quarantines(),
    verdict: verdictStatus(judgement, tellers),
  });
  // A turn that hung over the end of the lease tells of nobody's lead.
  if (deps.lease.isHeld()) deps.onStatus?.(deps.slug, status);
  await deps.store.config.put(keys.job(deps.slug, jobStatusName), JSON.stringify(status));
};

const pendingCopies = ({ deps }: Leading): number =>
  [...deps.members.view().members.values()].reduce((sum, { heartbeat }) => {
    const line = heartbeat?.routes[deps.slug];
    return sum + (line === undefined ? 0 : line.pendingCopies + line.inFlight);
  }, 0);

const works = ({ phase }: RouteState): boolean => hasFollower(phase.phase) && phase.hold === undefined;

const toleratedFailures = 2;

/**
 * One failure is of a moment; what keeps failing needs a person, and bars a switch until then. A store that is gone has
 * a gauge and an alert of its own.
 */
const noteTurn = (leading: Leading, error?: unknown): void => {
  if (isCrossfadeError(error, 'STORE_UNAVAILABLE')) return;
  leading.failedTurns = error === undefined ? 0 : leading.failedTurns + 1;
  const message = error instanceof Error ? error.message : String(error);
  const told = leading.failedTurns > toleratedFailures ? `the leader cannot go on: ${message}` : undefined;
  leading.work.setAlarm('turn', told);
};

/**
 * Asks come first: they must not wait for data to move, nor for a cluster that is gone, because most of them need none. The
 * work gives way when somebody wants the loop.
 */
const act = async (leading: Leading, state: RouteState, interruption: Interruption): Promise<void> => {
  const { deps, work } = leading;
  const kept = await failureOf(() => keepAliases(leading, state));
  await watchProcesses(leading, state);
  await runAsk(leading, state, interruption);
  if (kept !== undefined) throw kept;
  const unended = await failureOf(() => endUnheldSwitch(leading, deps.state() ?? state));
  const present = deps.state() ?? state;
  if (!hasFollower(present.phase.phase)) return work.leave();
  if (works(present) && deps.lease.isHeld()) await stepWork(leading, present, interruption);
  if (unended !== undefined) throw unended;
};

const stepWork = (leading: Leading, present: RouteState, interruption: Interruption): Promise<void> => {
  const { job, work } = leading;
  return interruption.step((signal) =>
    work.step(present, {
      paused: job.current().paused,
      pendingCopies: pendingCopies(leading),
      signal,
    }),
  );
};

const workable = ({ deps }: Leading): RouteState | undefined => {
  const state = deps.state();
  return state !== undefined && works(state) && deps.lease.isHeld() ? state : undefined;
};

/** What the route does by itself, also in a turn that failed: reads must come home most when a cluster is gone. */
const actAlone = async (leading: Leading, hasFailed: boolean): Promise<void> => {
  const state = workable(leading);
  if (state === undefined) return;
  await runAuto(leading, state, 'anything');
  if (!hasFailed) await watchSides(leading, state);
};

const bringHome = async (leading: Leading): Promise<void> => {
  const state = workable(leading);
  if (state !== undefined) await runAuto(leading, state, 'only home');
};

const patienceMs = 2_000;

/** A request to a cluster that hangs may take half a minute, a verification hours: reads come home all the same. */
const bringingHome = async (leading: Leading, acting: Promise<void>): Promise<void> => {
  const { runtime } = leading.deps;
  const over = new AbortController();
  const ended = acting.finally(() => over.abort());
  while (!over.signal.aborted) {
    await Promise.race([ended, sleep(runtime, patienceMs, over.signal)]);
    if (!over.signal.aborted) await bringHome(leading).catch(() => undefined);
  }
  return ended;
};

const failureOf = async (part: () => Promise<void>): Promise<unknown> => {
  try {
    await part();
    return undefined;
  } catch (error) {
    if (beginsAgain(error)) throw error;
    return error;
  }
};

/** One turn. A cluster that is gone is the very thing that the status has to tell, so it is published all the same. */
export const turn = async (leading: Leading, interruption: Interruption): Promise<void> => {
  const { deps } = leading;
  const state = deps.state();
  if (state === undefined || (await releaseOrphan(leading, state))) return;
  const acted = await failureOf(() => bringingHome(leading, act(leading, state, interruption)));
  if (interruption.gaveWay && acted === undefined) return noteTurn(leading);
  const alone = await failureOf(() => actAlone(leading, acted !== undefined));
  const failure = acted ?? alone;
  noteTurn(leading, failure);
  await publish(leading, deps.state() ?? state);
  if (failure !== undefined) throw failure;
};

/** The record of another leader, or one of ours whose outcome is unknown: begin again from what the store says. */
export const beginsAgain = (error: unknown): boolean =>
  isCrossfadeError(error, 'STORE_CONFLICT') || isCrossfadeError(error, 'STORE_OUTCOME_UNKNOWN');
