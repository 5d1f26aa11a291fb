/**
 * Takes the mapping type out of a path for the target. Elasticsearch 7.10 and OpenSearch 1.x know types in paths; later
 * versions take `/i/_doc/_search` for a document called `_search`, so a read that kept its type would write there. What
 * comes out means the same on every version that can be a target. Pure.
 */
import { decodeComponent } from './percent-encoding.ts';
import { splitPath } from './rest-trie.ts';
import type { Family, Operation } from './types.ts';

type Typed = Pick<Operation, 'params' | 'indexSegment' | 'family'>;

const documentFamilies: ReadonlySet<Family> = new Set<Family>(['index', 'create', 'get', 'delete']);

/** Whether the id stands behind the type. It may also stand in the query of an API of the index: `/i/t/_termvectors?id=1`. */
const leadsWithId = ([first = '', verb]: readonly string[], { params, family }: Typed): boolean =>
  decodeComponent(first) === params.id && (verb === undefined ? documentFamilies.has(family) : verb.startsWith('_'));

/** `/i/t` is a new document, `/i/t/1` a document, `/i/t/1/_update` a verb on it, and `/i/t/_search` an API of the index. */
const afterIndex = (rest: readonly string[], hasId: boolean): readonly string[] => {
  if (rest.length === 0) return ['_doc'];
  if (!hasId) return rest;
  const [id = '', verb = '_doc'] = rest;
  return [verb, id];
};

/** The same path when it names no type. */
export const withoutType = (path: string, operation: Typed): string => {
  const { params, indexSegment } = operation;
  if (params.type === undefined || indexSegment < 0) return path;
  const segments = splitPath(path);
  const at = segments.findIndex((segment, i) => i > indexSegment && decodeComponent(segment) === params.type);
  if (at < 0) return path;
  const before = segments.slice(0, at);
  const rest = segments.slice(at + 1);
  // `/i/_mapping/t` has its API before the type.
  if (at > indexSegment + 1) return [...before, ...rest].join('/');
  return [...before, ...afterIndex(rest, leadsWithId(rest, operation))].join('/');
};
