/**
 * Makes what is kept of a mismatch safe to keep and to show: values become hashes keyed per installation. Equal values
 * stay equal, so a difference can still be seen and followed; nothing can be read back. Fields on the allow list stay
 * clear. Headers are never kept.
 */
import { parseText } from './json-value.ts';
import { hashed, isClear, type Redaction, redactLeaf, type Scope } from './redaction.ts';
import type { Difference, PathSegment } from './types.ts';

export { type RedactedAnswer, redactAnswer } from './redact-answer.ts';
export { type RedactedRequest, redactRequest } from './redact-request.ts';
export type { Redaction } from './redaction.ts';

const segmentText = (segment: PathSegment): string => (typeof segment === 'object' ? '' : String(segment));

/** Path inside the document, for allow lists: what follows `_source` or `fields`. */
const fieldPath = (path: readonly PathSegment[]): string => {
  const at = path.findIndex((segment) => segment === '_source' || segment === 'fields');
  const inside = at < 0 ? [] : path.slice(at + 1);
  return inside.map(segmentText).join('.');
};

/**
 * Names in an answer that are data: terms of a document, keys of buckets that were compared as they stand, and whatever a
 * script made of its metric.
 */
const isData = (path: readonly PathSegment[], at: number): boolean => {
  if (typeof path[at] !== 'string') return false;
  if (path[at - 1] === 'buckets') return true;
  return (path[at - 1] === 'terms' && path[at - 3] === 'term_vectors') || isInMetric(path.slice(0, at));
};

/** Below the `value` of an aggregation, which itself may be called so. */
const isInMetric = (above: readonly PathSegment[]): boolean => {
  const from = above.indexOf('aggregations');
  return above.some(
    (segment, i) => segment === 'value' && from >= 0 && i > from + 1 && typeof above[i - 1] === 'string',
  );
};

/** Kinds whose previews are numbers or words of the storage, not data of a document. */
const clearKinds = new Set<Difference['kind']>([
  ...(['no_answer', 'status', 'error_type', 'partial', 'total', 'recall', 'score', 'max_score'] as const),
  ...(['bucket_count', 'missing_item'] as const),
]);

/** As the same value is redacted inside an answer, so that both can be found in each other; what was cut is not JSON any more. */
const redactPreview = (preview: string, scope: Scope): string => {
  const value = parseText(preview);
  return typeof value === 'object' && value !== null
    ? hashed(preview, scope)
    : String(redactLeaf(value === undefined ? preview : value, scope));
};

export const redactDifference = (difference: Difference, redaction: Redaction): Difference => {
  const scope: Scope = { redaction, path: fieldPath(difference.path) };
  const path = difference.path.map((segment, at) => {
    if (typeof segment === 'object') return { key: hashed(segment.key, scope) };
    return isData(difference.path, at) ? { key: hashed(String(segment), scope) } : segment;
  });
  if (clearKinds.has(difference.kind) || isClear(scope)) return { ...difference, path };
  const { severity, kind, authority, other } = difference;
  return {
    severity,
    kind,
    path,
    ...(authority !== undefined && { authority: redactPreview(authority, scope) }),
    ...(other !== undefined && { other: redactPreview(other, scope) }),
  };
};
