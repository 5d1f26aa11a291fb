/**
 * Holds a manifest against the official schemas: the oldest and the newest Kubernetes that the project promises, and the
 * custom resources of Prometheus Operator and KEDA. Strict: a field that the schema does not know is a problem, as for the
 * API server with strict field validation. scripts/kubernetes-schemas.ts made the files.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';

type Bundle = { source: string; kinds: Record<string, string>; definitions: Record<string, unknown> };
export type Manifest = {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
};

export const bundleOf = (name: string): Bundle =>
  JSON.parse(readFileSync(new URL(`../../fixtures/kubernetes/${name}.json`, import.meta.url), 'utf8')) as Bundle;

const compile = (name: string): { name: string; validators: Map<string, ValidateFunction> } => {
  const { kinds, definitions } = bundleOf(name);
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: name, definitions });
  const validators = Object.entries(kinds).map(
    ([label, definition]) => [label, ajv.compile({ $ref: `${name}#/definitions/${definition}` })] as const,
  );
  return { name, validators: new Map(validators) };
};

export const kubernetesVersions = ['v1.29', 'v1.37'] as const;
const bundles = [...kubernetesVersions, 'custom'].map(compile);

const told = ({ errors }: ValidateFunction, name: string): string[] =>
  (errors ?? []).map(({ instancePath, message, params }) => {
    const field = (params as { additionalProperty?: string }).additionalProperty;
    return `${name}: ${instancePath || '/'} ${message ?? ''}${field === undefined ? '' : ` (${field})`}`;
  });

/** Empty when every version that knows the kind accepts the manifest. */
export const schemaProblems = (manifest: Manifest): string[] => {
  const label = `${manifest.apiVersion} ${manifest.kind}`;
  const found = bundles.flatMap(({ name, validators }) => {
    const validate = validators.get(label);
    return validate === undefined ? [] : [{ name, validate }];
  });
  if (found.length === 0) return [`no schema for ${label}: add it to scripts/kubernetes-schemas.ts`];
  return found.flatMap(({ name, validate }) => (validate(manifest) ? [] : told(validate, name)));
};
