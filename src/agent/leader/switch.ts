/**
 * Moves the authority: cutover, rollback and rehearsal are this one procedure. It holds the members' writes, proves that
 * the follower has everything, and commits by one compare-and-set; whatever goes wrong before that releases the writes
 * to the old authority under a new epoch. Invariants: at most one unfenced authority (I1); commit only if drained and
 * proven (I8); every hold ends (I9). What the steps do to clusters and store is behind `SwitchIo`; the order is here.
 */
import type { CutoverReport } from '../../coordination/job-status.ts';
import type { PhaseEvent } from '../../coordination/phase-machine.ts';
import type { PhaseRecord } from '../../coordination/records.ts';
import type { SwitchKind } from './gate.ts';

/** What the members reported once all of them were held and drained. */
export type DrainFacts = {
  /** Members known since the last clean proof that neither report nor said good-bye. */
  missing: readonly string[];
  /** Authority writes whose answer never came, deletes no copy carries, copies dropped: since the last clean proof. */
  unproven: number;
  /** Every sequence number since the last clean proof is accounted for by a member. */
  ledgerBalanced: boolean;
  /** By index: the sequence numbers that the balance was struck with. */
  sequences: readonly number[];
};
export type PhaseWrite = { record: PhaseRecord; revision: number };
export type Barrier = { ok: true } | { ok: false; waitingFor: readonly string[] };

export interface SwitchIo {
  /** Monotonic milliseconds. */
  now(): number;
  /** Opens the aliases of the hold's epoch and of both possible next ones, on both sides. */
  prepareAliases(): Promise<void>;
  refreshBoth(): Promise<void>;
  /** Writes the next phase record by compare-and-set; `undefined` when another record won. Never an unknown outcome. */
  stepPhase(event: PhaseEvent): Promise<PhaseWrite | undefined>;
  awaitDrained(held: PhaseWrite, timeoutMs: number): Promise<Barrier>;
  drainFacts(): Promise<DrainFacts>;
  /** Sequence numbers given out on the authority so far, by index. */
  sequences(): Promise<readonly number[]>;
  /** After a refresh of both sides: does each index hold the same number of documents on both? */
  countsEqual(): Promise<boolean>;
  /** Nothing moved and all was copied, and still the counts differ: only a sweep can tell why. */
  noteApart(): void;
  /** Closes every alias of the epochs before the held one, on both sides. */
  fenceBoth(): Promise<void>;
  /** Closes those of the hold's own epoch, under which the tail has copied. */
  fenceTail(): Promise<void>;
  /** Resolves once no write task touches the route's indices; false when the time is up. */
  awaitNoWriteTasks(timeoutMs: number): Promise<boolean>;
  /** Runs the tail up to the authority's checkpoint; false when the time is up. */
  tailToCheckpoint(timeoutMs: number): Promise<boolean>;
  /** Keeps this moment as the ledger's baseline: both sides were just proven equal. */
  rememberProof(): Promise<void>;
  /**
   * Reads on the other side where the reverse tail starts and what the ledger of the next reign begins with. Nothing that
   * was copied by the leader may come after it, or the next ledger would not balance.
   */
  readStart(): Promise<void>;
  /** Remembers both, before the commit makes them matter. */
  rememberStart(): Promise<void>;
  /** After a commit of which nobody knew whether it was written: does it stand? */
  isCommitted(): Promise<boolean>;
  /** Marker alias and, where it was not done before the commit, the fence. Repeated by the leader until it succeeds. */
  settle(): Promise<void>;
  isLeader(): boolean;
  /** A labelled point where tests stop, kill or partition the process. */
  reached(point: SwitchPoint): Promise<void>;
}
export const switchPoints = [
  'prepared',
  'held',
  'drained',
  'fenced',
  'proven',
  'remembered',
  'committed',
  'settled',
  'released',
] as const;
export type SwitchPoint = (typeof switchPoints)[number];

export type SwitchSettings = { kind: SwitchKind; budgetMs: number; graceMs: number; at: string };

/** Given up before the commit: the reason is for people, audit and metric. */
class GivenUp extends Error {
  override readonly name = 'GivenUp';
}
const giveUp = (reason: string): never => {
  throw new GivenUp(reason);
};

/** The ledger vouches for everything: nobody is missing, nothing is unproven, every write is accounted for. */
export const mayGoFast = (facts: DrainFacts): boolean =>
  facts.missing.length === 0 && facts.unproven === 0 && facts.ledgerBalanced;

type Run = {
  io: SwitchIo;
  settings: SwitchSettings;
  stepsMs: Record<string, number>;
  startedAt: number;
  deadline: number;
  /** Once it is proven. */
  path?: 'fast' | 'fenced';
};

const timed = async <T>(run: Run, step: string, work: () => Promise<T>): Promise<T> => {
  const from = run.io.now();
  try {
    return await work();
  } finally {
    run.stepsMs[step] = run.io.now() - from;
  }
};

const remainingMs = (run: Run): number => {
  const left = run.deadline - run.io.now();
  return left > 0 ? left : giveUp('the time budget is used up');
};

/** A write by somebody else, an update for one, may show in no count, but it takes a sequence number. */
const stoodStill = async (run: Run, before: readonly number[]): Promise<boolean> => {
  const now = await timed(run, 'still', () => run.io.sequences());
  return now.length === before.length && now.every((sequence, i) => sequence === before[i]);
};

/**
 * The members are drained, so the three looks may be taken at once: when the ledger balances, nobody has written between
 * the drain and its look, and when the authority stands still after all of them, nobody has written since. So the counts
 * are of the same moment, whenever they were taken in between.
 */
const fastProof = async (run: Run): Promise<boolean> => {
  const { io } = run;
  const [facts, equal] = await Promise.all([
    timed(run, 'ledger', () => io.drainFacts()),
    timed(run, 'count', () => io.countsEqual()),
    timed(run, 'start', () => io.readStart()),
  ]);
  return mayGoFast(facts) && equal && stoodStill(run, facts.sequences);
};

const fencedProof = async (run: Run): Promise<void> => {
  const { io } = run;
  await timed(run, 'fence', () => io.fenceBoth());
  await io.reached('fenced');
  if (!(await timed(run, 'tasks', () => io.awaitNoWriteTasks(remainingMs(run)))))
    giveUp('write tasks kept running after the fence');
  const sequences = await io.sequences();
  if (!(await timed(run, 'tail', () => io.tailToCheckpoint(remainingMs(run)))))
    giveUp('the tail did not reach the checkpoint');
  // A copy of the tail that is still on its way must not reach a side that takes writes of its own by then.
  await timed(run, 'fenceTail', () => io.fenceTail());
  if (!(await timed(run, 'tailTasks', () => io.awaitNoWriteTasks(remainingMs(run)))))
    giveUp('copies of the tail kept running after the fence');
  if (!(await timed(run, 'count', () => io.countsEqual()))) {
    io.noteApart();
    giveUp('document counts differ');
  }
  if (!(await stoodStill(run, sequences))) giveUp('somebody writes past the fence');
  // Read anew: the tail has copied since the fast proof was tried.
  await timed(run, 'start', () => io.readStart());
};

const prove = async (run: Run, held: PhaseWrite): Promise<'fast' | 'fenced'> => {
  const drained = await timed(run, 'drain', () => run.io.awaitDrained(held, remainingMs(run)));
  if (!drained.ok) giveUp(`members not drained: ${drained.ok ? '' : drained.waitingFor.join(', ')}`);
  await run.io.reached('drained');
  const path = (await fastProof(run)) ? 'fast' : 'fenced';
  if (path === 'fenced') await fencedProof(run);
  await run.io.reached('proven');
  return path;
};

const report = (run: Run, result: CutoverReport['result'], more: Partial<CutoverReport> = {}): CutoverReport => ({
  at: run.settings.at,
  kind: run.settings.kind,
  result,
  pauseMs: run.io.now() - run.startedAt,
  stepsMs: run.stepsMs,
  ...more,
});

/** @returns false when another record stands */
const release = async (run: Run): Promise<boolean> => {
  const written = await timed(run, 'release', () => run.io.stepPhase({ kind: 'release' }));
  await run.io.reached('released');
  return written !== undefined;
};

const commit = async (run: Run): Promise<CutoverReport> => {
  const { io } = run;
  await timed(run, 'remember', () => io.rememberStart());
  await io.reached('remembered');
  remainingMs(run);
  if (!io.isLeader()) giveUp('the lease was lost');
  const written = await timed(run, 'commit', () => io.stepPhase({ kind: 'commit' }));
  if (written === undefined) giveUp('another phase record was written meanwhile');
  return finish(run);
};

/** Past the point of no return. */
const finish = async (run: Run): Promise<CutoverReport> => {
  const { io, path } = run;
  const done = report(run, 'committed', path === undefined ? {} : { path });
  await io.reached('committed');
  // A failure here is repeated by the leader's loop, it cannot undo the switch.
  await timed(run, 'settle', () => io.settle()).catch(() => undefined);
  await io.reached('settled');
  return { ...done, stepsMs: run.stepsMs };
};

const underHold = async (run: Run, held: PhaseWrite): Promise<CutoverReport> => {
  try {
    await run.io.reached('held');
    const path = await prove(run, held);
    run.path = path;
    if (run.settings.kind !== 'rehearsal') return await commit(run);
    const rehearsed = report(run, 'rehearsed', { path });
    await release(run);
    await run.io.rememberProof();
    return rehearsed;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const released = await release(run);
    // Where the outcome of the commit was unknown, what stands instead of the release may be the commit itself.
    if (!released && (await run.io.isCommitted())) return finish(run);
    return report(run, error instanceof GivenUp ? 'aborted' : 'failed', { reason });
  }
};

/** @returns what happened; never throws after the hold began unless the store itself is gone. */
export const runSwitch = async (io: SwitchIo, settings: SwitchSettings): Promise<CutoverReport> => {
  const run: Run = { io, settings, stepsMs: {}, startedAt: io.now(), deadline: Number.POSITIVE_INFINITY };
  await timed(run, 'prepare', async () => {
    await io.prepareAliases();
    await io.refreshBoth();
  });
  await io.reached('prepared');
  // The budget counts from before the record is sent, so no member's clock can run out before the leader's.
  run.startedAt = io.now();
  run.deadline = run.startedAt + settings.budgetMs;
  const { budgetMs, graceMs } = settings;
  const held = await io.stepPhase({ kind: 'hold', rehearsal: settings.kind === 'rehearsal', budgetMs, graceMs });
  if (held === undefined) return report(run, 'refused', { reason: 'another phase record was written meanwhile' });
  return underHold(run, held);
};
