/**
 * Collects the facts (method, path template, operation group) of the REST surface from parsed specification files and
 * renders them as `src/proxy/operations.generated.ts`. Only these facts are taken over, never descriptions.
 * Where two inputs know the same method and shape of a path, the first one given names the group.
 */
export type Fact = { readonly method: string; readonly path: string; readonly group: string };

const httpMethods = new Set(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']);

type OpenApi = { paths?: Record<string, Record<string, { 'x-operation-group'?: string }>> };

/** One namespace file of the OpenSearch API specification (OpenAPI 3.1). */
export const factsOfNamespace = (file: OpenApi): Fact[] =>
  Object.entries(file.paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([key, operation]) => {
      const [method, group] = [key.toUpperCase(), operation['x-operation-group']];
      return httpMethods.has(method) && group !== undefined ? [{ method, path, group }] : [];
    }),
  );

type Superseded = Record<string, { superseded_by: string; operations: string[] } | string>;

/** `_superseded_operations.yaml`: old plugin paths, and their successors where no namespace file has them. */
export const factsOfSuperseded = (file: Superseded, known: readonly Fact[]): Fact[] => {
  const groups = new Map(known.map((fact) => [shapeOf(fact), fact.group]));
  return Object.entries(file).flatMap(([path, entry]) => {
    if (typeof entry === 'string') return [];
    return entry.operations.flatMap((method) => {
      const successor = { method, path: entry.superseded_by };
      const group = groups.get(shapeOf(successor)) ?? `${namespaceOf(entry.superseded_by)}.superseded`;
      return [
        { method, path, group },
        { ...successor, group },
      ];
    });
  });
};

/** `/_plugins/_alerting/monitors` belongs to `alerting`. */
const namespaceOf = (path: string): string => (path.split('/')[2] ?? '').replace(/^_/, '');

type RestApi = Record<string, { url?: { paths: { path: string; methods: string[] }[] } } | string>;

/** One file of the Elasticsearch rest-api-spec. */
export const factsOfRestApi = (file: RestApi): Fact[] =>
  Object.entries(file).flatMap(([group, api]) => {
    const paths = typeof api === 'string' ? [] : (api.url?.paths ?? []);
    return paths.flatMap(({ path, methods }) => methods.map((method) => ({ method, path, group })));
  });

const trimSlash = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);

/** Two templates that differ only in the names of their parameters have one shape. */
const shapeOf = ({ method, path }: Pick<Fact, 'method' | 'path'>): string =>
  `${method} ${trimSlash(path).replace(/\{[^}]*\}/g, '{}')}`;

/** Each method and shape once, by the first fact that has it. */
export const mergeFacts = (facts: readonly Fact[]): Fact[] => {
  const byShape = new Map<string, Fact>();
  for (const fact of facts) {
    const shape = shapeOf(fact);
    if (!byShape.has(shape)) byShape.set(shape, { ...fact, path: trimSlash(fact.path) });
  }
  return [...byShape.values()];
};

type Row = { methods: string[]; path: string; group: string };

const rowsOf = (facts: readonly Fact[]): Row[] => {
  const rows = new Map<string, Row>();
  for (const { method, path, group } of facts) {
    const key = `${path} ${group}`;
    const row = rows.get(key) ?? { methods: [], path, group };
    row.methods.push(method);
    rows.set(key, row);
  }
  const order = (a: Row, b: Row) => (a.path === b.path ? compare(a.group, b.group) : compare(a.path, b.path));
  return [...rows.values()].sort(order);
};

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

export const renderOperations = (facts: readonly Fact[], inputs: readonly string[]): string => {
  const rows = rowsOf(facts).map(
    ({ methods, path, group }) => `  ['${methods.toSorted().join(' ')}', '${path}', '${group}'],`,
  );
  return [
    '/**',
    ' * The REST surface as facts: methods, path template, operation group. Written by scripts/generate-operations.ts; never',
    ' * edited by hand. Inputs:',
    ...inputs.map((input) => ` * - ${input}`),
    ' */',
    'export const operations: readonly (readonly [methods: string, path: string, group: string])[] = [',
    ...rows,
    '];',
    '',
  ].join('\n');
};
