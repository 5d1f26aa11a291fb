/**
 * What somebody may do to the clusters past the sidecars while copies run, looked for every few turns and told as alarms,
 * which bar a switch: the follower's index is another one, somebody else writes to it, the mapping of one side was
 * changed, one was given a final pipeline. Nothing is put right here: each of them may be meant.
 */
import * as z from 'zod';
import { keys } from '../../coordination/keys.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { sides } from '../../coordination/records.ts';
import { directionOf } from '../direction.ts';
import { beginWatch, forgetWatch, isWatchOf, loadWatch, saveWatch, watchStep } from '../follower-watch.ts';
import { readKept } from '../kept-record.ts';
import { differenceLines, mappingDifferences } from '../preflight/difference.ts';
import { finalPipeline } from '../preflight/judge-pipelines.ts';
import { type MappingDrift, mappingDrift, persisting } from '../preflight/mapping-drift.ts';
import { patient } from './alias-watch.ts';
import { verifyIo } from './checks.ts';
import type { Leading } from './leading.ts';

const everyTurns = 5;

const Baseline = z.strictObject({
  schema: z.literal(1),
  /** By ordinal. */
  indices: z.array(z.array(z.strictObject({ path: z.string(), source: z.string(), target: z.string() }))),
});
type Baseline = z.infer<typeof Baseline>;

type Seen = { turns: number; drift: Map<number, MappingDrift> };
const seen = new WeakMap<Leading, Seen>();

const watchFollower = async (leading: Leading, state: RouteState): Promise<void> => {
  const { deps, work } = leading;
  const bucket = deps.store.config;
  const io = { ...(await verifyIo(leading, state)), clusters: patient(leading) };
  const direction = directionOf(state);
  const known = await loadWatch(bucket, deps.slug, leading.onUnreadable);
  const watch = known !== undefined && isWatchOf(known, direction) ? known : await beginWatch(io);
  if ('problem' in watch) return work.setAlarm('follower', `on the ${direction.follower}, ${watch.problem}`);
  const result = await watchStep(watch, io);
  work.setAlarm('follower', result.recreated);
  work.setAlarm('foreign', result.foreign);
  if (JSON.stringify(result.watch) !== JSON.stringify(known)) await saveWatch(bucket, deps.slug, result.watch);
};

const readBaseline = async ({ deps, onUnreadable }: Leading): Promise<Baseline | undefined> =>
  (await readKept(deps.store.config, keys.job(deps.slug, 'mappings'), { schema: Baseline, onUnreadable })).record;

type Mapped = { differences: MappingDrift; followerMappings: Record<string, unknown>; finals: readonly string[] };

/** Undefined when an index is missing: that is told elsewhere. */
const mappedNow = async (leading: Leading, state: RouteState): Promise<Mapped[] | undefined> => {
  const clusters = patient(leading);
  const { follower } = directionOf(state);
  const mapped: Mapped[] = [];
  for (const pair of state.spec.indices) {
    const [source, target] = await Promise.all(sides.map((side) => clusters[side].getIndex(pair[side])));
    if (source === undefined || target === undefined) return undefined;
    const { mappings } = follower === 'source' ? source : target;
    const differences = mappingDifferences(source.mappings, target.mappings);
    const finals = [source, target].flatMap(({ name, settings }, i) => {
      const id = finalPipeline(settings);
      return id === undefined ? [] : [`${name} on the ${sides[i]} (${id})`];
    });
    mapped.push({ differences, followerMappings: mappings, finals });
  }
  return mapped;
};

/** Copies come to either side: now, or after the switch. */
const watchPipelines = ({ work }: Leading, now: readonly Mapped[]): void => {
  const finals = now.flatMap((one) => one.finals);
  const told = `a final pipeline changes every copy: ${finals.join(', ')}`;
  work.setAlarm('pipelines', finals.length === 0 ? undefined : told);
};

type Watched = { state: RouteState; now: readonly Mapped[]; drift: Seen['drift'] };

const watchMappings = async (leading: Leading, { state, now, drift }: Watched): Promise<void> => {
  const { deps, work } = leading;
  const known = await readBaseline(leading);
  if (known?.indices.length !== now.length) {
    const baseline = { schema: 1, indices: now.map((one) => one.differences) };
    await deps.store.config.put(keys.job(deps.slug, 'mappings'), JSON.stringify(baseline));
    return work.setAlarm('mappings', undefined);
  }
  const { follower } = directionOf(state);
  const transformed = state.spec.transform !== undefined;
  const told = now.flatMap(({ differences, followerMappings }, ordinal) => {
    const baseline = known.indices[ordinal] as MappingDrift;
    const found = mappingDrift({ baseline, now: differences, follower, followerMappings, transformed });
    const lasting = persisting(drift.get(ordinal) ?? [], found);
    drift.set(ordinal, found);
    return lasting.length === 0 ? [] : [`${state.spec.indices[ordinal]?.source} (${differenceLines(lasting, 5)})`];
  });
  work.setAlarm(
    'mappings',
    told.length === 0 ? undefined : `the mapping was changed on one side, source -> target: ${told.join('; ')}`,
  );
};

/** A stay in dual begins with the follower and the mappings as they are then. */
export const forgetSides = async ({ deps }: Pick<Leading, 'deps'>): Promise<void> => {
  await forgetWatch(deps.store.config, deps.slug);
  await deps.store.config.delete(keys.job(deps.slug, 'mappings'));
};

export const watchSides = async (leading: Leading, state: RouteState): Promise<void> => {
  const known = seen.get(leading) ?? { turns: 0, drift: new Map() };
  seen.set(leading, known);
  if (known.turns++ % everyTurns !== 0) return;
  try {
    const now = await mappedNow(leading, state);
    if (now !== undefined) watchPipelines(leading, now);
    await watchFollower(leading, state);
    if (now !== undefined) await watchMappings(leading, { state, now, drift: known.drift });
  } catch (err) {
    // A cluster out of reach is told by the gate; what was noticed before stays noticed.
    leading.deps.logger.debug({ err, slug: leading.deps.slug }, 'the sides could not be looked at');
  }
};
