/**
 * Pure: is the follower's document what the authority's should be? Bytes are compared first, then meaning: key order and
 * notation of numbers may differ where a transform or the storage wrote the document anew.
 */
import { documentLine } from '../json/document-line.ts';
import type { GotDoc } from './documents.ts';
import { canonical, differingPaths } from './exact-json.ts';
import type { VerifyMode } from './verify-state.ts';

export type Judgement =
  | { kind: 'equal' }
  | { kind: 'missing' | 'extra'; reason: string }
  | { kind: 'different'; reason: string; paths?: string[] }
  /** It moved between two looks. */
  | { kind: 'unclear'; reason: string }
  /** A shard could not say. */
  | { kind: 'unknown'; reason: string };

/** Why it cannot be said what the follower should hold. */
export type Failure = { failed: string };

export type Compared = {
  authority: GotDoc;
  follower: GotDoc;
  /** What the follower should hold; null when the transform drops the document. */
  expected: Uint8Array | null | undefined | Failure;
  /** No later write of the document can get a stamp at or below this; undefined when it cannot be told. */
  settled: bigint | undefined;
};

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export const isFailure = (expected: Compared['expected']): expected is Failure =>
  expected !== null && expected !== undefined && 'failed' in expected;

/** Equal by bytes on one line, or by meaning. */
export const sameDocument = (a: Uint8Array, b: Uint8Array): boolean => {
  const [left, right] = [documentLine(a), documentLine(b)];
  if (left === undefined || right === undefined) return same(a, b);
  return same(left, right) || canonical(left) === canonical(right);
};

/** Undefined where one of them is no JSON. */
const pathsBetween = (a: Uint8Array, b: Uint8Array): string[] | undefined => {
  const [left, right] = [documentLine(a), documentLine(b)];
  return left === undefined || right === undefined ? undefined : differingPaths(left, right);
};

/** Such a version would make the follower refuse later copies; nothing of this engine leaves one behind. */
const isAhead = (version: bigint | undefined, settled: bigint | undefined): boolean =>
  version !== undefined && settled !== undefined && version > settled;

const unread = ({ reason, moved }: Extract<GotDoc, { kind: 'unknown' }>): Judgement => ({
  kind: moved ? 'unclear' : 'unknown',
  reason,
});

export const judge = ({ authority, follower, expected, settled }: Compared, mode: VerifyMode): Judgement => {
  if (authority.kind === 'unknown') return unread(authority);
  if (follower.kind === 'unknown') return unread(follower);
  const wanted = authority.kind === 'found' && expected !== null;
  const failed = isFailure(expected) ? expected.failed : undefined;
  if (follower.kind === 'absent')
    return wanted ? { kind: 'missing', reason: failed ?? 'not on the follower' } : { kind: 'equal' };
  if (!wanted) return { kind: 'extra', reason: expected === null ? 'the transform drops it' : 'not on the authority' };
  const { source, version } = follower.doc;
  if (source === undefined || expected === undefined || isFailure(expected))
    return { kind: 'different', reason: failed ?? authority.doc.unreadable ?? 'no _source to compare' };
  if (!sameDocument(expected, source)) {
    const paths = mode === 'full' ? pathsBetween(expected, source) : undefined;
    return { kind: 'different', reason: 'content', ...(paths === undefined ? {} : { paths }) };
  }
  if (mode !== 'hash' && isAhead(version, settled))
    return { kind: 'different', reason: `version ${version} would bar later copies` };
  return { kind: 'equal' };
};
