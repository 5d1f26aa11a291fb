/**
 * Moves between phases that leave the authority where it is: off, observe, dual on the way in and back, target to final.
 * Each prepares the storage before the record that lets members use it, and waits until all members have drained what
 * they began in the present phase (I2). Invariant: an alias exists before any record names its epoch.
 */
import { settleMs } from '../../coordination/membership.ts';
import { startEpoch, stepPhase } from '../../coordination/phase-machine.ts';
import { type Phase, type Side, sides, type StampLayout } from '../../coordination/records.ts';
import type { RouteSpec } from '../../coordination/route-spec.ts';
import { chooseLayout } from '../../coordination/stamp.ts';
import { CrossfadeError } from '../../errors.ts';
import type { ClusterControl } from '../cluster.ts';
import { targetBody } from '../preflight/difference.ts';
import { type Finding, type PreflightFacts, worst } from '../preflight/facts.ts';
import { judge } from '../preflight/judge.ts';
import { sleep } from '../runtime.ts';
import { ensureFence, openAliases } from './alias-keeper.ts';
import { awaitBarrier, type BarrierDeps, waitingText } from './barrier-wait.ts';
import { openEpoch } from './epochs.ts';
import type { PhaseWriter } from './phase-writer.ts';
import { plainWritersText } from './plain-writers.ts';
import type { Origin } from './reign-of-stay.ts';
import { lookForReign } from './stay-facts.ts';
import type { PhaseWrite } from './switch.ts';

export type MoveDeps = BarrierDeps & {
  spec: RouteSpec;
  clusters: Record<Side, ClusterControl>;
  writer: PhaseWriter;
  preflight: () => Promise<PreflightFacts>;
  /** Members that may write to the source past every alias, looked for now. */
  plainWriters: (present: PhaseWrite) => Promise<readonly string[]>;
  barrierTimeoutMs: number;
  /** Whose stamps stand on the target, as far as is recorded. */
  origins: () => Promise<readonly Origin[]>;
  /** Whether the store still holds the settings that the move is prepared with. */
  isStored: () => Promise<boolean>;
  /** All is ready for a stay in dual: what was kept of an earlier one ends before the record is written. */
  onReady: () => Promise<void>;
};
export type MoveResult = { write: PhaseWrite; findings: Finding[] };

const refuse = (
  code: 'PHASE_REFUSED' | 'PREFLIGHT_REFUSED' | 'GATE_REFUSED',
  message: string,
  details: Record<string, unknown> = {},
): never => {
  throw new CrossfadeError(code, message, { details });
};

const checkPreflight = (facts: PreflightFacts): Finding[] => {
  const findings = judge(facts);
  if (worst(findings) !== 'refuse') return findings;
  const refusals = findings.filter(({ level }) => level === 'refuse');
  const text = refusals.map(({ about, check, reason }) => `${check} ${about}: ${reason}`).join('; ');
  return refuse('PREFLIGHT_REFUSED', text, { findings: refusals });
};

/** The wider of what the indices need, chosen once per stay away from `off`. Narrow stamps would stand below wide ones. */
const layoutFor = ({ record }: PhaseWrite, facts: PreflightFacts): StampLayout => {
  if (record.layout === 'wide') return 'wide';
  const indices = facts.pairs.flatMap(({ source }) => (source === undefined ? [] : [source]));
  return chooseLayout({
    term: Math.max(1, ...indices.map(({ primaryTerm = 1 }) => primaryTerm)),
    seq: Math.max(0, ...indices.map(({ maxSeqNo }) => maxSeqNo)),
  });
};

/** @returns whether there was anything to create */
const createTargets = async ({ spec, clusters }: MoveDeps): Promise<boolean> => {
  let created = false;
  for (const { source, target } of spec.indices) {
    if ((await clusters.target.getIndex(target)) !== undefined) continue;
    const info = await clusters.source.getIndex(source);
    if (info === undefined) return refuse('PREFLIGHT_REFUSED', `${source} does not exist`);
    const overrides = { settings: spec.targetSettings, mappings: spec.targetMappings };
    await clusters.target.createIndex(target, targetBody(info, overrides));
    created = true;
  }
  return created;
};

const openOn = (deps: MoveDeps, side: Side, epoch: number): Promise<void> =>
  openAliases(deps.clusters[side], deps.spec.route, openEpoch(deps.spec, epoch, { authority: 'source', side }));

/** What must stand in the storage before members may be in `to`. */
const prepare = async (
  deps: MoveDeps,
  from: PhaseWrite,
  to: Phase,
): Promise<{ findings: Finding[]; facts?: PreflightFacts }> => {
  if (to === 'observe' && from.record.phase === 'off') {
    const facts = await deps.preflight();
    const findings = checkPreflight(facts);
    for (const side of sides) await ensureFence(deps.clusters[side]);
    await openOn(deps, 'source', startEpoch(from.record.epoch));
    return { findings, facts };
  }
  if (to === 'dual') {
    const findings = checkPreflight(await deps.preflight());
    // Some rights can be tried only on an index that is there.
    if (await createTargets(deps)) checkPreflight(await deps.preflight());
    for (const side of sides) await openOn(deps, side, from.record.epoch);
    return { findings };
  }
  return { findings: [] };
};

const drainPresent = async (deps: MoveDeps, present: PhaseWrite): Promise<void> => {
  if (present.revision === 0) return;
  const expect = present.record.phase === 'off' ? 'applied' : 'drained';
  const result = await awaitBarrier(deps, {
    slug: deps.spec.route,
    phaseRevision: present.revision,
    expect,
    timeoutMs: deps.barrierTimeoutMs,
  });
  if (!result.ok)
    refuse('GATE_REFUSED', `members have not drained: ${waitingText(result)}`, { waitingFor: result.waitingFor });
};

const lookAgainMs = 500;

/** Copies make sense of what is written through the alias, and no fence would ever stop the rest. */
const refusePlainWriters = async (deps: MoveDeps, present: PhaseWrite): Promise<void> => {
  const { runtime } = deps;
  // Whoever is just joining is heard within this time.
  const untilMs = runtime.now() + settleMs;
  for (;;) {
    const names = await deps.plainWriters(present);
    if (names.length === 0) return;
    if (runtime.now() >= untilMs) return refuse('GATE_REFUSED', plainWritersText(names), { members: names });
    await sleep(runtime, lookAgainMs);
  }
};

/** @throws GATE_REFUSED when an index cannot be blocked: who finalizes has to know */
export const blockWrites = async ({ clusters, spec }: Pick<MoveDeps, 'clusters' | 'spec'>): Promise<void> => {
  for (const { source } of spec.indices) {
    const path = `/${encodeURIComponent(source)}/_settings`;
    const stays = `the phase is final, but ${source} stays writable`;
    const { status } = await clusters.source
      .json('PUT', path, { 'index.blocks.write': true })
      .catch((error: unknown) => refuse('GATE_REFUSED', `${stays}: ${error instanceof Error ? error.message : error}`));
    if (status >= 300) refuse('GATE_REFUSED', `${stays}: its write block was refused: ${status}`);
  }
};

export type CloseDeps = BarrierDeps & Pick<MoveDeps, 'spec' | 'clusters' | 'barrierTimeoutMs'>;

/** After every member has left the source alone, its index takes no writes from anybody. May be repeated. */
export const closeSource = async (deps: CloseDeps, write: PhaseWrite): Promise<void> => {
  const result = await awaitBarrier(deps, {
    slug: deps.spec.route,
    phaseRevision: write.revision,
    expect: 'drained',
    timeoutMs: deps.barrierTimeoutMs,
  });
  if (!result.ok)
    refuse(
      'GATE_REFUSED',
      `the phase is final, but the source stays writable, members have not moved on: ${waitingText(result)}`,
    );
  await blockWrites(deps);
};

const refuseTarget = (reason: string): never => {
  const todo = 'no copy could overwrite them: delete the target index and create it anew';
  const finding: Finding = { check: 'stamps', level: 'refuse', about: 'target', reason, todo };
  return refuse('PREFLIGHT_REFUSED', `the target ${reason}, and ${todo}`, { findings: [finding] });
};

/** After the members have drained: no copy of an earlier stay is on its way any more. */
const beginStay = async (deps: MoveDeps, { record }: PhaseWrite): Promise<{ nextReign?: boolean }> => {
  const stay = await lookForReign(record, await deps.origins(), deps);
  if (stay.kind === 'none') return refuseTarget(stay.reason);
  await deps.onReady();
  return stay.kind === 'next' ? { nextReign: true } : {};
};

/** Members serve by what the store holds, and the preflight has seen these settings only. The way back bars nothing. */
const refuseNewSettings = async (deps: MoveDeps, { record }: PhaseWrite, to: Phase): Promise<void> => {
  const isPrepared = record.phase === 'off' || to === 'dual';
  if (isPrepared && !(await deps.isStored()))
    refuse('PHASE_REFUSED', 'the settings of the route were changed meanwhile: ask again');
};

/**
 * A move to `final` leaves the source open; see closeSource.
 * @throws CrossfadeError PHASE_REFUSED, PREFLIGHT_REFUSED, GATE_REFUSED, and what clusters and store throw
 */
export const movePhase = async (deps: MoveDeps, to: Phase, reason: string): Promise<MoveResult> => {
  const present = await deps.writer.read();
  // Asked before anything is prepared: a move that is not allowed must leave no trace on the clusters.
  const allowed = stepPhase(present.record, { kind: 'move', to }, { by: '', reason, at: '' });
  if (!allowed.ok) return refuse('PHASE_REFUSED', allowed.message);
  const { findings, facts } = await prepare(deps, present, to);
  await drainPresent(deps, present);
  if (to === 'dual') await refusePlainWriters(deps, present);
  const layout = facts === undefined ? {} : { layout: layoutFor(present, facts) };
  const stay = to === 'dual' ? await beginStay(deps, present) : {};
  await refuseNewSettings(deps, present, to);
  const step = await deps.writer.step({ kind: 'move', to, ...layout, ...stay }, { reason, from: present });
  if (!step.ok) return refuse('PHASE_REFUSED', step.message);
  return { write: step.write, findings };
};
