/**
 * What a member has at hand while it leads a route: all that the parts of the leader's loop share. Made anew each time the
 * lease is won, from what predecessors saved, and dropped when the lease is lost or the store says something else.
 */
import type { CutoverReport, RouteJobStatus } from '../../coordination/job-status.ts';
import type { LeaderLease } from '../../coordination/lease.ts';
import type { Members } from '../../coordination/members.ts';
import type { RouteState, Store } from '../../coordination/ports.ts';
import type { ListedProcess } from '../../coordination/process-list.ts';
import type { Side } from '../../coordination/records.ts';
import type { Logger } from '../../log.ts';
import type { ClusterControl } from '../cluster.ts';
import type { OnUnreadable } from '../kept-record.ts';
import { isFilled } from '../leader-record.ts';
import type { Runtime } from '../runtime.ts';
import type { Transforms } from '../transform.ts';
import { type Brake, released } from './brake.ts';
import { leftKey } from './events.ts';
import { FleetVerdict } from './fleet-verdict.ts';
import { createForeignTasks, type ForeignTasks } from './foreign-tasks.ts';
import { createJobStore, type JobStore } from './job-state.ts';
import { createJournal, type Journal } from './journal.ts';
import { createLeftTasks, type LeftTasks } from './left-tasks.ts';
import { createPhaseWriter, type PhaseWriter } from './phase-writer.ts';
import { RouteWork } from './route-work.ts';
import type { PhaseWrite, SwitchPoint } from './switch.ts';
import { createSweeper } from './sweeper.ts';

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

export type Unheard = ListedProcess & {
  /** Monotonic time at which this leader first missed it. */
  sinceMs: number;
};

/** What the parts of the loop share. */
export type Leading = {
  deps: RouteLeaderDeps;
  /** A record of a leader's own cannot be read. */
  onUnreadable: OnUnreadable;
  job: JobStore;
  journal: Journal;
  writer: PhaseWriter;
  work: RouteWork;
  verdict: FleetVerdict;
  /** Monotonic time since which lost members may still write. */
  lostSinceMs: number;
  /** Members that are listed and that nobody hears, as last looked for. */
  unheard: readonly Unheard[];
  /** Of these, whose loss this leader has counted, by boot. */
  readonly countedLost: Set<string>;
  leftTasks: LeftTasks;
  foreignTasks: ForeignTasks;
  /** Aliases stand open of a switch that was prepared and never held. */
  prepared: boolean;
  /** Rollbacks that `stop` asked for, in a row, that held the writes and gave up. */
  brake: Brake;
  turns: number;
  /** In a row. */
  failedTurns: number;
};

const noteEnded = (job: JobStore, boots: readonly string[]): Promise<void> => {
  const ended = Object.fromEntries(boots.map((boot) => [leftKey(boot), 1]));
  return job.save({ events: { ...job.current().events, ...ended } });
};

export const beginLeading = async (deps: RouteLeaderDeps): Promise<Leading> => {
  const { slug, store, clusters, runtime, transforms, members, clock, member, logger } = deps;
  const onUnreadable = (key: string): void => logger.error({ slug, key }, 'record cannot be read and counts as absent');
  const job = createJobStore(store.config, slug, onUnreadable);
  await job.load();
  const onProblem = (detail: string): void => logger.warn({ slug, detail }, 'sweep cannot go on');
  const timers = { set: (run: () => void, delayMs: number) => runtime.after(delayMs, run) };
  const sweeper = createSweeper({ clusters, runtime, transforms, store, onProblem });
  return {
    deps,
    onUnreadable,
    job,
    journal: createJournal({ bucket: store.config, slug, by: member, clock, now: () => runtime.now(), timers }),
    writer: createPhaseWriter({
      bucket: store.config,
      slug,
      by: member,
      known: () => deps.state()?.phaseRevision ?? 0,
      now: () => runtime.now(),
      clock,
      timers,
    }),
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
      isFilled: () => isFilled(job.current().work),
      now: () => runtime.now(),
      wallMs: () => Date.parse(clock()),
    }),
    lostSinceMs: Number.NEGATIVE_INFINITY,
    unheard: [],
    countedLost: new Set(),
    leftTasks: createLeftTasks({ clusters, onEnded: (boots) => noteEnded(job, boots) }),
    foreignTasks: createForeignTasks({ clusters, now: () => runtime.now() }),
    prepared: false,
    brake: released,
    turns: 0,
    failedTurns: 0,
  };
};
