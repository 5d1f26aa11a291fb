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
];

export const guessApi = (body: Json): ComparableApi =>
  tellers.find(([name]) => member(body, name) !== undefined)?.[1] ?? 'search';
