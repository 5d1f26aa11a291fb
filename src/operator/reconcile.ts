/**
 * One pass over one Migration: bring the route's settings into the store, ask its leader for the next step, tell what
 * became of it. A thin shell over resource.ts, plan.ts and conditions.ts. Everything may be repeated at any time: settings
 * are written by compare-and-set, and the leader is asked only after the resource says so, for which generation.
 */
import { isDeepStrictEqual } from 'node:util';
import { changedFields, objectionTo } from '../cli/apply-check.ts';
import { readStates } from '../cli/route-states.ts';
import { appendAudit } from '../coordination/audit-log.ts';
import { keys, percentKinds } from '../coordination/keys.ts';
import type { RouteState, RouteStates, Store } from '../coordination/ports.ts';
import { Ask } from '../coordination/records.ts';
import { CrossfadeError } from '../errors.ts';
import { type AskDeps, isOver, readResult, submitAsk } from '../fleet/ask-leader.ts';
import type { RouteStatus } from '../fleet/fleet-status.ts';
import { readFleet } from '../fleet/read-fleet.ts';
import { type KnobName, turnKnob } from '../fleet/route-knobs.ts';
import { statusOf } from './conditions.ts';
import type { KubeApi } from './kube-api.ts';
import { nextStep, type Step } from './plan.ts';
import { type Asked, type Migration, readSpec, type Wanted } from './resource.ts';

export type OperatorDeps = {
  store: Store;
  kube: Pick<KubeApi, 'list' | 'writeStatus'>;
  newId: () => string;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
};

const by = 'operator';
const reasonOf = ({ metadata: { name, generation } }: Migration): string =>
  `Migration ${name}, generation ${generation}`;

const audit = (deps: OperatorDeps, migration: Migration, what: string): Promise<boolean> =>
  appendAudit(deps.store.config, migration.metadata.name, {
    at: new Date(deps.now()).toISOString(),
    by,
    what,
    reason: reasonOf(migration),
  });

const applySpec = async (deps: OperatorDeps, migration: Migration, wanted: Wanted, states: RouteStates) => {
  const slug = migration.metadata.name;
  if (changedFields(states.get(slug)?.spec, wanted.route).length === 0) return;
  const key = keys.config(slug);
  const expected = (await deps.store.config.get(key))?.revision ?? 0;
  const written = await deps.store.config.update(key, JSON.stringify(wanted.route), expected);
  if (!written.ok) throw new CrossfadeError('STORE_CONFLICT', 'Somebody else changed the route at the same time.');
  await audit(deps, migration, 'apply');
};

type Knob = { knob: KnobName; text: string; isSet: boolean };

/** Those that the spec names, as text, and whether the store has them already. */
const knobsOf = ({ percent = {}, stop, rate }: Wanted, state: RouteState | undefined): Knob[] => [
  ...percentKinds.flatMap((kind): Knob[] => {
    const value = percent[kind];
    return value === undefined
      ? []
      : [{ knob: `pct.${kind}`, text: String(value), isSet: state?.percent[kind] === value }];
  }),
  ...(rate === undefined ? [] : [{ knob: 'rate' as const, text: String(rate), isSet: state?.rate === rate }]),
  // The brake last when it is let go, and with everything else when it is put on.
  ...(stop === undefined ? [] : [{ knob: 'stop' as const, text: stop ? 'on' : 'off', isSet: state?.stop === stop }]),
];

const turnKnobs = async (deps: OperatorDeps, migration: Migration, knobs: readonly Knob[]): Promise<void> => {
  const slug = migration.metadata.name;
  for (const { knob, text, isSet } of knobs) {
    if (isSet) continue;
    await turnKnob(deps.store.config, { slug, knob, text });
    await audit(deps, migration, `set ${knob} ${text}`);
  }
};

/**
 * Percentages, brake and rate are turned once for each generation. Afterwards they belong to people: what was set by hand
 * at night stays, and a percentage that a switch has voided is not brought back to mean the other side.
 */
const isNews = ({ metadata: { generation }, status }: Migration): boolean =>
  status?.observedGeneration !== generation ||
  status.conditions.find(({ type }) => type === 'Accepted')?.status !== 'True';

const standsOpen = async (store: Store, slug: string): Promise<boolean> => {
  const entry = await store.config.get(keys.ask(slug));
  if (entry === undefined) return false;
  const ask = Ask.safeParse(JSON.parse(entry.value)).data;
  const result = await readResult(store, slug);
  return ask !== undefined && !(result?.id === ask.id && isOver(result));
};

const stepOf = async (
  { store }: OperatorDeps,
  { metadata, status }: Migration,
  wanted: Wanted,
  route: RouteStatus,
): Promise<Step> =>
  nextStep({
    wanted: wanted.phase,
    present: route.phase,
    held: route.hold !== null,
    stopped: route.stop,
    open: await standsOpen(store, route.route),
    generation: metadata.generation,
    asked: status?.asked,
    result: await readResult(store, route.route),
    safeToAdvance: route.safeToAdvance,
    safeToRollBack: route.safeToRollBack,
  });

type Asking = Extract<Step, { kind: 'ask' }>;

/** The id goes into the resource before the request goes to the leader: a crash in between asks for nothing. */
const ask = async (deps: OperatorDeps, migration: Migration, step: Asking): Promise<Asked> => {
  const { metadata, status: before = { conditions: [] } } = migration;
  const { name, generation } = metadata;
  const id = deps.newId();
  const earlier = before.asked?.generation === generation ? before.asked.requests : [];
  const asked = { generation, requests: [...earlier, { what: step.what, id }] };
  if ((await deps.kube.writeStatus(migration, { ...before, asked })) === 'conflict')
    throw new CrossfadeError('STORE_CONFLICT', 'The Migration changed meanwhile.');
  const { store, now, sleep } = deps;
  const asking: AskDeps = { store, by, reason: reasonOf(migration), now, sleep, newId: () => id };
  const phase = step.phase === undefined ? {} : { phase: step.phase };
  await submitAsk(asking, { slug: name, action: step.action, ...phase }, 0);
  return asked;
};

type Found = { accepted: Parameters<typeof statusOf>[1]['accepted']; step?: Step; asked?: Asked | undefined };

const carryOut = async (deps: OperatorDeps, migration: Migration): Promise<Found> => {
  const { name } = migration.metadata;
  const { asked } = migration.status ?? {};
  const read = readSpec(name, migration.spec);
  if (!read.ok) return { accepted: { ok: false, reason: 'Invalid', message: read.message }, asked };
  const states = await readStates(deps.store);
  const objection = objectionTo(read.wanted.route, states.get(name), states);
  if (objection !== undefined) return { accepted: { ok: false, reason: 'Refused', message: objection.message }, asked };
  await applySpec(deps, migration, read.wanted, states);
  if (isNews(migration)) await turnKnobs(deps, migration, knobsOf(read.wanted, states.get(name)));
  const route = (await readFleet(deps.store)).routes.find((one) => one.route === name);
  if (route === undefined) return { accepted: { ok: true }, asked };
  const step = await stepOf(deps, migration, read.wanted, route);
  if (step.kind !== 'ask') return { accepted: { ok: true }, step, asked };
  return { accepted: { ok: true }, step, asked: await ask(deps, migration, step) };
};

/** @throws CrossfadeError of the store or the API server; then the pass is simply made again later */
export const reconcile = async (deps: OperatorDeps, migration: Migration): Promise<void> => {
  const { name, generation } = migration.metadata;
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
