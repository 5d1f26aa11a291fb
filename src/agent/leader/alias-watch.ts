/**
 * Keeps the aliases of the present epoch as the phase needs them: brought there once per phase record, watched after
 * that, and with them those of the application on the source. Somebody else's change is never put right in silence: it
 * becomes an alarm, which bars a switch.
 */

import { aliasWildcard, authorityMarker } from '../../coordination/keys.ts';
import { coveredBy } from '../../coordination/route-aliases.ts';
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, hasFollower, type Side, sides } from '../../coordination/records.ts';
import type { ClusterControl } from '../cluster.ts';
import { namesakesOf } from '../namesakes.ts';
import type { AliasHolders } from '../preflight/facts.ts';
import { aliasDifferences } from '../preflight/judge-alias.ts';
import { applyAliases, currentAliases, ensureFence } from './alias-keeper.ts';
import { closeOthers, isPrepared, misplaced, openEpoch, type Wanted } from './epochs.ts';
import type { Leading } from './leading.ts';
import type { PhaseWrite } from './switch.ts';

const watchEveryTurns = 5;
/** Of one that was just brought there: looked at in the next turn. */
const firstTurns = watchEveryTurns - 1;
const callTimeoutMs = 10_000;
const settled = new WeakMap<Leading, { revision: number; turns: number }>();

const wantedOn = (state: Pick<RouteState, 'spec' | 'phase'>, side: Side): Wanted => {
  const { spec, phase } = state;
  const authority = authorityIn(phase.phase);
  // In observe and final nothing is copied, and the follower may not exist (yet, any more).
  if (side !== authority && (phase.phase === 'observe' || phase.phase === 'final')) return new Map();
  return openEpoch(spec, phase.epoch, { authority, side });
};

/** First epoch of the record's reign, as far as it is remembered. */
const firstEpochOf = ({ job }: Leading, { reign, phase, epoch }: PhaseWrite['record']): number => {
  const { next, work } = job.current();
  const found = [next, work].find((one) => one?.reign === reign && one.authority === authorityIn(phase));
  return found?.epoch ?? epoch;
};

type Settled = { spec: RouteState['spec']; record: PhaseWrite['record'] };
type Look = (side: Side) => ReturnType<typeof currentAliases>;

/** Asks each side once, and only the one that somebody wants to know of: in final the source may be switched off. */
const lookOnce = (leading: Leading): Look => {
  const found = new Map<Side, ReturnType<Look>>();
  return (side) => {
    const looked = found.get(side) ?? currentAliases(patient(leading)[side], aliasWildcard(leading.deps.slug));
    found.set(side, looked);
    return looked;
  };
};

/** Closes what must not be open under the record, and opens what it needs; notes what a switch has prepared since. */
const closeAndOpen = async (
  leading: Leading,
  { spec, record }: Settled,
  { open, look }: { open: (side: Side) => Wanted; look: Look },
): Promise<void> => {
  const { slug } = leading.deps;
  const clusters = patient(leading);
  const { epoch } = record;
  const reigning = { epoch, firstEpoch: firstEpochOf(leading, record), authority: authorityIn(record.phase) };
  const prepared = await Promise.all(
    sides.map(async (side) => {
      const current = await look(side);
      const wanted = new Map([...closeOthers(current, spec, { ...reigning, side }), ...open(side)]);
      if (wanted.size > 0) await applyAliases(clusters[side], slug, wanted);
      return isPrepared(current, slug, epoch);
    }),
  );
  leading.prepared = prepared.includes(true);
};

/**
 * After a switch, whichever way it ended: earlier reigns and the epochs that did not come closed on both sides, and a
 * mark for members that cannot reach the store.
 */
export const settlePhase = async (
  leading: Leading,
  spec: RouteState['spec'],
  { record, revision }: PhaseWrite,
): Promise<void> => {
  const { slug } = leading.deps;
  const authority = authorityIn(record.phase);
  const open = (side: Side): Wanted => {
    const marker = side === authority ? markerOf(slug, record, spec.indices[0]?.[side]) : [];
    return new Map([...openEpoch(spec, record.epoch, { authority, side }), ...marker]);
  };
  await Promise.all(sides.map((side) => ensureFence(patient(leading)[side])));
  await closeAndOpen(leading, { spec, record }, { open, look: lookOnce(leading) });
  settled.set(leading, { revision, turns: firstTurns });
};

const settles = ({ phase }: RouteState): boolean => hasFollower(phase.phase);

/** Why the last switch has not come to its end, for the gate; undefined when it has. */
export const unsettled = (leading: Leading, state: RouteState): string | undefined =>
  settles(state) && settled.get(leading)?.revision !== state.phaseRevision
    ? 'the aliases of earlier epochs are not closed yet'
    : undefined;

const markerOf = (
  slug: string,
  { epoch, reign }: PhaseWrite['record'],
  index: string | undefined,
): [string, string][] => (index === undefined ? [] : [[authorityMarker(slug, epoch, reign), index]]);

/** The loop turns on: a cluster that does not answer in this time is asked again in the next turn. */
export const patient = ({ deps }: Leading): Record<Side, ClusterControl> => ({
  source: deps.clusters.source.within({ timeoutMs: () => callTimeoutMs }),
  target: deps.clusters.target.within({ timeoutMs: () => callTimeoutMs }),
});

const sourceAlias = async (leading: Leading, name: string): Promise<AliasHolders> => {
  const found = await patient(leading).source.getAliases(name);
  return Object.fromEntries(
    Object.entries(found).flatMap(([index, { [name]: body }]) => (body === undefined ? [] : [[index, body]])),
  );
};

/** Of the application's aliases that are on the source; what is not there was never used. */
const changedClientAliases = async (leading: Leading, { spec }: RouteState): Promise<string[]> => {
  const moved: string[] = [];
  const changed: string[] = [];
  for (const alias of spec.aliases) {
    const holders = await sourceAlias(leading, alias.name);
    const standsOn = Object.keys(holders);
    if (standsOn.length === 0) continue;
    if (standsOn.toSorted().join() !== coveredBy(spec, alias).toSorted().join()) moved.push(alias.name);
    else
      changed.push(
        ...aliasDifferences(spec, alias, holders).map((reason) => `${alias.name} on the source: it ${reason}`),
      );
  }
  return [
    ...(moved.length === 0 ? [] : [`somebody moved ${moved.join(', ')} on the source`]),
    ...changed.map((text) => `somebody changed ${text}`),
  ];
};

/** In final the application's aliases leave the source, which may be switched off. */
const strayed = async (leading: Leading, state: RouteState, look: Look): Promise<string | undefined> => {
  const told = state.phase.phase === 'final' ? [] : await changedClientAliases(leading, state);
  if (told.length > 0) return told.join('; ');
  for (const side of sides) {
    const wanted = wantedOn(state, side);
    if (wanted.size === 0) continue;
    const moved = misplaced(await look(side), wanted);
    if (moved.length > 0) return `somebody moved ${moved.join(', ')} on the ${side}`;
  }
  return undefined;
};

/** A cutover would put them out of the application's reach; once it has happened, they must not bar the way back. */
const hiddenByCutover = async (leading: Leading, { spec, phase }: RouteState): Promise<string | undefined> => {
  const names = phase.phase === 'dual' ? await namesakesOf(patient(leading), spec) : [];
  return names.length === 0
    ? undefined
    : `the source has indices of its own called ${names.join(', ')}, like the target`;
};

export const keepAliases = async (leading: Leading, state: RouteState): Promise<void> => {
  const known = settled.get(leading);
  // In off the route has none.
  if (state.phase.phase === 'off') return leading.work.setAlarm('aliases', undefined);
  if (known?.revision !== state.phaseRevision) {
    // What was moved under another record may be of no concern under this one.
    leading.work.setAlarm('aliases', undefined);
    if (settles(state)) await settlePhase(leading, state.spec, { record: state.phase, revision: state.phaseRevision });
    else settled.set(leading, { revision: state.phaseRevision, turns: firstTurns });
    return;
  }
  known.turns++;
  if (known.turns % watchEveryTurns !== 0) return;
  const look = lookOnce(leading);
  leading.work.setAlarm('aliases', await strayed(leading, state, look));
  leading.work.setAlarm('namesakes', await hiddenByCutover(leading, state));
  // A leader that woke up late may have prepared a switch since.
  const nothing = (): Wanted => new Map();
  if (settles(state)) await closeAndOpen(leading, { spec: state.spec, record: state.phase }, { open: nothing, look });
};
