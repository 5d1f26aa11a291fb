/** Runs one switch for the leader: quiets its own work, makes the shell, keeps the report, tells metrics and audit. */
import type { CutoverReport } from '../../coordination/job-status.ts';
import { CrossfadeError } from '../../errors.ts';
import { settlePhase } from './alias-watch.ts';
import type { SwitchKind } from './gate.ts';
import type { Leading } from './leading.ts';
import { runSwitch } from './switch.ts';
import { createSwitchIo } from './switch-io.ts';

const keptPauses = 100;

const keep = async ({ job, journal, work, deps }: Leading, report: CutoverReport, reason: string): Promise<void> => {
  const { pausesMs } = job.current();
  const pauses =
    report.pauseMs === undefined || report.result === 'refused' ? pausesMs : [...pausesMs, Math.round(report.pauseMs)];
  // What was prepared for a commit that did not happen must not be adopted by a later one.
  const next = report.result === 'committed' ? {} : { next: undefined };
  // First what was done, which nothing that fails below may hide.
  await journal.audit({
    what: `${report.kind} ${report.result}`,
    reason: report.reason ?? reason,
    evidence: { report },
  });
  if (report.result === 'committed' || report.result === 'rehearsed') work.noteProven();
  deps.onCutover?.(deps.slug, report);
  await job.save({ lastCutover: report, pausesMs: pauses.slice(-keptPauses), ...next });
};

export const runRouteSwitch = async (
  leading: Leading,
  { kind, reason }: { kind: SwitchKind; reason: string },
): Promise<CutoverReport> => {
  const { deps, job, writer, work } = leading;
  const state = deps.state();
  if (state === undefined) throw new CrossfadeError('ROUTE_UNKNOWN');
  await work.quiesce();
  const start = await writer.read();
  // Gate and kind were decided on what this process had heard of; from another record they mean something else.
  if (start.revision !== state.phaseRevision)
    return { at: deps.clock(), kind, result: 'refused', stepsMs: {}, reason: 'the phase record moved meanwhile' };
  let apart = false;
  const io = createSwitchIo({
    onApart: () => {
      apart = true;
    },
    state,
    start,
    clusters: deps.clusters,
    dropped: await deps.transforms.drops(state.spec.transform),
    members: deps.members,
    bucket: deps.store.config,
    unheard: leading.unheard,
    writer,
    job,
    runtime: deps.runtime,
    shards: await work.shards(state.spec),
    lostSinceMs: leading.lostSinceMs,
    reason,
    clock: deps.clock,
    isLeader: () => deps.lease.isHeld(),
    tailTo: (direction, timeoutMs) => work.tailTo(direction, state, timeoutMs),
    settle: (committed) => settlePhase(leading, state.spec, committed),
    onFenced: () => {
      leading.lostSinceMs = deps.runtime.now();
      work.noteFenced();
    },
    onStep: (write) => deps.onStep?.(deps.slug, write),
    ...(deps.onReached === undefined ? {} : { onReached: deps.onReached }),
  });
  const { budgetMs, graceMs } = state.spec.cutover;
  // Until a record names its epochs, or passes them over.
  leading.prepared = true;
  const report = await runSwitch(io, { kind, budgetMs, graceMs, at: deps.clock() });
  leading.prepared = false;
  // Under load the proof between switches allows for what is under way, and may never see it.
  if (apart) await work.noteApart();
  await keep(leading, report, reason);
  return report;
};
