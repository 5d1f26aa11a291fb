/**
 * Carries out the steps of a switch on real clusters, store and members: the shell behind switch.ts. One is made for
 * each switch and remembers what it saw while the members were drained.
 */
import { aliasWildcard, copyAlias, epochAlias } from '../../coordination/keys.ts';
import type { Members } from '../../coordination/members.ts';
import { switchEpochs } from '../../coordination/phase-machine.ts';
import type { Bucket, RouteState } from '../../coordination/ports.ts';
import { type ListedProcess, listProcesses, strikeProcesses } from '../../coordination/process-list.ts';
import { authorityIn, otherSide, type Side, sides } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { namesTask } from '../control-answers.ts';
import { type Direction, directionOf } from '../direction.ts';
import { balance, type Ledger, type LedgerSample, openLedger } from '../ledger.ts';
import { countProof } from '../proof.ts';
import { type Runtime, sleep } from '../runtime.ts';
import { beginTail, type TailState } from '../tail.ts';
import type { Dropped } from '../transform.ts';
import { applyAliases, currentAliases, ensureFence, openAliases } from './alias-keeper.ts';
import { awaitBarrier } from './barrier-wait.ts';
import { fenceThrough, prepareSwitch } from './epochs.ts';
import { foldEvents, totalEvents } from './events.ts';
import { type JobStore, newWork } from './job-state.ts';
import { goneFrom } from './next-path.ts';
import { lostSince } from './out-of-reach.ts';
import type { PhaseWriter } from './phase-writer.ts';
import { longUnheard, unheardOf } from './process-watch.ts';
import type { Unheard } from './leading.ts';
import { ledgerSamples, observeAll, refreshAll, totalsOn } from './sequences.ts';
import type { PhaseWrite, SwitchIo, SwitchPoint } from './switch.ts';

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
  /** Both sides are fenced: whoever was lost before can write no more. */
  onFenced?: () => void;
  /** Tells the data plane and the leader's own view of a new record at once, without waiting for the store to echo it. */
  onStep?: (write: PhaseWrite) => void;
  onReached?: (point: SwitchPoint) => Promise<void>;
};

/** What the other side had when it was about to take over. */
type Start = { tail: TailState; totals: number[] };
/** The moment when every member was held and drained. */
type Rest = {
  totals: number[];
  samples: LedgerSample[];
  events: number;
  ledger: Ledger | undefined;
  /** Processes that the ledger knows and that are not among the members any more. */
  gone: string[];
  /** Processes that are listed and that nobody hears. */
  unheard: ListedProcess[];
};
const taskPollMs = 20;
/** Outside of the hold: a change of the cluster's state may wait for a busy cluster. */
const callTimeoutMs = 10_000;
/** Beyond the budget a call is given up at once, but not before it was sent at all. */
const leastCallMs = 100;

export const createSwitchIo = (deps: SwitchIoDeps): SwitchIo => {
  const { state, start, members, writer, job, runtime } = deps;
  const { slug, spec } = state;
  /** While writes are held no call may outlast the budget: a leader that waits longer leaves the hold to time out. */
  let holdUntilMs: number | undefined;
  const timeoutMs = (): number =>
    holdUntilMs === undefined ? callTimeoutMs : Math.max(leastCallMs, holdUntilMs - runtime.now());
  const clusters: Record<Side, ClusterControl> = {
    source: deps.clusters.source.within({ timeoutMs }),
    target: deps.clusters.target.within({ timeoutMs }),
  };
  const from = authorityIn(start.record.phase);
  const to = otherSide(from);
  const { reign } = start.record;
  let last = start;
  let rest: Rest | undefined;
  let begin: Start | undefined;

  const epochs = switchEpochs(start.record.epoch);
  const direction = directionOf({ slug, spec, phase: start.record });
  const next = { ...direction, authority: to, follower: from, reign: reign + 1, epoch: epochs.commit };

  const fence = async (through: number): Promise<void> => {
    await Promise.all(
      sides.map(async (side) => {
        const current = await currentAliases(clusters[side], aliasWildcard(slug));
        await applyAliases(clusters[side], slug, fenceThrough(current, slug, through));
      }),
    );
  };

  const namesOf = (epoch: number, ordinal: number): string[] => [
    epochAlias(slug, epoch, ordinal),
    copyAlias(slug, epoch, ordinal),
  ];
  const oldEpochs = Array.from({ length: epochs.hold }, (_, i) => i + 1);

  const writeTaskRuns = async (): Promise<boolean> => {
    // A write that was resolved and has not reached its shard shows under the alias only.
    const aliases = spec.indices.flatMap((_, ordinal) => oldEpochs.flatMap((epoch) => namesOf(epoch, ordinal)));
    const names = sides.map((side) => [...spec.indices.map((pair) => pair[side]), ...aliases]);
    const running = await Promise.all(sides.map((side) => clusters[side].listWriteTasks()));
    return running.some((tasks, i) => tasks.some((task) => namesTask(task, names[i] as string[])));
  };

  const sequences = (): Promise<number[]> => totalsOn(clusters[from], spec, { side: from, shards: deps.shards[from] });

  /** What the members count and the authority gave out, now that nothing is under way. */
  const look = async (): Promise<Rest> => {
    const view = members.view();
    const samples = ledgerSamples(view, slug);
    const { work, events } = job.current();
    const [totals, listed] = await Promise.all([sequences(), listProcesses(deps.bucket, slug)]);
    const ledger = work?.ledger?.reign === reign ? observeAll(work.ledger, view, slug) : undefined;
    const gone = goneFrom(ledger, new Set(samples.map(({ boot }) => boot)));
    const known = totalEvents(foldEvents(events, view, slug));
    return { totals, samples, events: known, ledger, gone, unheard: unheardOf(listed, view) };
  };

  /** The fence has stopped them. On the fast path there are none. */
  const strike = async (): Promise<void> => {
    const boots = longUnheard(rest?.unheard ?? [], deps.unheard, runtime.now());
    await strikeProcesses(deps.bucket, slug, boots);
  };

  return {
    now: () => runtime.now(),
    isLeader: deps.isLeader,
    prepareAliases: async () => {
      await Promise.all(
        sides.map(async (side) => {
          await ensureFence(clusters[side]);
          await openAliases(clusters[side], slug, prepareSwitch(spec, start.record.epoch, { from, side }));
        }),
      );
    },
    refreshBoth: () => refreshAll(clusters, spec),
    stepPhase: async (event) => {
      holdUntilMs = event.kind === 'hold' ? runtime.now() + event.budgetMs : undefined;
      const step = await writer.step(event, { reason: deps.reason, from: last });
      if (!step.ok) return undefined;
      last = step.write;
      deps.onStep?.(step.write);
      return step.write;
    },
    awaitDrained: async (held, timeoutMs) => {
      const deadline = runtime.now() + timeoutMs;
      const query = { slug, phaseRevision: held.revision, expect: 'held_and_drained' as const };
      // Whoever joined before the hold stands in a listing made after it, even if nobody has told us of them yet.
      await Promise.all([members.refresh(), awaitBarrier({ members, runtime }, { ...query, timeoutMs })]);
      const result = await awaitBarrier({ members, runtime }, { ...query, timeoutMs: deadline - runtime.now() });
      return result.ok
        ? { ok: true }
        : { ok: false, waitingFor: result.waitingFor.map(({ member, reason }) => `${member} ${reason}`) };
    },
    drainFacts: async () => {
      rest = await look();
      const { ledger, totals, events, gone } = rest;
      const unheard = rest.unheard.map(({ member }) => member);
      return {
        missing: [...new Set([...lostSince(members.view(), deps.lostSinceMs), ...gone, ...unheard])],
        unproven: events - (job.current().work?.ledgerEvents ?? 0),
        ledgerBalanced: ledger !== undefined && balance(ledger, totals).balanced,
        sequences: totals,
      };
    },
    sequences: async () => {
      const totals = await sequences();
      // What a lost member wrote before the fence is on both sides once they are proven equal: the baseline is now.
      if (rest !== undefined) rest = { ...rest, totals };
      return totals;
    },
    countsEqual: async () =>
      (await countProof({ clusters, runtime, direction, dropped: deps.dropped, attempts: 1 })).equal,
    fenceBoth: async () => {
      await fence(start.record.epoch);
      deps.onFenced?.();
    },
    fenceTail: () => fence(epochs.hold),
    awaitNoWriteTasks: async (timeoutMs) => {
      const deadline = runtime.now() + timeoutMs;
      while (await writeTaskRuns()) {
        if (runtime.now() >= deadline) return false;
        await sleep(runtime, taskPollMs);
      }
      return true;
    },
    tailToCheckpoint: (timeoutMs) => deps.tailTo({ ...direction, epoch: epochs.hold }, timeoutMs),
    rememberProof: async () => {
      const { work } = job.current();
      if (work === undefined || rest === undefined) return;
      const { totals, samples, events } = rest;
      await job.save({ work: { ...work, ledger: openLedger(reign, totals, samples), ledgerEvents: events } });
      await strike();
    },
    readStart: async () => {
      const [tail, totals] = await Promise.all([
        beginTail('checkpoint', { clusters, runtime, direction: next }),
        totalsOn(clusters[to], spec, { side: to, shards: deps.shards[to] }),
      ]);
      if (tail.kind !== 'ok') throw new CrossfadeError('UPSTREAM_REFUSED', tail.detail);
      begin = { tail: tail.state, totals };
    },
    rememberStart: async () => {
      if (begin === undefined) throw new CrossfadeError('INTERNAL', 'where the reverse tail starts was not read');
      const { tail, totals } = begin;
      const { samples, events } = rest ?? (await look());
      await job.save({
        next: {
          ...newWork(next),
          backfill: 'done',
          tail,
          sweep: { coveredEvents: events, removed: 0 },
          proof: { at: deps.clock(), equal: true, counts: [] },
          ledger: openLedger(reign + 1, totals, samples),
          ledgerEvents: events,
        },
      });
    },
    settle: async () => {
      await deps.settle(last);
      await strike();
    },
    reached: async (point) => deps.onReached?.(point),
  };
};
