/**
 * Decides which side answers a read. The authority does, unless the route is between two sides and the percentage, or the
 * allow list, sends this request's key to the follower and nothing pins it to the authority.
 * Invariants: a key that goes to the follower at p % also goes there at any higher percentage; every member decides alike
 * for the same key; at 0 % (also after a reset or a stop), and before the follower is filled, nobody goes there, listed or not.
 */
import type { RouteState } from '../../coordination/ports.ts';
import { authorityIn, hasFollower, otherSide, type Side } from '../../coordination/records.ts';
import { bucketOf, buckets } from '../bucket.ts';
import { keyText, type StickyKey } from './sticky-key.ts';

/** Why only the authority can answer this request faithfully; label values of an event. */
export const pinReasons = [
  'family',
  'tokens',
  'version',
  'external_versions',
  'pending_copy',
  'not_refreshed',
  'names',
  'opaque_body',
  'answer_format',
  'node_preference',
  'alias_routing',
] as const;
export type PinReason = (typeof pinReasons)[number];

export type ChoiceReason =
  PinReason | 'single_side' | 'backfill' | 'percent' | 'allowed' | 'denied' | 'no_key' | 'breaker_open' | 'fallback';

export type SideChoice = { readonly side: Side; readonly reason: ChoiceReason };

export type SideQuestion = {
  readonly state: RouteState;
  /** Share of reads for the follower, after phase and stop. */
  readonly followerPercent: number;
  /** The follower is known to have everything that the authority had when copies began, and nothing that it had not. */
  readonly followerIsFilled: boolean;
  readonly key: StickyKey | undefined;
  /** Also looked up in the allow and deny lists. */
  readonly principal: string | undefined;
  readonly pin: PinReason | undefined;
  /** In [0, 1); drawn once per request. */
  readonly random: number;
};

export const chooseSide = (question: SideQuestion): SideChoice => {
  const { state, followerPercent, pin } = question;
  const authority = authorityIn(state.phase.phase);
  const stay = (reason: ChoiceReason): SideChoice => ({ side: authority, reason });
  if (!hasFollower(state.phase.phase) || followerPercent <= 0) return stay('single_side');
  if (!question.followerIsFilled) return stay('backfill');
  if (pin !== undefined) return stay(pin);
  const follower = otherSide(authority);
  const { allow, deny } = state.spec.reads;
  if (isListed(deny, question)) return stay('denied');
  if (isListed(allow, question)) return { side: follower, reason: 'allowed' };
  const bucket = bucketFor(question);
  if (bucket === undefined) return stay('no_key');
  return { side: bucket < followerPercent * thousandths ? follower : authority, reason: 'percent' };
};

const thousandths = buckets / 100;

const isListed = (list: readonly string[], { key, principal }: SideQuestion): boolean =>
  list.length > 0 &&
  ((key !== undefined && list.includes(key.value)) || (principal !== undefined && list.includes(principal)));

const bucketFor = ({ state, key, random }: SideQuestion): number | undefined => {
  const { salt, missingKey } = state.spec.reads;
  if (key !== undefined) return bucketOf(salt ?? state.slug, keyText(key));
  return missingKey === 'random' ? Math.floor(random * buckets) : undefined;
};
