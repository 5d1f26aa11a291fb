/**
 * The routes as far as the store and the members together tell. Members keep the last good spec and phase against rubbish
 * and deletions; a reader of the store alone would call such a route `off`, or not find it at all, when its brake is wanted
 * most. So where the store has no good phase, or went back behind the one that members are in, it is taken from them. Pure. Invariant: what is not good in the store
 * stands among the errors, and whoever would change the route for good asks `doubtOf` first.
 */
import { keys } from '../coordination/keys.ts';
import type { Entry, RouteState, RouteStates } from '../coordination/ports.ts';
import { type Heartbeat, initialPhase, type MemberRoute } from '../coordination/records.ts';
import { RouteSpec } from '../coordination/route-spec.ts';
import { emptyFold, type Foundations, foldChanges, foundationsIn, stateOn } from '../coordination/route-state.ts';
import { newestLine, slugsTold } from '../coordination/told-phases.ts';

type Phase = Pick<RouteState, 'phase' | 'phaseRevision'>;

/** Members apply what they have read, so a store that shows less has lost it. Heartbeats are read before the store. */
const isBehind = ({ phase }: Foundations, line: MemberRoute | undefined): line is MemberRoute => {
  const { good, revision } = phase;
  if (good === undefined || line === undefined) return false;
  if (line.reign !== good.reign) return line.reign > good.reign;
  if (line.epoch !== good.epoch) return line.epoch > good.epoch;
  return line.phase !== good.phase && line.phaseRevision > revision;
};

const phaseOf = (found: Foundations, line: MemberRoute | undefined): Phase => {
  const { phase } = found;
  if (phase.good !== undefined && !isBehind(found, line)) return { phase: phase.good, phaseRevision: phase.revision };
  if (line === undefined) return { phase: initialPhase, phaseRevision: 0 };
  const { epoch, reign, phaseRevision } = line;
  const told = { by: 'members', reason: 'the store has no good phase record, or an older one' };
  return { phase: { ...initialPhase, ...told, phase: line.phase, epoch, reign }, phaseRevision };
};

/** Stands for a spec that nobody can read: the route is there, and its indices are not known. */
const unknownSpec = (slug: string): RouteSpec => {
  const parsed = RouteSpec.parse({ route: slug, indices: [{ source: slug, target: `${slug}-target` }] });
  return { ...parsed, indices: [] };
};

const isRoute = ({ spec, phase }: Foundations, line: MemberRoute | undefined): boolean =>
  spec.stands || (line ?? { phase: 'off' }).phase !== 'off' || (phase.stands && phase.good?.phase !== 'off');

const missing = (key: string): RouteState['errors'][number] => ({
  key,
  message: 'is missing; members go on with the last good value',
});

const older = (key: string): RouteState['errors'][number] => ({
  key,
  message: 'is older than what members have applied: the store lost writes; put the newer record back',
});

const known = (found: Foundations, line: MemberRoute | undefined, fold: ReturnType<typeof foldChanges>): RouteState => {
  const { slug, spec } = found;
  const founded = { ...phaseOf(found, line), spec: spec.good ?? unknownSpec(slug), specRevision: spec.revision };
  const state = stateOn(fold, slug, founded);
  const lost = [
    ...(spec.stands ? [] : [missing(keys.config(slug))]),
    ...(found.phase.stands || line === undefined ? [] : [missing(keys.phase(slug))]),
    ...(isBehind(found, line) ? [older(keys.phase(slug))] : []),
  ];
  return { ...state, errors: [...state.errors, ...lost] };
};

export const knownRoutes = (config: readonly Entry[], beats: readonly Heartbeat[]): RouteStates => {
  const fold = foldChanges(emptyFold, config);
  const routes = foundationsIn(fold, slugsTold(beats))
    .map((found) => ({ found, line: newestLine(beats, found.slug) }))
    .filter(({ found, line }) => isRoute(found, line))
    .map(({ found, line }) => [found.slug, known(found, line, fold)] as const);
  return new Map(routes.toSorted(([a], [b]) => (a < b ? -1 : 1)));
};

/** Why nobody can tell whether the spec may change or go; a spec that cannot be read may be put right in `off`. */
export const doubtOf = ({ slug, phase, errors }: RouteState): string | undefined => {
  const bars = phase.phase === 'off' ? [keys.phase(slug)] : [keys.phase(slug), keys.config(slug)];
  const found = errors.filter(({ key }) => bars.includes(key)).map(({ key, message }) => `${key} ${message}`);
  return found.length === 0 ? undefined : `${found.join('; ')}: put back the last good value first`;
};
