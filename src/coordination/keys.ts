/**
 * Names of the keys in the two buckets and of the aliases on the clusters, built and taken apart in one place.
 * Bucket `crossfade` holds what must last; `crossfade_live` (TTL) holds heartbeats and leases.
 */
export const percentKinds = ['read', 'shadow', 'write'] as const;
export type PercentKind = (typeof percentKinds)[number];

export const keys = {
  meta: 'meta',
  config: (slug: string) => `rt.${slug}.cfg`,
  phase: (slug: string) => `rt.${slug}.phase`,
  percent: (slug: string, kind: PercentKind) => `rt.${slug}.pct.${kind}`,
  stop: (slug: string) => `rt.${slug}.stop`,
  rate: (slug: string) => `rt.${slug}.rate`,
  ask: (slug: string) => `rt.${slug}.ask`,
  job: (slug: string, name: string) => `job.${slug}.${name}`,
  /** One per process that compares, so that what a restarted or departed one saw stays. */
  evidence: (slug: string, boot: string) => `job.${slug}.evidence.${boot}`,
  /** One per process that may write to the route, from before it is first heard until it has left. */
  boot: (slug: string, boot: string) => `job.${slug}.boot.${boot}`,
  audit: (slug: string, n: number) => `audit.${slug}.${n}`,
  heartbeat: (member: string) => `hb.${member}`,
  claim: (member: string) => `claim.${member}`,
  progress: (slug: string, worker: string) => `progress.${slug}.${worker}`,
  watch: (member: string) => `watch.${member}`,
  traffic: (member: string) => `traffic.${member}`,
  found: (member: string) => `found.${member}`,
  lease: (slug: string) => `lease.leader.${slug}`,
} as const;

/** Alias that writes of one epoch go through; the first index of a route has the bare name. */
export const epochAlias = (slug: string, epoch: number, ordinal: number): string =>
  ordinal === 0 ? `crossfade-${slug}-e${epoch}` : `crossfade-${slug}-e${epoch}-${ordinal}`;
/**
 * Alias that copies of one epoch go through on the follower. It differs from the write alias because both sides may be
 * one cluster, where a name can have one write index only.
 */
export const copyAlias = (slug: string, epoch: number, ordinal: number): string =>
  ordinal === 0 ? `crossfade-${slug}-c${epoch}` : `crossfade-${slug}-c${epoch}-${ordinal}`;
/** Marker left on the authority right after a commit, for members that cannot reach the store. */
export const authorityMarker = (slug: string, epoch: number, reign: number): string =>
  `crossfade-${slug}-authority-e${epoch}-r${reign}`;
/** Wildcard for all of the above. It matches aliases of a route `<slug>-…` too, so whatever it brings has to be parsed. */
export const aliasWildcard = (slug: string): string => `crossfade-${slug}-*`;

/** Wildcard for those of all routes. */
export const ownAliases = 'crossfade-*';

export type EpochAlias = { slug: string; use: 'writes' | 'copies'; epoch: number; ordinal: number };
const epochForm = /^crossfade-([a-z0-9][a-z0-9_-]*)-([ec])(\d+)(?:-(\d+))?$/;
/** Takes an epoch or copy alias apart; undefined for every other name. */
export const parseEpochAlias = (name: string): EpochAlias | undefined => {
  const match = epochForm.exec(name);
  if (match === null) return undefined;
  const [, slug = '', kind, epoch, ordinal = '0'] = match;
  return { slug, use: kind === 'e' ? 'writes' : 'copies', epoch: Number(epoch), ordinal: Number(ordinal) };
};

export type AuthorityMarker = { slug: string; epoch: number; reign: number };
const markerForm = /^crossfade-([a-z0-9][a-z0-9_-]*)-authority-e(\d+)-r(\d+)$/;
export const parseAuthorityMarker = (name: string): AuthorityMarker | undefined => {
  const match = markerForm.exec(name);
  if (match === null) return undefined;
  const [, slug = '', epoch, reign] = match;
  return { slug, epoch: Number(epoch), reign: Number(reign) };
};

/** Whether an alias is one of Crossfade's, of whichever route. */
export const isOwnAlias = (name: string): boolean => epochForm.test(name) || markerForm.test(name);
/** The write-blocked index that fenced aliases point at. */
export const fenceIndex = 'crossfade-fence';

export type RouteField = 'cfg' | 'phase' | `pct.${PercentKind}` | 'stop' | 'rate';
const routeKey = /^rt\.([a-z0-9][a-z0-9_-]{0,62})\.(cfg|phase|pct\.(?:read|shadow|write)|stop|rate)$/;
/** Takes a key of the settings of a route apart; undefined for every other key, `ask` included. */
export const parseRouteKey = (key: string): { slug: string; field: RouteField } | undefined => {
  const match = routeKey.exec(key);
  return match === null ? undefined : { slug: match[1] as string, field: match[2] as RouteField };
};
/** Prefix of the evidence of all processes of a route. */
export const evidencePrefix = (slug: string): string => `job.${slug}.evidence.`;
/** Prefix of the processes that may write to a route. */
export const bootPrefix = (slug: string): string => `job.${slug}.boot.`;
/** Prefix of every key of every route. */
export const routeKeyPrefix = 'rt.';
/** Prefix of the heartbeats in the live bucket. */
export const heartbeatPrefix = 'hb.';
/** Prefixes of what members tell the dashboards, in the live bucket. */
export const watchPrefix = 'watch.';
export const trafficPrefix = 'traffic.';
export const foundPrefix = 'found.';
