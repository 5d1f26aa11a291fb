/**
 * Says whether the cluster will answer in JSON, by its own rule: `format`, else Accept, names the type if it is exactly one
 * that the server knows; else the type of the request does; else it is JSON. A list such as browsers send is no known type.
 * Pure.
 */
import { getParam } from './query.ts';
import type { RequestHead } from './types.ts';

/** Short names stand in `format`, with older servers also in Accept. */
const knownTypes: ReadonlyMap<string, 'json' | 'other'> = new Map([
  ['application/*', 'json'],
  ['application/x-ndjson', 'json'],
  ...['json', 'application/json'].map((name) => [name, 'json'] as const),
  ...['yaml', 'cbor', 'smile'].flatMap((name) => [name, `application/${name}`].map((each) => [each, 'other'] as const)),
]);

/** What stands behind the first semicolon are parameters, whatever it is. */
const kindOf = (text: string): 'json' | 'other' | undefined =>
  knownTypes.get(text.split(';', 1)[0]?.trim().toLowerCase() ?? '');

export const answersInJson = ({ query, headers }: Pick<RequestHead, 'query' | 'headers'>): boolean => {
  const asked = kindOf(getParam(query, 'format') || headers['accept'] || '');
  return (asked ?? kindOf(headers['content-type'] ?? '')) !== 'other';
};
