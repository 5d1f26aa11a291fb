/**
 * The leader of one route: campaigns for the lease and, while it holds it, turns a loop that recovers what a predecessor
 * left half done, keeps aliases as the phase needs them, carries out what operators ask, works (route-work.ts), and
 * publishes the status. Invariant: every step of the loop can be repeated, and every write that matters is a
 * compare-and-set, so a leader that woke up late can do no harm.
 */
import { type CutoverReport, jobStatusName, type RouteJobStatus } from '../../coordination/job-status.ts';
import { keys } from '../../coordination/keys.ts';
import type { LeaderLease } from '../../coordination/lease.ts';
import type { Members } from '../../coordination/members.ts';
import type { RouteState, Store } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import { isCrossfadeError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { ClusterControl } from '../cluster.ts';
import type { Runtime } from '../runtime.ts';
import type { Transforms } from '../transform.ts';
import { keepAliases } from './alias-watch.ts';
import { runAsk } from './ask-runner.ts';
import { runAuto } from './auto-runner.ts';
import { leftKey } from './events.ts';
import { FleetVerdict } from './fleet-verdict.ts';
import { gatherGate } from './gate-facts.ts';
import { createJobStore, type JobStore } from './job-state.ts';
import { createJournal, type Journal } from './journal.ts';
import { createLeftTasks, type LeftTasks } from './left-tasks.ts';
import { missingFrom } from './next-path.ts';
import { createPhaseWriter, type PhaseWriter } from './phase-writer.ts';
import { type Unheard, watchProcesses } from './process-watch.ts';
import { RouteWork } from './route-work.ts';
import { watchSides } from './side-watch.ts';
import { buildStatus } from './status.ts';
import { createSweeper } from './sweeper.ts';
import type { PhaseWrite, SwitchPoint } from './switch.ts';
import { verdictStatus } from './verdict-status.ts';

export type LeaderEvents = {
  /** A switch ended; for metrics. */
  onCutover?: (slug: string, report: CutoverReport) => void;
  onStatus?: (slug: string, status: RouteJobStatus | undefined) => void;
  /** Labelled points inside a switch, for fault tests. */
  onReached?: (point: SwitchPoint) => Promise<void>;
};
export type RouteLeaderDeps = LeaderEvents & {
  slug: string;
  member: string;
  store: Store;
  clusters: Record<Side, ClusterControl>;
  members: Members;
  lease: LeaderLease;
  transforms: Transforms;
  runtime: Runtime;
  clock: () => string;
  logger: Logger;
  /** The newest state this process knows. */
  state: () => RouteState | undefined;
  /** A record this leader has just written: applied at once instead of waiting for the store's echo. */
  onStep?: (slug: string, write: PhaseWrite) => void;
  tickMs?: number;
};

/** What the parts of the loop share. */
export type Leading = {
  deps: RouteLeaderDeps;
  job: JobStore;
  journal: Journal;
  writer: PhaseWriter;
  work: RouteWork;
  verdict: FleetVerdict;
  /** Monotonic time since which lost members may still write. */
  lostSinceMs: number;
  /** Members that are listed and that nobody hears, as last looked for. */
  unheard: readonly Unheard[];
  leftTasks: LeftTasks;
  turns: number;
  /** In a row. */
  failedTurns: number;
};

export interface RouteLeader {
  /** Looks at once: an operator asked, or the stop key changed. */
  wake(): void;
  stop(): Promise<void>;
}

const noteEnded = (job: JobStore, boots: readonly string[]): Promise<void> => {
  const ended = Object.fromEntries(boots.map((boot) => [leftKey(boot), 1]));
  return job.save({ events: { ...job.current().events, ...ended } });
};

const begin = async (deps: RouteLeaderDeps): Promise<Leading> => {
  const { slug, store, clusters, runtime, transforms, members, clock, member, logger } = deps;
  const job = createJobStore(store.config, slug);
  await job.load();
  const onProblem = (detail: string): void => logger.warn({ slug, detail }, 'sweep cannot go on');
  const timers = { set: (run: () => void, delayMs: number) => runtime.after(delayMs, run) };
  const sweeper = createSweeper({ clusters, runtime, transforms, store, onProblem });
  return {
    deps,
    job,
    journal: createJournal({ bucket: store.config, slug, by: member, clock, now: () => runtime.now(), timers }),
    writer: createPhaseWriter({ bucket: store.config, slug, by: member, now: () => runtime.now(), clock, timers }),
    work: new RouteWork({
      slug,
      store,
      clusters,
      runtime,
      transforms,
      job,
      sweeper,
      members: () => members.view(),
      clock,
    }),
    verdict: new FleetVerdict({
      bucket: store.config,
      slug,
      now: () => runtime.now(),
      wallMs: () => Date.parse(clock()),
    }),
    lostSinceMs: Number.NEGATIVE_INFINITY,
    unheard: [],
    leftTasks: createLeftTasks({ clusters, onEnded: (boots) => noteEnded(job, boots) }),
    turns: 0,
    failedTurns: 0,
  };
};

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

const works = (state: RouteState): boolean =>
  (state.phase.phase === 'dual' || state.phase.phase === 'target') && state.phase.hold === undefined;

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

/** Asks come first: they must not wait for data to move. `rest` ends when somebody wants the loop. */
const act = async (leading: Leading, state: RouteState, rest: Interruption): Promise<void> => {
  const { deps, job, work } = leading;
  if (state.phase.phase !== 'off') await keepAliases(leading, state);
  await watchProcesses(leading, state);
  await runAsk(leading, state);
  const present = deps.state() ?? state;
  if (!works(present) || !deps.lease.isHeld()) return;
  await rest.run((signal) =>
    work.step(present, {
      paused: job.current().paused || present.rate === 'pause',
      pendingCopies: pendingCopies(leading),
      signal,
    }),
  );
  if (rest.wanted) return;
  await watchSides(leading, present);
  await runAuto(leading, present);
};

/** One turn. A cluster that is gone is the very thing that the status has to tell, so it is published all the same. */
const turn = async (leading: Leading, rest: Interruption): Promise<void> => {
  const { deps } = leading;
  const state = deps.state();
  if (state === undefined || (await releaseOrphan(leading, state))) return;
  let failure: unknown;
  try {
    await act(leading, state, rest);
  } catch (error) {
    if (beginsAgain(error)) throw error;
    failure = error;
  }
  noteTurn(leading, failure);
  if (rest.wanted && failure === undefined) return;
  await publish(leading, deps.state() ?? state);
  if (failure !== undefined) throw failure;
};

/** The record of another leader, or one of ours whose outcome is unknown: begin again from what the store says. */
const beginsAgain = (error: unknown): boolean =>
  isCrossfadeError(error, 'STORE_CONFLICT') || isCrossfadeError(error, 'STORE_OUTCOME_UNKNOWN');

/** Work that gives way: whoever calls `want` is served after the present step at the latest, and cuts it short. */
class Interruption {
  #abort: AbortController | undefined;
  /** Somebody waits for the loop. */
  wanted = false;

  want(): void {
    this.wanted = true;
    this.#abort?.abort();
  }

  async run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.wanted) return;
    const abort = new AbortController();
    this.#abort = abort;
    try {
      await work(abort.signal);
    } catch (error) {
      // What was cut short is no failure.
      if (!abort.signal.aborted) throw error;
    } finally {
      this.#abort = undefined;
    }
  }
}

export const startRouteLeader = (deps: RouteLeaderDeps): RouteLeader => {
  const { runtime, lease, logger, slug, tickMs = 1000 } = deps;
  let leading: Leading | undefined;
  let stopped = false;
  let cancel = (): void => undefined;
  let awake: (() => void) | undefined;
  const rest = new Interruption();
  const wake = (): void => {
    rest.want();
    awake?.();
  };

  const once = async (): Promise<void> => {
    if (!lease.isHeld()) {
      if (leading !== undefined) deps.onStatus?.(slug, undefined);
      await leading?.work.quiesce();
      leading = undefined;
      return;
    }
    try {
      leading ??= await begin(deps);
      await turn(leading, rest);
    } catch (err) {
      if (beginsAgain(err)) {
        await leading?.work.quiesce();
        leading = undefined;
      }
      logger.warn({ err, slug }, 'leader step failed, will be repeated');
    }
  };
  const nap = (): Promise<void> =>
    new Promise((resolve) => {
      if (rest.wanted) return resolve();
      awake = resolve;
      cancel = runtime.after(leading === undefined ? Math.min(tickMs, 250) : tickMs, resolve);
    });
  const loop = async (): Promise<void> => {
    while (!stopped) {
      rest.wanted = false;
      await once();
      if (!stopped) await nap();
      cancel();
      awake = undefined;
    }
    await leading?.work.quiesce();
  };
  const unsubscribe = lease.onChange(() => {
    if (!lease.isHeld()) deps.onStatus?.(slug, undefined);
    wake();
  });
  const running = loop();
  return {
    wake,
    stop: async () => {
      stopped = true;
      unsubscribe();
      wake();
      await running;
      await lease.release();
    },
  };
};
