/**
 * One pass over one Migration: bring the route's settings into the store, ask its leader for the next step, tell what
 * became of it. A thin shell over resource.ts, plan.ts and conditions.ts. Everything may be repeated at any time: settings
 * are written by compare-and-set, and the leader is asked only after the resource says so, for which generation. A
 * resource that is being deleted is left alone like one that is gone: to mark it moves its generation, and is no news.
 */
import { isDeepStrictEqual } from 'node:util';
import { writeSpec } from '../cli/write-spec.ts';
import { appendAudit } from '../coordination/audit-log.ts';
import { keys, percentKinds } from '../coordination/keys.ts';
import type { RouteState, RouteStates, Store } from '../coordination/ports.ts';
import { Ask } from '../coordination/records.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import { isOver, readResult } from '../fleet/ask-leader.ts';
import type { RouteStatus } from '../fleet/fleet-status.ts';
import { readFleet } from '../fleet/read-fleet.ts';
import { type KnobName, turnKnob } from '../fleet/route-knobs.ts';
import { ask, madeOf } from './ask-once.ts';
import { statusOf } from './conditions.ts';
import { by, type Memory, type OperatorDeps, reasonOf } from './deps.ts';
import { nextStep, type Step } from './plan.ts';
import { type Asked, knobsIn, type Migration, readSpec, type Wanted } from './resource.ts';

const audit = (deps: OperatorDeps, migration: Migration, what: string): Promise<boolean> =>
  appendAudit(deps.store.config, migration.metadata.name, {
    at: new Date(deps.now()).toISOString(),
    by,
    what,
    reason: reasonOf(migration),
  });

const specsIn = (states: RouteStates): RouteSpec[] => [...states.values()].map(({ spec }) => spec);

/** Whether the store says already what the spec names. */
const isSet = (state: RouteState | undefined, { percent, stop, rate }: Wanted, knob: KnobName): boolean => {
  if (knob === 'stop') return state?.stop === stop;
  if (knob === 'rate') return state?.rate === rate;
  const kind = percentKinds.find((one) => knob === `pct.${one}`);
  return kind !== undefined && state?.percent[kind] === percent?.[kind];
};

const turnOf = ({ metadata: { uid, generation } }: Migration): string => `${uid} ${generation}`;

const turnKnobs = async (
  deps: OperatorDeps,
  migration: Migration,
  { wanted, state }: { wanted: Wanted; state: RouteState | undefined },
): Promise<void> => {
  const slug = migration.metadata.name;
  for (const { knob, text } of knobsIn(wanted).filter((one) => !isSet(state, wanted, one.knob))) {
    await turnKnob(deps.store.config, { slug, knob, text });
    await audit(deps, migration, `set ${knob} ${text}`);
  }
  deps.memory.turned.set(slug, turnOf(migration));
};

/**
 * Percentages, brake and rate are turned once for each generation. Afterwards they belong to people: what was set by hand
 * at night stays, and a percentage that a switch has voided is not brought back to mean the other side. That they were
 * turned is remembered here too: an API server that takes no status must not make the operator fight people.
 */
const isNews = ({ turned }: Memory, migration: Migration): boolean => {
  const { metadata, status } = migration;
  if (turned.get(metadata.name) === turnOf(migration)) return false;
  const accepted = status?.conditions.find(({ type }) => type === 'Accepted')?.status;
  return status?.observedGeneration !== metadata.generation || accepted !== 'True';
};

const standsOpen = async (store: Store, slug: string): Promise<boolean> => {
  const entry = await store.config.get(keys.ask(slug));
  if (entry === undefined) return false;
  const ask = Ask.safeParse(JSON.parse(entry.value)).data;
  const result = await readResult(store, slug);
  return ask !== undefined && !(result?.id === ask.id && isOver(result));
};

const stepOf = async (
  { store, memory }: OperatorDeps,
  { metadata, status }: Migration,
  wanted: Wanted,
  route: RouteStatus,
): Promise<Step> => {
  const result = await readResult(store, route.route);
  return nextStep({
    wanted: wanted.phase,
    present: route.phase,
    held: route.hold !== null,
    stopped: route.stop,
    open: await standsOpen(store, route.route),
    generation: metadata.generation,
    asked: madeOf(memory, status?.asked, result),
    result,
    safeToAdvance: route.safeToAdvance,
    safeToRollBack: route.safeToRollBack,
  });
};

type Found = { accepted: Parameters<typeof statusOf>[1]['accepted']; step?: Step; asked?: Asked | undefined };

const carryOut = async (deps: OperatorDeps, migration: Migration): Promise<Found> => {
  const { name } = migration.metadata;
  const { asked } = migration.status ?? {};
  const read = readSpec(name, migration.spec);
  if (!read.ok) return { accepted: { ok: false, reason: 'Invalid', message: read.message }, asked };
  const written = await writeSpec(deps.store, read.wanted.route, specsIn);
  if (written.objection !== undefined)
    return { accepted: { ok: false, reason: 'Refused', message: written.objection.message }, asked };
  if (written.revision !== null) await audit(deps, migration, 'apply');
  if (isNews(deps.memory, migration)) await turnKnobs(deps, migration, { wanted: read.wanted, state: written.before });
  const route = (await readFleet(deps.store)).routes.find((one) => one.route === name);
  if (route === undefined) return { accepted: { ok: true }, asked };
  const step = await stepOf(deps, migration, read.wanted, route);
  if (step.kind !== 'ask') return { accepted: { ok: true }, step, asked };
  return { accepted: { ok: true }, step, asked: await ask(deps, migration, step) };
};

/** @throws CrossfadeError of the store or the API server; then the pass is simply made again later */
export const reconcile = async (deps: OperatorDeps, migration: Migration): Promise<void> => {
  const { name, generation, deletionTimestamp } = migration.metadata;
  if (deletionTimestamp !== undefined) return;
  const found = await carryOut(deps, migration);
  const route = (await readFleet(deps.store)).routes.find((one) => one.route === name);
  const status = statusOf(migration.status, {
    accepted: found.accepted,
    step: found.step,
    route,
    asked: found.asked,
    generation,
    at: new Date(deps.now()).toISOString(),
  });
  if (isDeepStrictEqual(status, migration.status)) return;
  // After something was asked for the resource is newer than what was read: the next pass tells the rest.
  await deps.kube.writeStatus(migration, status);
};
