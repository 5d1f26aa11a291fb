/**
 * Cuts the official schemas down to the kinds that `deploy/` uses and writes them to test/fixtures/kubernetes/. Each file
 * is one JSON Schema document: `definitions` by name, and `kinds` that say which definition an apiVersion and kind have.
 * Objects are closed, as the API server's strict field validation has them. Run by hand, `node scripts/kubernetes-schemas.ts`,
 * when a kind or a version is added; needs Go, because the Go module proxy carries the sources.
 *
 * Two versions of Kubernetes stand for the range that the manifests promise: a field of the newer one only, or of the older
 * one only, is refused.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

type Schema = { [key: string]: unknown };
type Kind = { group: string; version: string; kind: string };
type Bundle = { source: string; kinds: Record<string, string>; definitions: Record<string, Schema> };

const kubernetes = ['v1.29.0', 'v1.37.2'];
const kinds = [
  ...['v1 ConfigMap', 'v1 Secret', 'v1 ServiceAccount', 'apps/v1 Deployment', 'batch/v1 Job'],
  ...['autoscaling/v2 HorizontalPodAutoscaler', 'networking.k8s.io/v1 NetworkPolicy'],
  ...['rbac.authorization.k8s.io/v1 Role', 'rbac.authorization.k8s.io/v1 RoleBinding'],
  'apiextensions.k8s.io/v1 CustomResourceDefinition',
];
const customResources = [
  {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    files: ['podmonitors', 'prometheusrules'].map(
      (name) => `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`,
    ),
  },
  { module: 'github.com/kedacore/keda/v2@v2.18.0', files: ['config/crd/bases/keda.sh_scaledobjects.yaml'] },
];

const moduleDir = (module: string): string => {
  const answer = execFileSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8' });
  return (JSON.parse(answer) as { Dir: string }).Dir;
};

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mapValues = (schemas: unknown, change: (schema: unknown) => unknown): Schema =>
  Object.fromEntries(Object.entries(schemas as Schema).map(([name, schema]) => [name, change(schema)]));

/** Keywords that say something about a value; descriptions, defaults and merge strategies do not. */
const kept = [
  ...['type', 'enum', 'pattern', 'minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems'],
  ...['required', '$ref'],
];

/** Go's patterns may begin with flags, which JavaScript does not know; such a pattern is left out. */
const says = (key: string, value: unknown): boolean =>
  value !== undefined && !(key === 'pattern' && /\(\?[a-z]/.test(String(value)));

const openTypes = (schema: Schema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true || schema['additionalProperties'] !== undefined;

/** Quantities and ports may be written as numbers too. */
const scalar = (schema: Schema): Schema | undefined =>
  schema['format'] === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true
    ? { type: ['string', 'integer'] }
    : undefined;

const reduce = (value: unknown): unknown => {
  if (!isObject(value)) return value;
  const short = scalar(value);
  if (short !== undefined) return short;
  const { properties, items, additionalProperties, anyOf, oneOf, allOf } = value;
  return {
    ...Object.fromEntries(kept.flatMap((key) => (says(key, value[key]) ? [[key, value[key]]] : []))),
    ...(isObject(properties) ? { properties: mapValues(properties, reduce) } : {}),
    ...(isObject(properties) && !openTypes(value) ? { additionalProperties: false } : {}),
    ...(additionalProperties === undefined ? {} : { additionalProperties: reduce(additionalProperties) }),
    ...(items === undefined ? {} : { items: reduce(items) }),
    ...Object.fromEntries(
      Object.entries({ anyOf, oneOf, allOf }).flatMap(([key, list]) =>
        Array.isArray(list) ? [[key, list.map(reduce)]] : [],
      ),
    ),
  };
};

const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

const namesIn = (value: unknown): string[] =>
  [...JSON.stringify(value).matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name = '']) => name);

/** The definitions named, and all that they name in turn. */
const closure = (all: Record<string, Schema>, roots: readonly string[]): Record<string, Schema> => {
  const found = new Map<string, Schema>();
  const add = (name: string): void => {
    if (found.has(name)) return;
    const schema = name === quantity ? { type: ['string', 'number'] } : (reduce(all[name]) as Schema);
    found.set(name, schema);
    for (const next of namesIn(schema)) add(next);
  };
  for (const root of roots) add(root);
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
};

const labelOf = ({ group, version, kind }: Kind): string => `${group === '' ? '' : `${group}/`}${version} ${kind}`;

const kubernetesBundle = (version: string): Bundle => {
  const dir = moduleDir(`k8s.io/kubernetes@${version}`);
  const { definitions } = JSON.parse(readFileSync(join(dir, 'api/openapi-spec/swagger.json'), 'utf8')) as {
    definitions: Record<string, Schema>;
  };
  const named = Object.entries(definitions).flatMap(([name, schema]) =>
    ((schema['x-kubernetes-group-version-kind'] ?? []) as Kind[]).map((kind) => [labelOf(kind), name] as const),
  );
  const wanted = named.filter(([label]) => kinds.includes(label));
  if (wanted.length !== kinds.length) throw new Error(`${version} lacks a kind`);
  const source = `k8s.io/kubernetes ${version}, api/openapi-spec/swagger.json`;
  const roots = wanted.map(([, name]) => name);
  return { source, kinds: Object.fromEntries(wanted), definitions: closure(definitions, roots) };
};

type CustomResource = {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
};

const customResource = (text: string): [string, Schema][] => {
  const { group, names, versions } = (parse(text) as CustomResource).spec;
  return versions.map(({ name: version, schema }) => {
    const reduced = reduce(schema.openAPIV3Schema) as { properties: Schema };
    const metadata = { $ref: `#/definitions/${objectMeta}` };
    return [
      labelOf({ group, version, kind: names.kind }),
      { ...reduced, properties: { ...reduced.properties, metadata } },
    ];
  });
};

const customBundle = (newest: Bundle): Bundle => {
  const found = customResources.flatMap(({ module, files }) => {
    const dir = moduleDir(module);
    return files.flatMap((file) => customResource(readFileSync(join(dir, file), 'utf8')));
  });
  return {
    source: customResources.map(({ module }) => module.replace('@', ' ')).join(', '),
    kinds: Object.fromEntries(found.map(([label]) => [label, label.replace(/[/ ]/g, '.')])),
    definitions: {
      ...closure(newest.definitions, [objectMeta]),
      ...Object.fromEntries(found.map(([label, schema]) => [label.replace(/[/ ]/g, '.'), schema])),
    },
  };
};

/** One definition a line, so that a diff shows which one changed. */
const render = ({ source, kinds: labels, definitions }: Bundle): string => {
  const lines = Object.entries(definitions).map(
    ([name, schema]) => `${JSON.stringify(name)}: ${JSON.stringify(schema)}`,
  );
  return `{"source": ${JSON.stringify(source)},\n"kinds": ${JSON.stringify(labels)},\n"definitions": {\n${lines.join(',\n')}\n}}\n`;
};

const folder = join(import.meta.dirname, '../test/fixtures/kubernetes');
mkdirSync(folder, { recursive: true });
const bundles = kubernetes.map((version) => [version.replace(/\.\d+$/, ''), kubernetesBundle(version)] as const);
for (const [name, bundle] of bundles) writeFileSync(join(folder, `${name}.json`), render(bundle));
const newest = bundles.at(-1)?.[1];
if (newest !== undefined) writeFileSync(join(folder, 'custom.json'), render(customBundle(newest)));
