/**
 * Would a failure still show in the answer that `filter_path` leaves? A follower's answer is judged by its counts of shards, by
 * `timed_out` and by the errors of its items. Where the client wants none of these the judge would see nothing, and half an
 * answer would pass for a whole one. Pure: the filter is tried on an answer that has them all.
 */
import { getParam } from '../query.ts';
import type { Family } from '../types.ts';
import { applyFilterPath, parseFilterPath } from '../write/filter-path.ts';

const counts = '"_shards":{"total":1,"successful":1,"failed":0}';
const error = '{"error":{"type":"x"}}';
const search = `{"timed_out":false,${counts}}`;
const searches = `{"responses":[${search},${error}]}`;
const documents = `{"docs":[${error}]}`;

/** Families that are not listed say by their status that they failed. */
const telling: Partial<Record<Family, string>> = {
  search,
  template_search: search,
  msearch: searches,
  msearch_template: searches,
  count: `{${counts}}`,
  validate: `{${counts}}`,
  mget: documents,
  mtermvectors: documents,
};

export const showsFailures = (family: Family, query: string): boolean => {
  const filter = parseFilterPath(getParam(query, 'filter_path'));
  const answer = telling[family];
  if (filter === undefined || answer === undefined) return true;
  return applyFilterPath(Buffer.from(answer), filter).toString() === answer;
};
