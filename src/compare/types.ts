/**
 * The words of the comparison room: what goes in (a request and two answers to it), what comes out (an observation),
 * and what the evidence of many observations says (a verdict). Types and closed sets only, so that the shadow runner,
 * the counters and the dashboards agree on them without importing the comparators.
 * Nothing in this room does I/O or reads a clock: `now`, `random` and hashes are passed in.
 */

/** APIs whose answers can be compared; names are those of the data plane's request families. */
export const comparableApis = [
  'search',
  'template_search',
  'msearch',
  'msearch_template',
  'count',
  'get',
  'mget',
  'explain',
  'field_caps',
  'validate',
  'termvectors',
  'mtermvectors',
  'rank_eval',
  'analyze',
] as const;
export type ComparableApi = (typeof comparableApis)[number];
export const isComparable = (family: string): family is ComparableApi =>
  (comparableApis as readonly string[]).includes(family);

/**
 * How bad a mismatch is; the worst one names the observation.
 * S0 the other side failed, S1 status differs, S2 partial only there, S3 totals, S4 missing or extra hits, S5 order,
 * S6 aggregations, S7 content of a document, S8 scores only, S9 cosmetic.
 */
export const severities = ['S0', 'S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S8', 'S9'] as const;
export type Severity = (typeof severities)[number];

export type ComparedRequest = {
  method: string;
  /** Raw path without the query, as the client sent it. */
  path: string;
  /** Raw query without `?`; empty when there is none. */
  query: string;
  body?: Uint8Array | undefined;
  /** The document's id, where the path holds one. */
  id?: string | undefined;
};

/** Which of the two answers of a comparison. */
export type Answerer = 'authority' | 'other';

/** One side's answer. No answer at all: status 0 and the reason in `failure`. */
export type Answer = {
  status: number;
  /** Content-encoding already undone. */
  body: Uint8Array;
  headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  failure?: 'timeout' | 'reset' | 'unreachable' | 'invalid' | 'too_large';
};

/** A step into an answer: a field name, a list position, or `key` = data that names an element (id, bucket key). */
export type PathSegment = string | number | { readonly key: string };

export const differenceKinds = [
  'no_answer',
  'status',
  'error_type',
  'unparsable',
  'partial',
  'total',
  'missing_hit',
  'extra_hit',
  'open_tie',
  'order',
  'recall',
  'score',
  'max_score',
  'value',
  'type',
  'missing_field',
  'extra_field',
  'list_length',
  'sort_value',
  'bucket_count',
  'missing_bucket',
  'extra_bucket',
  'metric',
  'missing_document',
  'extra_document',
  'missing_item',
  'highlight',
  'suggestion',
  'matched',
  'header',
] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

/** `authority` and `other` are short previews (JSON text, cut), absent when the side has nothing there. */
export type Difference = {
  severity: Severity;
  kind: DifferenceKind;
  path: readonly PathSegment[];
  authority?: string;
  other?: string;
};

/** Shares in 0..1; two empty lists agree (1), one empty list does not (0). */
export type RankMetrics = {
  overlap1: number;
  overlap3: number;
  overlap10: number;
  overlapSize: number;
  jaccard: number;
  rbo: number;
};

/** Why an observation says nothing about the other side and must not be counted as compared. */
export const discardReasons = [
  'authority_failed',
  'authority_partial',
  'terminated_early',
  'not_json',
  'unstable',
] as const;
export type DiscardReason = (typeof discardReasons)[number];

/** A rule of the profile that changed what was found, and how often. */
export type Applied = { rule: 'ignore' | 'soft' | 'severity' | 'tolerance'; pattern: string; times: number };

/** The result of one comparison. */
export type Observation = {
  severity: Severity | 'none';
  /** Worst first within the bound `maxDifferences` of the profile. */
  differences: readonly Difference[];
  /** How many differences were found of each severity, those beyond the bound included. */
  counts: Readonly<Partial<Record<Severity, number>>>;
  /** Absent when the API has no ranked list. For msearch: the mean over its items. */
  metrics?: RankMetrics;
  /** Absent when no rule of the profile changed anything. */
  applied?: readonly Applied[];
  /** Set: count it as skipped under this reason, not as compared. */
  discard?: DiscardReason;
  /** The authority failed where the other side answered well. */
  otherBetter?: true;
};

/** Reasons for not asking the other side at all; label values of a metric. */
export const skipReasons = [
  'random',
  'script_clock',
  'terminate_after',
  'timeout',
  'profile',
  'scroll',
  'point_in_time',
  'slice',
  'node_preference',
  'cluster_local_field',
  'now',
  'not_json',
  'unsupported',
] as const;
export type SkipReason = (typeof skipReasons)[number];

/** A family of queries that differ only in their literals. `label` is for people and holds no literal. */
export type QueryShape = { fingerprint: string; label: string };

export const verdicts = ['promote', 'hold', 'rollback', 'inconclusive'] as const;
export type Verdict = (typeof verdicts)[number];
