/** Why a difference is one, in a sentence for people who do not know the comparators. Holds no value of any answer. */
import type { DifferenceKind, DiscardReason, Severity } from './types.ts';

export const severityMeanings: Readonly<Record<Severity, string>> = {
  S0: 'the other side failed',
  S1: 'another status or form of answer',
  S2: 'partial there only',
  S3: 'another number of matches',
  S4: 'other documents on the page',
  S5: 'another order',
  S6: 'aggregations beyond their error bounds',
  S7: 'another content of documents',
  S8: 'scores, and ranks that their noise explains',
  S9: 'cosmetic',
};

export const kindMeanings: Readonly<Record<DifferenceKind, string>> = {
  no_answer: 'one side gave no answer, a server error or 429',
  status: 'the status of the answer, or of one item, differs',
  error_type: 'both refuse, with another type of error',
  unparsable: 'one side answered something that is not JSON',
  partial: 'shards failed or time ran out on one side only, so nothing else of it is compared',
  total: 'the totals contradict each other; a lower bound agrees with every total above it',
  missing_hit: 'the other side lacks this hit, and no tie at the end of the page explains it',
  extra_hit: 'only the other side has this hit, and no tie at the end of the page explains it',
  open_tie: 'the hit stands so near to the end of the page that the noise of scores decides whether it is on it',
  order: 'hits that do not tie stand in another order',
  recall: 'approximate lists have too few entries, or fewer than all, in common',
  score: 'the scores differ beyond the tolerance',
  max_score: 'the best scores differ beyond the tolerance',
  value: 'the values differ',
  type: 'the values are of different types',
  missing_field: 'the other side lacks it',
  extra_field: 'only the other side has it',
  list_length: 'the lists are of different lengths',
  sort_value: 'the value that the hit is sorted by differs',
  bucket_count: 'the counts differ by more than both error bounds together',
  missing_bucket: 'the other side lacks this bucket, and the cut of its list does not explain it unless it is cosmetic',
  extra_bucket:
    "only the other side has this bucket, and the authority's cut does not explain it unless it is cosmetic",
  metric: 'the figures differ; within the error of an estimate it is cosmetic',
  missing_document: 'the other side does not have the document',
  extra_document: 'only the other side has the document',
  missing_item: 'the answers hold a different number of items',
  highlight: 'other fragments are marked',
  suggestion: 'other suggestions; they rest on the frequencies of single shards',
  matched: 'another query matched the document',
  header: 'an answer header of the profile differs',
};

export const discardMeanings: Readonly<Record<DiscardReason, string>> = {
  authority_failed: 'the authority itself failed',
  authority_partial: 'the answer of the authority is partial',
  terminated_early: 'the answer was cut off by terminate_after',
  not_json: 'the answer of the authority is not JSON',
  unstable: 'the authority does not agree with itself',
};
