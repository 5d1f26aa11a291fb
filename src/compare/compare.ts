/**
 * Are these two answers to one request equal, and how badly not? Entry of the comparison room.
 */
import type { Rules } from './rules.ts';
import type { Answer, ComparableApi, ComparedRequest, Observation } from './types.ts';

export type Comparison = {
  api: ComparableApi;
  request: ComparedRequest;
  /** The side whose answer the client got (or the first of an A/A' pair). */
  authority: Answer;
  other: Answer;
  /** Maps an index name of either side to the name both share; called with names of both sides. */
  renameIndex: (name: string) => string;
  rules: Rules;
};

export const compareAnswers = (comparison: Comparison): Observation => {
  const { authority, other } = comparison;
  const same = authority.status === other.status && Buffer.from(authority.body).equals(Buffer.from(other.body));
  return { severity: same ? 'none' : 'S9', differences: [], counts: {} };
};
