/**
 * Reads the authority of each route from the aliases on the two clusters, for a member that starts with neither the
 * store nor its cached state. Epoch aliases show which indices a route has and which side is open for writes, the
 * authority marker shows who won the last switch. At rest exactly one side has open write aliases: settling a switch,
 * whichever way it ended, closes those of the epochs that did not come. Invariant: when the aliases allow two readings,
 * e.g. from the preparation of a switch until it is settled, the answer is `unknown`, and the member refuses writes
 * rather than send them to a side that may have lost the authority.
 *
 * Input is the answer of `GET /_alias?expand_wildcards=all` of each cluster (all aliases, so that the application's own
 * are known too), the same object twice when both sides are one cluster: the sides cannot be told apart then.
 */
import {
  type AuthorityMarker,
  type EpochAlias,
  fenceIndex,
  isOwnAlias,
  parseAuthorityMarker,
  parseEpochAlias,
} from './keys.ts';
import { startEpoch } from './phase-machine.ts';
import type { RouteState, RouteStates } from './ports.ts';
import { defaultPercents, initialPhase, otherSide, type Side } from './records.ts';
import { type RouteAlias, RouteSpec } from './route-spec.ts';

/** `{index: {aliases: {alias: {...}}}}` */
export type AliasAnswer = Readonly<Record<string, { aliases?: Readonly<Record<string, unknown>> }>>;
export type AliasAnswers = Record<Side, AliasAnswer>;

type FoundAlias = EpochAlias & { side: Side; index: string };
type FoundMarker = AuthorityMarker & { side: Side };

/** `indices[side][ordinal]` = concrete index that the newest alias on that side stands on, for writes or for copies. */
export type DerivedRoute = { slug: string; epoch: number; indices: Record<Side, ReadonlyMap<number, string>> } & (
  { authority: Side; reign: number } | { authority: 'unknown'; reason: string }
);

const sides = ['source', 'target'] as const;

export const routesFromAliases = (answers: AliasAnswers): DerivedRoute[] => {
  const epochs: FoundAlias[] = [];
  const markers: FoundMarker[] = [];
  for (const { side, index, alias } of namesIn(answers)) {
    const marker = parseAuthorityMarker(alias);
    const epoch = parseEpochAlias(alias);
    if (marker !== undefined) markers.push({ side, ...marker });
    else if (epoch !== undefined) epochs.push({ side, index, ...epoch });
  }
  const oneCluster = answers.source === answers.target;
  const slugs = new Set([...epochs, ...markers].map((alias) => alias.slug));
  const of = <T extends { slug: string }>(all: T[], slug: string) => all.filter((alias) => alias.slug === slug);
  return [...slugs].sort().map((slug) => {
    const route = derive(slug, of(epochs, slug), of(markers, slug));
    return oneCluster ? { ...route, authority: 'unknown', reason: 'both sides are one cluster' } : route;
  });
};

function* namesIn(answers: AliasAnswers): Generator<{ side: Side; index: string; alias: string }> {
  for (const side of sides)
    for (const [index, { aliases }] of Object.entries(answers[side]))
      for (const alias of Object.keys(aliases ?? {})) yield { side, index, alias };
}

const derive = (slug: string, aliases: FoundAlias[], markers: FoundMarker[]): DerivedRoute => {
  const open = aliases.filter((alias) => alias.index !== fenceIndex);
  const indices = { source: newest(open, 'source'), target: newest(open, 'target') };
  const writable = open.filter(({ use }) => use === 'writes');
  const epoch = Math.max(0, ...writable.map((alias) => alias.epoch));
  const [winner] = [...markers].sort((a, b) => b.reign - a.reign || b.epoch - a.epoch);
  const authority = writable[0]?.side;
  const reason = doubt({ writable, markers, winner });
  return reason === undefined && authority !== undefined
    ? { slug, epoch, indices, authority, reign: winner?.reign ?? 1 }
    : { slug, epoch, indices, authority: 'unknown', reason: reason ?? '' };
};

const newest = (open: FoundAlias[], side: Side): ReadonlyMap<number, string> => {
  const ofSide = open.filter((alias) => alias.side === side).sort((a, b) => a.epoch - b.epoch);
  return new Map(ofSide.map((alias) => [alias.ordinal, alias.index]));
};

/**
 * Routes that the clusters know and a store that answers does not, and whose authority is not plainly the source: the
 * store was lost and made anew. Their traffic must not pass as if it were unrouted.
 */
export const routesUnknownTo = (known: Pick<ReadonlySet<string>, 'has'>, answers: AliasAnswers): DerivedRoute[] =>
  routesFromAliases(answers).filter(({ slug, authority }) => authority !== 'source' && !known.has(slug));

type Evidence = { writable: FoundAlias[]; markers: FoundMarker[]; winner: FoundMarker | undefined };
/** Why these aliases do not prove who holds the authority. */
const doubt = ({ writable, markers, winner }: Evidence): string | undefined => {
  const rivals = markers.filter((marker) => marker.reign === winner?.reign && marker.side !== winner.side);
  if (rivals.length > 0) return `both sides carry a marker of reign ${winner?.reign}`;
  const [only, ...others] = new Set(writable.map(({ side }) => side));
  if (only === undefined) return 'no side has an open write alias: a switch was under way when the aliases were read';
  if (others.length > 0)
    return 'both sides have open write aliases: a switch is prepared, under way or not yet settled';
  if (only === (winner?.side ?? 'source')) return undefined;
  return `only the ${only} has open write aliases, and its marker is missing`;
};

/** Whether writes of this epoch are open on a cluster and no switch beyond it has been prepared there. */
export const isPresentEpoch = (answer: AliasAnswer, { slug, epoch }: { slug: string; epoch: number }): boolean => {
  const open = [...namesIn({ source: answer, target: {} })].flatMap(({ index, alias }) => {
    const own = parseEpochAlias(alias);
    return own?.slug === slug && own.use === 'writes' && index !== fenceIndex ? [own.epoch] : [];
  });
  return open.includes(epoch) && open.every((one) => one <= epoch);
};

/**
 * Whether a cluster has had an epoch, open or closed, of a stay after the one that ended with this epoch: the last switch of
 * that one may have prepared an epoch beyond it.
 */
export const hasLaterStay = (answer: AliasAnswer, { slug, epoch }: { slug: string; epoch: number }): boolean =>
  [...namesIn({ source: answer, target: {} })].some(({ alias }) => {
    const own = parseEpochAlias(alias);
    return own?.slug === slug && own.epoch >= startEpoch(epoch);
  });

/** The routes that a cluster has epochs of, open or closed. */
export const slugsIn = (answer: AliasAnswer): string[] => [
  ...new Set([...namesIn({ source: answer, target: {} })].flatMap(({ alias }) => parseEpochAlias(alias)?.slug ?? [])),
];

/**
 * Whether two looks at one cluster show the same of every route. The clusters are asked one after the other, and a
 * switch in between could show each side as it was before the other lost the authority.
 */
export const sameRoutes = (one: AliasAnswer, two: AliasAnswer): boolean => {
  const own = (answer: AliasAnswer): string[] =>
    [...namesIn({ source: answer, target: {} })]
      .filter(({ alias }) => isOwnAlias(alias))
      .map(({ index, alias }) => `${index} ${alias}`)
      .sort();
  const [first, second] = [own(one), own(two)];
  return first.length === second.length && first.every((name, i) => name === second[i]);
};

/**
 * States to serve with until the store answers: everything goes to the authority through its epoch alias, nothing is
 * copied, so the ledger shows the writes as unaccounted and the tail repairs the follower. Routes in doubt are left out
 * here and named in `unknown`.
 */
export const statesFromAliases = (
  answers: AliasAnswers,
): { states: RouteStates; unknown: { slug: string; reason: string }[] } => {
  const states = new Map<string, RouteState>();
  const unknown: { slug: string; reason: string }[] = [];
  for (const route of routesFromAliases(answers)) {
    if (route.authority === 'unknown') unknown.push({ slug: route.slug, reason: route.reason });
    else states.set(route.slug, stateFrom(route, answers));
  }
  return { states, unknown };
};

const stateFrom = (route: DerivedRoute & { authority: Side; reign: number }, answers: AliasAnswers): RouteState => {
  const { slug, epoch, reign, authority } = route;
  return {
    slug,
    spec: specFrom(route, answers),
    specRevision: 0,
    phase: {
      ...initialPhase,
      phase: authority === 'source' ? 'observe' : 'final',
      epoch,
      reign,
      by: 'aliases',
      reason: 'read from the aliases on the clusters',
    },
    phaseRevision: 0,
    percent: defaultPercents,
    stop: false,
    rate: undefined,
    errors: [],
  };
};

const specFrom = (
  { slug, authority, indices }: DerivedRoute & { authority: Side },
  answers: AliasAnswers,
): RouteSpec => {
  const ordinals = [...indices[authority].keys()].sort((a, b) => a - b);
  const pairs = ordinals.map((ordinal) => {
    const here = indices[authority].get(ordinal)!;
    const there = indices[otherSide(authority)].get(ordinal) ?? here;
    return authority === 'source' ? { source: here, target: there } : { source: there, target: here };
  });
  // Aliases join unparsed: a cluster may hold names that a route file may not, and none of them may pass as unrouted.
  return { ...RouteSpec.parse({ route: slug, indices: pairs }), aliases: clientAliases(pairs, answers) };
};

/** The application's own aliases on the indices of a route, whichever side they stand on. */
const clientAliases = (pairs: RouteSpec['indices'], answers: AliasAnswers): RouteAlias[] => {
  const covered = new Map<string, Set<string>>();
  for (const { side, index, alias } of namesIn(answers)) {
    if (isOwnAlias(alias)) continue;
    for (const pair of pairs)
      if (pair[side] === index) covered.set(alias, (covered.get(alias) ?? new Set()).add(pair.source));
  }
  return [...covered].map(([name, indices]) => ({ name, indices: [...indices] }));
};
