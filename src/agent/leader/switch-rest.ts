/**
 * What one switch sees at rest, when every member is held and drained, and what it remembers of it: the baseline of the ledger
 * that was just proven, and where the next reign begins. Invariant: what is remembered was seen at rest, or at a fence after it.
 */
import type { Members } from '../../coordination/members.ts';
import type { Bucket } from '../../coordination/ports.ts';
import { type ListedProcess, listProcesses, strikeProcesses } from '../../coordination/process-list.ts';
import type { Side } from '../../coordination/records.ts';
import { CrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import type { Direction } from '../direction.ts';
import { balance, type Ledger, type LedgerSample, openLedger } from '../ledger.ts';
import type { Runtime } from '../runtime.ts';
import { beginTail, type TailState } from '../tail.ts';
import { foldEvents, totalEvents } from './events.ts';
import { type JobStore, newWork } from './job-state.ts';
import type { Unheard } from './leading.ts';
import { goneFrom } from './next-path.ts';
import { lostSince } from './out-of-reach.ts';
import { longUnheard, unheardOf } from './process-watch.ts';
import { ledgerSamples, observeAll } from './sequences.ts';
import type { DrainFacts } from './switch.ts';

export type SwitchRestDeps = {
  clusters: Record<Side, ClusterControl>;
  members: Pick<Members, 'view'>;
  /** Has the list of processes. */
  bucket: Bucket;
  /** Whom the leader missed before the switch began. */
  unheard: readonly Unheard[];
  job: JobStore;
  runtime: Runtime;
  /** The way of the reign that ends. */
  direction: Direction;
  /** The way of the reign that begins with the commit. */
  next: Direction;
  /** Members lost before this moment are behind a fence already. */
  lostSinceMs: number;
  clock: () => string;
  /** Sequence numbers that a side gave out, by index. */
  totalsOn: (side: Side) => Promise<number[]>;
};

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
/** What the other side had when it was about to take over. */
type Start = { tail: TailState; totals: number[] };

/** What the members count and the authority gave out, now that nothing is under way. */
const look = async ({ direction, members, job, bucket, totalsOn }: SwitchRestDeps): Promise<Rest> => {
  const { slug, reign, authority } = direction;
  const view = members.view();
  const samples = ledgerSamples(view, slug);
  const { work, events } = job.current();
  const [totals, listed] = await Promise.all([totalsOn(authority), listProcesses(bucket, slug)]);
  const ledger = work?.ledger?.reign === reign ? observeAll(work.ledger, view, slug) : undefined;
  const gone = goneFrom(ledger, new Set(samples.map(({ boot }) => boot)));
  const known = totalEvents(foldEvents(events, view, slug));
  return { totals, samples, events: known, ledger, gone, unheard: unheardOf(listed, view) };
};

const factsOf = (rest: Rest, { members, lostSinceMs, job }: SwitchRestDeps): DrainFacts => {
  const { ledger, totals, events, gone } = rest;
  const unheard = rest.unheard.map(({ member }) => member);
  return {
    missing: [...new Set([...lostSince(members.view(), lostSinceMs), ...gone, ...unheard])],
    unproven: events - (job.current().work?.ledgerEvents ?? 0),
    ledgerBalanced: ledger !== undefined && balance(ledger, totals).balanced,
    sequences: totals,
  };
};

const readStart = async ({ clusters, runtime, next, totalsOn }: SwitchRestDeps): Promise<Start> => {
  const [tail, totals] = await Promise.all([
    beginTail('checkpoint', { clusters, runtime, direction: next }),
    totalsOn(next.authority),
  ]);
  if (tail.kind !== 'ok') throw new CrossfadeError('UPSTREAM_REFUSED', tail.detail);
  return { tail: tail.state, totals };
};

const saveStart = async (
  { job, next, clock }: SwitchRestDeps,
  { tail, totals }: Start,
  { samples, events }: Pick<Rest, 'samples' | 'events'>,
): Promise<void> => {
  await job.save({
    next: {
      ...newWork(next),
      backfill: 'done',
      tail,
      // What has been the authority needs no first sweep.
      sweep: { coveredEvents: events, removed: 0, finishedAt: clock() },
      proof: { at: clock(), equal: true, counts: [] },
      ledger: openLedger(next.reign, totals, samples),
      ledgerEvents: events,
    },
  });
};

export interface SwitchRest {
  drainFacts(): Promise<DrainFacts>;
  /** Sequence numbers given out on the authority so far, by index; the baseline is now. */
  sequences(): Promise<number[]>;
  rememberProof(): Promise<void>;
  readStart(): Promise<void>;
  rememberStart(): Promise<void>;
  /** Strikes processes off the list that nobody heard for long: the fence has stopped them; on the fast path there are none. */
  strike(): Promise<void>;
}

export const createSwitchRest = (deps: SwitchRestDeps): SwitchRest => {
  const { job, direction, totalsOn, bucket, runtime } = deps;
  let rest: Rest | undefined;
  let begin: Start | undefined;

  const strike = async (): Promise<void> => {
    const boots = longUnheard(rest?.unheard ?? [], deps.unheard, runtime.now());
    await strikeProcesses(bucket, direction.slug, boots);
  };

  return {
    drainFacts: async () => {
      rest = await look(deps);
      return factsOf(rest, deps);
    },
    sequences: async () => {
      const totals = await totalsOn(direction.authority);
      // What a lost member wrote before the fence is on both sides once they are proven equal.
      if (rest !== undefined) rest = { ...rest, totals };
      return totals;
    },
    rememberProof: async () => {
      const { work } = job.current();
      if (work === undefined || rest === undefined) return;
      const { totals, samples, events } = rest;
      await job.save({ work: { ...work, ledger: openLedger(direction.reign, totals, samples), ledgerEvents: events } });
      await strike();
    },
    readStart: async () => {
      begin = await readStart(deps);
    },
    rememberStart: async () => {
      if (begin === undefined) throw new CrossfadeError('INTERNAL', 'where the reverse tail starts was not read');
      await saveStart(deps, begin, rest ?? (await look(deps)));
    },
    strike,
  };
};
