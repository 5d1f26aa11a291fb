/**
 * What a NATS server and the settings of a bucket must offer before anything is coordinated through them. Compare-and-set
 * has more than one winner in replicated streams before 2.9.21, and a lease needs a bucket whose keys expire: using
 * either regardless could put two leaders in charge.
 */
/** `ttlMs` 0 = keys never expire. */
export type BucketTtl = { bucket: string; ttlMs: number };

type Version = readonly [major: number, minor: number, patch: number];
/** Republishing with sequence headers and leader reads by subject. */
const least: Version = [2, 9, 0];
const leastReplicated: Version = [2, 9, 21];

const parseVersion = (text: string): Version | undefined => {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
};

const isBelow = (version: Version, bound: Version): boolean => {
  for (let i = 0; i < 3; i++) if (version[i] !== bound[i]) return (version[i] as number) < (bound[i] as number);
  return false;
};

/** A reason not to use the server with so many replicas of a bucket; undefined = fit. */
export const serverRefusal = (versionText: string, replicas: number): string | undefined => {
  const version = parseVersion(versionText);
  if (version === undefined) return `the server does not tell its version (${versionText})`;
  if (isBelow(version, least)) return `NATS server ${versionText} is too old, ${least.join('.')} or later is needed`;
  if (replicas > 1 && isBelow(version, leastReplicated))
    return `NATS server ${versionText} has an unsafe compare-and-set in replicated buckets; upgrade to ${leastReplicated.join('.')} or later, or use one replica`;
  return undefined;
};

/** A reason not to keep leases in this bucket: they must outlive the time their holder counts on, and then expire. */
export const leaseRefusal = ({ bucket, ttlMs }: BucketTtl, leastTtlMs: number): string | undefined => {
  if (ttlMs === 0) return `bucket ${bucket} has no TTL, so leases would never expire; it needs ${leastTtlMs / 1000} s`;
  return ttlMs < leastTtlMs
    ? `bucket ${bucket} has a TTL of ${ttlMs / 1000} s, shorter than the ${leastTtlMs / 1000} s that leases count on`
    : undefined;
};
