/**
 * Carries out the steps of a switch on real clusters, store and members: the shell behind switch.ts. One is made for
 * each switch; its aliases are in switch-aliases.ts, and what it saw and remembers is in switch-rest.ts. Invariant: while
 * writes are held, no call outlasts the budget of the hold.
 */
import type { Members } from '../../coordination/members.ts';
import { switchEpochs } from '../../coordination/phase-machine.ts';
import type { Bucket, RouteState } from '../../coordination/ports.ts';
import type { Side } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import { type Direction, directionOf } from '../direction.ts';
import { countProof } from '../proof.ts';
import { type Runtime, sleep } from '../runtime.ts';
import type { Dropped } from '../transform.ts';
import { awaitBarrier } from './barrier-wait.ts';
import type { JobStore } from './job-state.ts';
import type { Unheard } from './leading.ts';
import type { PhaseWriter } from './phase-writer.ts';
import { refreshAll, totalsOn } from './sequences.ts';
import type { Barrier, PhaseWrite, SwitchIo, SwitchPoint } from './switch.ts';
import { createSwitchAliases } from './switch-aliases.ts';
import { createSwitchRest } from './switch-rest.ts';

export type SwitchIoDeps = {
  state: RouteState;
  /** The record the switch starts from. */
  start: PhaseWrite;
  clusters: Record<Side, ClusterControl>;
  /** What the transform has no counterpart for. */
  dropped: Dropped;
  members: Pick<Members, 'view' | 'onChange' | 'refresh'>;
  /** Has the list of processes. */
  bucket: Bucket;
  /** Whom the leader missed before the switch began. */
  unheard: readonly Unheard[];
  writer: PhaseWriter;
  job: JobStore;
  runtime: Runtime;
  /** Shards of each index, by side. */
  shards: Record<Side, readonly number[]>;
  /** Members lost before this moment are behind a fence already. */
  lostSinceMs: number;
  reason: string;
  clock: () => string;
  isLeader: () => boolean;
  /** Tails with this direction until every cursor stands at its checkpoint. */
  tailTo: (direction: Direction, timeoutMs: number) => Promise<boolean>;
  /** Marker and fence of the phase just committed. */
  settle: (committed: PhaseWrite) => Promise<void>;
  /** The counts differ though nothing moves. */
  onApart?: () => void;
  /** Both sides are fenced: whoever was lost before can write no more. */
  onFenced?: () => void;
  /** Tells the data plane and the leader's own view of a new record at once, without waiting for the store to echo it. */
  onStep?: (write: PhaseWrite) => void;
  onReached?: (point: SwitchPoint) => Promise<void>;
};

const taskPollMs = 20;
/** Longer than members take to drain where nothing waits for a refresh. */
const refreshEveryMs = 100;
/** Outside of the hold: a change of the cluster's state may wait for a busy cluster. */
const callTimeoutMs = 10_000;
/** Beyond the budget a call is given up at once, but not before it was sent at all. */
const leastCallMs = 100;

/** The reign that ends and the one that begins with the commit. */
const directionsOf = ({ state, start }: SwitchIoDeps): { direction: Direction; next: Direction } => {
  const { slug, spec } = state;
  const direction = directionOf({ slug, spec, phase: start.record });
  const { authority, follower, reign, epoch } = direction;
  return {
    direction,
    next: {
      ...direction,
      authority: follower,
      follower: authority,
      reign: reign + 1,
      epoch: switchEpochs(epoch).commit,
    },
  };
};

/** Whoever joined before the hold stands in a listing made after it, even if nobody has told us of them yet. */
const awaitDrained = async (
  { members, runtime, state }: SwitchIoDeps,
  held: PhaseWrite,
  timeoutMs: number,
): Promise<Barrier> => {
  const deadline = runtime.now() + timeoutMs;
  const query = { slug: state.slug, phaseRevision: held.revision, expect: 'held_and_drained' as const };
  await Promise.all([members.refresh(), awaitBarrier({ members, runtime }, { ...query, timeoutMs })]);
  const result = await awaitBarrier({ members, runtime }, { ...query, timeoutMs: deadline - runtime.now() });
  return result.ok
    ? { ok: true }
    : { ok: false, waitingFor: result.waitingFor.map(({ member, reason }) => `${member} ${reason}`) };
};

/** A refresh ends the writes that were asked to wait for one, and their copies: they would keep their members from draining. */
const refreshUntil = async (
  done: AbortSignal,
  { clusters, spec, runtime }: Pick<SwitchIoDeps, 'clusters' | 'runtime'> & { spec: RouteState['spec'] },
): Promise<void> => {
  for (;;) {
    await sleep(runtime, refreshEveryMs, done);
    if (done.aborted) return;
    await refreshAll(clusters, spec).catch(() => undefined);
  }
};

export const createSwitchIo = (deps: SwitchIoDeps): SwitchIo => {
  const { state, start, writer, runtime } = deps;
  const { slug, spec } = state;
  /** While writes are held no call may outlast the budget: a leader that waits longer leaves the hold to time out. */
  let holdUntilMs: number | undefined;
  const timeoutMs = (): number =>
    holdUntilMs === undefined ? callTimeoutMs : Math.max(leastCallMs, holdUntilMs - runtime.now());
  const clusters: Record<Side, ClusterControl> = {
    source: deps.clusters.source.within({ timeoutMs }),
    target: deps.clusters.target.within({ timeoutMs }),
  };
  let last = start;
  const { direction, next } = directionsOf(deps);
  const epochs = { start: start.record.epoch, hold: switchEpochs(start.record.epoch).hold };
  const aliases = createSwitchAliases({ slug, spec, clusters, from: direction.authority, epochs });
  const totals = (side: Side): Promise<number[]> => totalsOn(clusters[side], spec, { side, shards: deps.shards[side] });
  const rest = createSwitchRest({ ...deps, clusters, direction, next, totalsOn: totals });

  return {
    now: () => runtime.now(),
    isLeader: deps.isLeader,
    prepareAliases: aliases.prepare,
    refreshBoth: () => refreshAll(clusters, spec),
    stepPhase: async (event) => {
      holdUntilMs = event.kind === 'hold' ? runtime.now() + event.budgetMs : undefined;
      const step = await writer.step(event, { reason: deps.reason, from: last });
      if (!step.ok) return undefined;
      last = step.write;
      deps.onStep?.(step.write);
      return step.write;
    },
    awaitDrained: (held, timeoutMs) => {
      const done = new AbortController();
      void refreshUntil(done.signal, { clusters, spec, runtime });
      return awaitDrained(deps, held, timeoutMs).finally(() => done.abort());
    },
    drainFacts: rest.drainFacts,
    sequences: rest.sequences,
    noteApart: () => deps.onApart?.(),
    countsEqual: async () =>
      (await countProof({ clusters, runtime, direction, dropped: deps.dropped, attempts: 1 })).equal,
    fenceBoth: async () => {
      await aliases.fence(epochs.start);
      deps.onFenced?.();
    },
    fenceTail: () => aliases.fence(epochs.hold),
    awaitNoWriteTasks: async (timeoutMs) => {
      const deadline = runtime.now() + timeoutMs;
      while (await aliases.writeTaskRuns()) {
        if (runtime.now() >= deadline) return false;
        await sleep(runtime, taskPollMs);
      }
      return true;
    },
    tailToCheckpoint: (timeoutMs) => deps.tailTo({ ...direction, epoch: epochs.hold }, timeoutMs),
    rememberProof: rest.rememberProof,
    readStart: rest.readStart,
    rememberStart: rest.rememberStart,
    isCommitted: async () => {
      const now = await writer.read();
      const { reign, epoch } = now.record;
      if (reign !== next.reign || epoch !== next.epoch) return false;
      last = now;
      deps.onStep?.(now);
      return true;
    },
    settle: async () => {
      await deps.settle(last);
      await rest.strike();
    },
    reached: async (point) => deps.onReached?.(point),
  };
};
