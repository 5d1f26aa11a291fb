/**
 * Matches raw path segments against templates in the server's own order: a literal child beats a parameter, and four
 * passes widen where a parameter may match (nowhere, at the root, at the end, anywhere). The passes matter: a path that
 * reads both as `/{index}/_doc/{id}` and as `/{index}/{type}/_search` goes to the one found in the earlier pass.
 */
export type TrieNode<T> = {
  readonly children: Map<string, TrieNode<T>>;
  parameter: TrieNode<T> | undefined;
  /** What may stand in the place of the parameter; undefined = anything. */
  accepts: Guard | undefined;
  value: T | undefined;
};
export type Guard = (segment: string) => boolean;

export const createNode = <T>(): TrieNode<T> => ({
  children: new Map(),
  parameter: undefined,
  accepts: undefined,
  value: undefined,
});

export const isParameter = (segment: string): boolean => segment.startsWith('{');

/** Segments of a path or template. The first one is the empty text before the leading `/`; trailing slashes do not count. */
export const splitPath = (path: string): string[] => {
  const segments = path.split('/');
  while (segments.length > 1 && segments.at(-1) === '') segments.pop();
  return segments;
};

/** The node of a template, made when it is new. `guardOf` is asked for each parameter's name. */
export const nodeFor = <T>(
  root: TrieNode<T>,
  template: string,
  guardOf: (name: string) => Guard | undefined,
): TrieNode<T> =>
  splitPath(template)
    .slice(1)
    .reduce((node, segment) => childFor(node, segment, guardOf), root);

const childFor = <T>(node: TrieNode<T>, segment: string, guardOf: (name: string) => Guard | undefined): TrieNode<T> => {
  if (isParameter(segment)) {
    node.accepts = guardOf(segment.slice(1, -1));
    node.parameter ??= createNode();
    return node.parameter;
  }
  const child = node.children.get(segment) ?? createNode<T>();
  node.children.set(segment, child);
  return child;
};

const passes = ['literals', 'root', 'leaf', 'anywhere'] as const;
type Pass = (typeof passes)[number];

/** The first value, pass by pass, that `wanted` takes. */
export const findInTrie = <T, R>(
  root: TrieNode<T>,
  segments: readonly string[],
  wanted: (value: T) => R | undefined,
): R | undefined => {
  if (segments.length === 1) return root.value === undefined ? undefined : wanted(root.value);
  for (const pass of passes) {
    const value = descend(root, segments, 1, pass);
    const result = value === undefined ? undefined : wanted(value);
    if (result !== undefined) return result;
  }
  return undefined;
};

const parameterOf = <T>(node: TrieNode<T>, segment: string): TrieNode<T> | undefined =>
  node.accepts === undefined || node.accepts(segment) ? node.parameter : undefined;

const descend = <T>(node: TrieNode<T>, segments: readonly string[], at: number, pass: Pass): T | undefined => {
  const segment = segments[at] as string;
  const isLeaf = at === segments.length - 1;
  const literal = node.children.get(segment);
  const parameter = parameterOf(node, segment);
  const useParameter = literal === undefined ? opens(pass, at, isLeaf) : skipsLiteral(literal, pass, at, isLeaf);
  const next = useParameter && parameter !== undefined ? parameter : literal;
  if (next === undefined) return undefined;
  if (isLeaf) return next.value;
  const found = descend(next, segments, at + 1, pass);
  if (found !== undefined || next === parameter || parameter === undefined || pass === 'literals') return found;
  return descend(parameter, segments, at + 1, pass);
};

/** Whether a segment that is no literal may be a parameter in this pass. */
const opens = (pass: Pass, at: number, isLeaf: boolean): boolean =>
  pass === 'anywhere' || (pass === 'root' && at === 1) || (pass === 'leaf' && isLeaf);

/** A literal that is only the beginning of longer paths gives way to the parameter. */
const skipsLiteral = (literal: TrieNode<unknown>, pass: Pass, at: number, isLeaf: boolean): boolean =>
  literal.value === undefined &&
  ((isLeaf && (pass === 'leaf' || pass === 'anywhere')) || (pass === 'root' && at === 1));
