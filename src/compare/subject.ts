/**
 * What a difference is about, told by its kind and not by its severity, which a rule of the profile may have set: an operator
 * may call another price as bad as a refusal, and a copy on its way stays a copy on its way.
 */
import type { Difference, DifferenceKind, Observation } from './types.ts';

/** Whether a side answers, and how wholly. */
const ofAnswering = new Set<DifferenceKind>([
  ...(['no_answer', 'status', 'error_type', 'unparsable', 'partial', 'missing_item'] as const),
]);
/** What a document holds, the order of hits apart. */
const ofContent = new Set<DifferenceKind>([
  ...(['value', 'type', 'missing_field', 'extra_field', 'list_length', 'sort_value', 'matched'] as const),
]);
const ofPage = new Set<DifferenceKind>(['missing_hit', 'extra_hit', 'open_tie', 'order', 'recall']);

/** Scores and cosmetics say little, whatever they are about. */
export const isGrave = ({ severity }: Pick<Observation, 'severity'>): boolean => severity !== 'none' && severity < 'S8';

export const isOfAnswering = (difference: Difference): boolean =>
  isGrave(difference) && ofAnswering.has(difference.kind);

export const isOfContent = (difference: Difference): boolean => isGrave(difference) && ofContent.has(difference.kind);

/** Its worst difference is which hits are on the page, or their order. */
export const isOfPage = ({ differences: [worst] }: Pick<Observation, 'differences'>): boolean =>
  worst !== undefined && isGrave(worst) && ofPage.has(worst.kind);

/** Totals, pages, aggregations and contents come from documents; whether a side answers, and how wholly, does not. */
export const isOfDocuments = (observation: Pick<Observation, 'severity' | 'differences'>): boolean =>
  isGrave(observation) && !observation.differences.some(isOfAnswering);
