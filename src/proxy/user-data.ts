/**
 * Tells what the application stored from what the server says, by key: walks over answers stay out of the former, whatever
 * it holds. Below `aggregations`, `buckets`, `suggest` and `inner_hits` keys are names that the client chose, so there the
 * same word (`fields`, `doc`, ...) is no document. Pure.
 */
const documentParts: ReadonlySet<string> = new Set([
  '_source',
  'fields',
  'highlight',
  'sort',
  '_ignored',
  'ignored_field_values',
  'doc',
]);
const namedByClient: ReadonlySet<string> = new Set(['aggregations', 'buckets', 'suggest', 'inner_hits']);

/** One object of an answer on the way down: the key it stands under, and whether it counts documents, as a bucket does. */
export type Place = { readonly parent: string | undefined; readonly counts: boolean };

/** Sub-aggregations stand beside the `doc_count` of their bucket, and after it. */
export const countsDocuments = (key: string): boolean => key === 'doc_count';

export const isUserData = (key: string, { parent, counts }: Place): boolean =>
  documentParts.has(key) && !counts && !(parent !== undefined && namedByClient.has(parent));
