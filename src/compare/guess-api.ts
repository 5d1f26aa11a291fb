/** Which API a body answers, told by its form: for comparing two files without their request. */
import { type Json, member } from './json-value.ts';
import type { ComparableApi } from './types.ts';

/** The first member that is there decides; most telling first. */
const tellers: readonly (readonly [member: string, api: ComparableApi])[] = [
  ['responses', 'msearch'],
  ['docs', 'mget'],
  ['metric_score', 'rank_eval'],
  ['term_vectors', 'termvectors'],
  ['matched', 'explain'],
  ['found', 'get'],
  ['count', 'count'],
  ['tokens', 'analyze'],
  ['valid', 'validate'],
  ['fields', 'field_caps'],
  ['_source', 'get'],
];

const has = (body: Json, name: string): boolean => member(body, name) !== undefined;

const toldBy = (body: Json): ComparableApi | undefined => tellers.find(([name]) => has(body, name))?.[1];

export const guessApi = (body: Json): ComparableApi => toldBy(body) ?? 'search';

/** What answers to a search, and errors, have at their top. */
const searchMembers = 'hits aggregations aggs suggest took timed_out _shards _scroll_id pit_id status error'.split(' ');

/** Neither an answer to a search nor to anything else known: the document itself, as `/index/_source/id` shows it. */
export const isBareDocument = (body: Json): boolean =>
  toldBy(body) === undefined && !searchMembers.some((name) => has(body, name));
