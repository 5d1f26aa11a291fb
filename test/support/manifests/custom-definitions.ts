/**
 * The custom resources of Prometheus Operator and KEDA as definitions that an API server takes, from the schemas to which
 * manifests are held without one. Pure.
 */
import { bundleOf } from './schema.ts';

type Schema = { [key: string]: unknown };

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isOpen = (schema: Schema): boolean =>
  schema['type'] === undefined || (schema['type'] === 'object' && schema['additionalProperties'] === undefined);

/** A definition closes objects by itself, knows no list of types, and wants alternatives beside a structure, not in one. */
const structural = (schema: Schema): Schema => {
  if (Array.isArray(schema['type'])) return { 'x-kubernetes-int-or-string': true };
  const { properties, items, additionalProperties, anyOf: _any, oneOf: _one, allOf: _all, ...rest } = schema;
  if (isObject(properties)) {
    const named = Object.entries(properties).map(([name, one]) => [name, structural(one as Schema)]);
    return { ...rest, type: 'object', properties: Object.fromEntries(named) };
  }
  if (isObject(items)) return { ...rest, items: structural(items) };
  if (isObject(additionalProperties)) return { ...rest, additionalProperties: structural(additionalProperties) };
  return isOpen(schema) ? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } : rest;
};

const definitionOf = (label: string, schema: Schema): Schema => {
  const [apiVersion = '', kind = ''] = label.split(' ');
  const [group = '', version = ''] = apiVersion.split('/');
  const plural = `${kind.toLowerCase()}s`;
  const { metadata: _, ...properties } = schema['properties'] as Schema;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // A group of Kubernetes itself says where it was agreed on.
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, listKind: `${kind}List`, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: structural({ ...schema, properties }) },
        },
      ],
    },
  };
};

export const customDefinitions = (): Schema[] => {
  const { kinds, definitions } = bundleOf('custom');
  return Object.entries(kinds).map(([label, name]) => definitionOf(label, definitions[name] as Schema));
};
