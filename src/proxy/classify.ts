/**
 * Says what a request is from its method and raw path alone, with the server's own matching rules: the path is split while
 * still percent-encoded, so `/%5Fsearch` is an index and not an API, and only captured parameters are decoded. What the
 * table does not know is `unclassified`: it is forwarded, counted, never mirrored and never split.
 * Invariant: a path never classifies as an API that the server would not run for it. Hence an index parameter takes no
 * name that begins with `_` (the server refuses such names) except `_all`; a list needs one name that may exist.
 *
 * Elasticsearch 7.10 and OpenSearch 1.x also know mapping types in paths. `/i/_doc/_bulk` is a bulk there and a document
 * with the id `_bulk` on later versions. While the version is not known the later meaning wins, because it is the one that
 * loses nothing when wrong: a search taken for a write still goes to the authority alone.
 */
import { type OperationRule, ruleOf } from './operation-rules.ts';
import { operations } from './operations.generated.ts';
import { decodeComponent } from './percent-encoding.ts';
import { parseQuery } from './query.ts';
import { createNode, findInTrie, type Guard, isParameter, nodeFor, splitPath, type TrieNode } from './rest-trie.ts';
import type { Access, Operation } from './types.ts';

/** A method of a path template, ready to be turned into an Operation. */
type Endpoint = {
  readonly group: string;
  readonly rule: OperationRule;
  readonly access: Access;
  readonly captures: readonly (readonly [position: number, name: string])[];
  readonly indexSegment: number;
};
type Endpoints = Map<string, Endpoint>;
type Trie = TrieNode<Endpoints>;

export type Classify = (method: string, rawPath: string) => Operation;

const unclassified: Operation = {
  group: 'unclassified',
  family: 'unclassified',
  access: 'unknown',
  namesIn: 'none',
  needsBody: false,
  params: {},
  indexSegment: -1,
};

/**
 * `native`: mapping types in paths mean what they mean on Elasticsearch 7.10 and OpenSearch 1.x. `none`: the server has
 * none, and says so itself. `fallback`: it is not known which.
 */
export type MappingTypes = 'fallback' | 'native' | 'none';

const isTyped = (template: string): boolean => template.includes('{type}');
const untyped = (template: string): boolean => !isTyped(template);

const triesFor = (mappingTypes: MappingTypes): Trie[] => {
  if (mappingTypes === 'native') return [buildTrie(() => true)];
  return mappingTypes === 'none' ? [buildTrie(untyped)] : [buildTrie(untyped), buildTrie(isTyped)];
};

export const createClassifier = ({ mappingTypes }: { mappingTypes: MappingTypes }): Classify => {
  const tries = triesFor(mappingTypes);
  return (method, rawPath) => {
    const segments = splitPath(rawPath);
    for (const trie of tries) {
      const endpoint = findInTrie(trie, segments, (endpoints) => endpoints.get(method));
      if (endpoint !== undefined) return toOperation(endpoint, segments) ?? unclassified;
    }
    return unclassified;
  };
};

const buildTrie = (accepts: (template: string) => boolean): Trie => {
  const root: Trie = createNode();
  for (const [methods, template, group] of operations) {
    if (!accepts(template)) continue;
    const node = nodeFor(root, template, guardOf);
    node.value ??= new Map();
    for (const method of methods.split(' ')) node.value.set(method, toEndpoint(method, template, group));
  }
  return root;
};

const toEndpoint = (method: string, template: string, group: string): Endpoint => {
  const rule = ruleOf(group);
  if (rule === undefined) throw new TypeError(`operation group ${group} has no rule`);
  const reads = method === 'GET' || method === 'HEAD';
  const access = rule.access === 'by_method' ? (reads ? 'read' : 'admin') : rule.access;
  const segments = splitPath(template);
  const captures = segments.flatMap((segment, i) => (isParameter(segment) ? [[i, segment.slice(1, -1)] as const] : []));
  return { group, rule, access, captures, indexSegment: captures.find(([, name]) => indexNames.has(name))?.[0] ?? -1 };
};

/** Parameters that hold the index expression of their operation. */
const indexNames: ReadonlySet<string> = new Set(['index', 'alias']);

const guardOf = (name: string): Guard | undefined => {
  if (name === 'type') return isMappingType;
  return indexNames.has(name) ? isIndexSegment : undefined;
};
const isMappingType: Guard = (segment) => {
  const type = decodeComponent(segment) ?? segment;
  return type === '_doc' || (type !== '' && !type.startsWith('_'));
};
const isIndexSegment: Guard = (segment) => {
  const expression = decodeComponent(segment) ?? segment;
  return !expression.startsWith('_') || expression.split(',').some(mayExist);
};
const mayExist = (name: string): boolean => name === '_all' || (name !== '' && !name.startsWith('_'));

/** @returns undefined when a parameter cannot be decoded: no server takes such a path */
const toOperation = ({ group, rule, access, captures, indexSegment }: Endpoint, segments: readonly string[]) => {
  const params: Record<string, string> = {};
  for (const [position, name] of captures) {
    const value = decodeComponent(segments[position] as string);
    if (value === undefined) return undefined;
    params[name] = value;
  }
  const { family, namesIn, needsBody } = rule;
  return { group, family, access, namesIn, needsBody, params, indexSegment } satisfies Operation;
};

export const classify: Classify = createClassifier({ mappingTypes: 'fallback' });

/** Path parameters that the server also takes from the query, when the path has none. */
const queryParams = ['index', 'alias', 'id', 'name', 'type', 'scroll_id', 'task_id', 'target'] as const;

/**
 * The same operation with what the query adds: `?index=` and `?id=` count where the path has no such segment (a bare
 * `DELETE /?index=x` deletes x), and `op_type=create` turns an index operation into a create. A path that names its indices
 * as `{alias}` takes no `?index=` besides. Idempotent.
 */
export const refineByQuery = (operation: Operation, rawQuery: string): Operation => {
  if (rawQuery === '' || operation.family === 'unclassified') return operation;
  const { params: given } = parseQuery(rawQuery);
  const isNamed = operation.indexSegment >= 0;
  const added = queryParams.filter(
    (name) => given.has(name) && operation.params[name] === undefined && !(isNamed && indexNames.has(name)),
  );
  const isCreate = operation.family === 'index' && given.get('op_type')?.toLowerCase() === 'create';
  if (added.length === 0 && !isCreate) return operation;
  const params = { ...Object.fromEntries(added.map((name) => [name, given.get(name) as string])), ...operation.params };
  const movesNames = operation.namesIn === 'path' && !isNamed && added.includes('index');
  return {
    ...operation,
    params,
    family: isCreate ? 'create' : operation.family,
    namesIn: movesNames ? 'query' : operation.namesIn,
  };
};
