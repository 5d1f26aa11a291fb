/**
 * Which way copies flow for a route, and under which names, taken from its phase record once per piece of work. The
 * whole piece runs under this value: if the record moves on meanwhile, the fence of the old epoch stops it.
 */
import { copyAlias } from '../coordination/keys.ts';
import type { RouteState } from '../coordination/ports.ts';
import { authorityIn, otherSide, type Side, type StampLayout } from '../coordination/records.ts';
import type { RouteSpec } from '../coordination/route-spec.ts';
import { packStamp } from '../coordination/stamp.ts';

export type Direction = {
  slug: string;
  spec: Pick<RouteSpec, 'indices' | 'transform' | 'versions'>;
  authority: Side;
  follower: Side;
  epoch: number;
  reign: number;
  layout: StampLayout;
};

export const directionOf = ({ slug, spec, phase }: Pick<RouteState, 'slug' | 'spec' | 'phase'>): Direction => {
  const authority = authorityIn(phase.phase);
  const { epoch, reign, layout } = phase;
  return { slug, spec, authority, follower: otherSide(authority), epoch, reign, layout };
};

/** Concrete index of the pair at `ordinal` on a side. */
export const indexOn = ({ spec }: Pick<Direction, 'spec'>, ordinal: number, side: Side): string => {
  const pair = spec.indices[ordinal];
  if (pair === undefined) throw new RangeError(`the route has no index ${ordinal}`);
  return pair[side];
};

export const copyAliasOf = ({ slug, epoch }: Pick<Direction, 'slug' | 'epoch'>, ordinal: number): string =>
  copyAlias(slug, epoch, ordinal);

/** The application sets the versions itself: a copy carries the one that the document has, and reads have to ask for it. */
export const hasOwnVersions = ({ spec }: Pick<Direction, 'spec'>): boolean => spec.versions === 'external';

/** @throws RangeError when term or sequence number do not fit the layout, or the version was not asked for. */
export const stampOf = (
  { spec, layout, reign }: Pick<Direction, 'spec' | 'layout' | 'reign'>,
  { primaryTerm: term, seqNo: seq, version }: { primaryTerm: number; seqNo: number; version?: bigint | undefined },
): bigint => {
  if (!hasOwnVersions({ spec })) return packStamp(layout, { reign, term, seq });
  if (version === undefined) throw new RangeError('the version of the document is not known');
  return version;
};
